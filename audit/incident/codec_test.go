package incident_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/incident"
)

// TestFormatIsFinal: what was stored once can be read for ever.
func TestFormatIsFinal(t *testing.T) {
	t.Parallel()
	const frozen = `{"v":1,"case":{"tenant":"clinic","id":"0190b7a8-0000-7000-8000-000000000001","version":7,"state":"notifying","kind":"lost_device","phi":"yes","part2":true,` +
		`"source":{"by":"p-ada","kind":"staff","finding":"f-1"},"text":"text text text ","owner":"p-ada","triaged":"p-ben","opened":"0001-01-01T00:00:00Z",` +
		`"discovered":"2026-03-02","listed":[{"region":"NY","n":3}],"estimate":[{"region":"","n":4}],` +
		`"assessments":[{"nature":{"rating":"","why":""},"recipient":{"rating":"","why":""},"acquired":{"rating":"","why":""},"mitigated":{"rating":"","why":""},` +
		`"conclusion":"breach","by":"p-ada","at":"0001-01-01T00:00:00Z"}],` +
		`"notices":[{"for":"hhs","on":"2026-03-03","how":"mail","count":0,"all":true,"by":"","at":"0001-01-01T00:00:00Z"}],` +
		`"delay":{"said":"1970-01-04","written":false,"until":"1970-01-05"},"held":false,"reminded":["a"]},` +
		`"salt":"0000000000000000000000000000000000000000000000000000000000000000","lines":0,` +
		`"chain":"0000000000000000000000000000000000000000000000000000000000000000","sum":"0000000000000000000000000000000000000000000000000000000000000000"}`
	require.Equal(t, frozen, string(incident.Encoded()))
	again, err := incident.Recode([]byte(frozen))
	require.NoError(t, err)
	require.Equal(t, frozen, string(again))
}

func TestWhatEncodeWouldNotWrite(t *testing.T) {
	t.Parallel()
	good := string(incident.Encoded())
	for name, bad := range map[string]string{
		"empty": "", "more": good + "{}", "space": " " + good, "version": strings.Replace(good, `"v":1`, `"v":2`, 1),
		"unknown": strings.Replace(good, `"v":1`, `"v":1,"x":1`, 1), "case": strings.Replace(good, `"state"`, `"State"`, 1),
		"twice":   strings.Replace(good, `"version":7`, `"version":7,"version":7`, 1),
		"number":  strings.Replace(good, `"case":{`, `"case":{"Number":3,`, 1),
		"a day":   strings.Replace(good, "2026-03-02", "2026-02-30", 1),
		"a hash":  strings.Replace(good, `"sum":"00`, `"sum":"0`, 1),
		"capital": strings.Replace(good, `"sum":"00`, `"sum":"AA`, 1),
		"null":    strings.Replace(good, `"text":"text text text "`, `"text":null`, 1),
	} {
		require.NotEqual(t, good, bad, name)
		_, err := incident.Recode([]byte(bad))
		require.ErrorIs(t, err, incident.ErrDamaged, name)
	}
}

func FuzzCase(f *testing.F) {
	f.Add(incident.Encoded())
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		again, err := incident.Recode(body)
		if err == nil && !bytes.Equal(again, body) {
			t.Fatal("what was read is not what was there")
		}
	})
}

func FuzzMoment(f *testing.F) {
	f.Add([]byte(`{"seq":1,"at":"2026-03-02T14:00:00Z","by":"p-ada","action":"incident.note","state":"triaged","event":"e"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var m incident.Moment
		if incident.Remoment(body) != nil {
			return
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(m); err != nil || !bytes.Equal(again, body) {
			t.Fatal("what was read is not what was there")
		}
	})
}

func FuzzDay(f *testing.F) {
	for _, s := range []string{"2026-11-22", "1970-01-01", "9999-12-31", "2028-02-29"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := incident.ParseDay(s); err == nil && d.String() != s {
			t.Fatal(s)
		}
	})
}
