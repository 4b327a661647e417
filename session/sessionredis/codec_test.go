package sessionredis_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
)

func full() session.Session {
	at := base()
	return session.Session{
		ID: audit.NewID(at), Tenant: clinic, Person: "überstaff-日本", Kind: audit.KindStaff, OnBehalfOf: bob,
		Organization: "org", AuthTime: at, Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2, PhishingResistant: true,
		Origin: netip.MustParseAddr("2001:db8::17"), Device: "Firefox", Created: at, Since: at.Add(1000), LastSeen: at.Add(2000),
		IdleEnds: at.Add(3000), Ends: at.Add(4000), Version: 7, Superseded: true, Locked: at.Add(5000),
		Fresh: []session.Fresh{{Area: "settings", Until: at.Add(6000)}}, Ended: at.Add(7000), Reason: "sign_out",
	}
}

func TestRowIsWhatItWas(t *testing.T) {
	t.Parallel()
	for _, s := range []session.Session{full(), {}, {Origin: netip.MustParseAddr("192.0.2.1"), Device: strings.Repeat("x", 300)}} {
		row, err := sessionredis.Encode(s)
		require.NoError(t, err)
		got, err := sessionredis.Decode(row)
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
}

// What could not be given back is refused.
func TestRowsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*session.Session){
		"before 1970":       func(s *session.Session) { s.Ends = time.Unix(-1, 0) },
		"after 2255":        func(s *session.Session) { s.Fresh[0].Until = time.Date(2260, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a long reason":     func(s *session.Session) { s.Reason = strings.Repeat("x", 256) },
		"a long id":         func(s *session.Session) { s.ID = strings.Repeat("x", 1<<16) },
		"a long device":     func(s *session.Session) { s.Device = strings.Repeat("x", 1<<16) },
		"many methods":      func(s *session.Session) { s.Methods = make([]string, 256) },
		"many areas":        func(s *session.Session) { s.Fresh = make([]session.Fresh, 256) },
		"a version below 0": func(s *session.Session) { s.Version = -1 },
	} {
		s := full()
		spoil(&s)
		_, err := sessionredis.Encode(s)
		require.Error(t, err, name)
	}
}

// A row reads back as what was written, or not at all.
func FuzzDecode(f *testing.F) {
	for _, s := range []session.Session{full(), {}} {
		row, err := sessionredis.Encode(s)
		require.NoError(f, err)
		f.Add(row)
		f.Add(row[:len(row)-1])
		f.Add(row + "x")
	}
	f.Fuzz(func(t *testing.T, row string) {
		s, err := sessionredis.Decode(row)
		if err != nil {
			require.Zero(t, s)
			return
		}
		again, err := sessionredis.Encode(s)
		if err != nil {
			return // longer than what is written
		}
		back, err := sessionredis.Decode(again)
		require.NoError(t, err)
		require.Equal(t, s, back)
	})
}
