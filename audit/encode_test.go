package audit_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// fullEvent has something in every field.
func fullEvent() audit.Event {
	return audit.Event{
		ID:     "0193a5c0-7c4f-7abc-8def-0123456789ab",
		Tenant: "clinic-17",
		Occurred: audit.Period{
			Start: time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC),
			End:   time.Date(2026, 11, 21, 17, 30, 0, 5000, time.UTC),
		},
		Clock:   audit.Clock{Known: true, Synced: true, ErrMicros: 850},
		Action:  "record.disclose",
		Verb:    audit.Execute,
		Outcome: audit.Failure,
		Code:    "denied",
		Actor: audit.Actor{
			ID: "u-9", Kind: audit.KindAgent, Tenant: "platform", OnBehalfOf: "u-3",
			Session: "s-1", AuthTime: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC),
			Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2, PhishingResistant: true,
			Origin: netip.MustParseAddr("192.0.2.7"), Device: `Firefox on "Windows" \ ☃`,
			Emergency: "eg-1", Organization: "npi:1234567893", Roles: []string{"clinic_admin", "therapist"},
		},
		Client:   audit.Client{App: "web", Location: "ward 3 <b>&amp;\u2028</b>"},
		Server:   audit.Server{ID: "api-3", Site: "us-east", Version: "1.42"},
		Patients: []audit.Patient{"p-1234", "p-1235"},
		Objects: []audit.Object{
			{
				Type: "session_note", ID: "o-77", Version: "3", Category: "notes",
				Labels: []string{"42CFR2", "PSY"}, Origin: "lab-acme", Fields: []string{"author", "text"},
			},
			{Type: "invoice"},
		},
		Search:      audit.NewPrivate("smith 1970"),
		Purpose:     "TREAT",
		Why:         audit.NewPrivate("patient asked on the phone"),
		Correlation: audit.Correlation{Request: "req-1", Trace: "4bf92f3577b34da6a3ce929d0e0e4736"},
		Decision:    audit.Decision{Rule: "own-patients", Scope: "practice", Grant: "g-1", Policy: "sha256:aa", Mask: "sha256:bb"},
		Disclosure: &audit.Disclosure{
			Recipient: audit.NewPrivate("County Court"), Address: audit.NewPrivate("1 Example Street"),
			Description: "session notes of 2026", Authority: "164.512(e)", Count: 3, Frequency: "monthly",
			Last: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		},
		Changes: []audit.Change{{Field: "phone", Before: []byte{1, 2}, After: []byte{3, 0xff}}, {Field: "email", After: []byte{4}}},
		Detail:  map[string]string{"step": "2", "Batch.no": "7", "a-b_c": "x"},
	}
}

// stored records e on a fresh log and returns it as it comes back, with its bytes.
func stored(t testing.TB, e audit.Event) audit.Stored {
	t.Helper()
	now := day(18)
	log := newLog(t, audit.NewMemory(), &audit.Options{Now: clock(&now)})
	require.NoError(t, log.Record(t.Context(), e))
	page, err := log.Query(t.Context(), audit.Query{Tenant: e.Tenant})
	require.NoError(t, err)
	require.Len(t, page.Events, 1)
	return page.Events[0]
}

func TestEncodeKeepsEveryField(t *testing.T) {
	t.Parallel()
	want := fullEvent()
	got := stored(t, want)

	again, err := audit.Encode(got.Event)
	require.NoError(t, err)
	require.Equal(t, string(got.Body), string(again))
	require.Equal(t, audit.Leaf(got.Body), got.Leaf)

	// Private values come back as commitments only; everything else as it was.
	e := got.Event
	for _, p := range []audit.Private{e.Search, e.Why, e.Disclosure.Recipient, e.Disclosure.Address} {
		require.Len(t, p.Commitment(), 32)
		_, known := p.Reveal()
		require.False(t, known)
	}
	require.False(t, e.Actor.Origin.IsValid())
	want.Recorded = day(18)
	want.Actor.Origin = netip.Addr{}
	want.Search, want.Why = e.Search, e.Why
	want.Disclosure.Recipient, want.Disclosure.Address = e.Disclosure.Recipient, e.Disclosure.Address
	require.Equal(t, withoutOrigin(want), withoutOrigin(e))

	for _, secret := range []string{"192.0.2.7", "smith", "phone call", "County", "Example Street"} {
		require.NotContains(t, string(got.Body), secret)
	}
}

// withoutOrigin copies the exported fields only; the commitment to the address is not one.
func withoutOrigin(e audit.Event) audit.Event {
	var out audit.Event
	from, to := reflect.ValueOf(e), reflect.ValueOf(&out).Elem()
	for i := range from.NumField() {
		if from.Type().Field(i).IsExported() {
			to.Field(i).Set(from.Field(i))
		}
	}
	return out
}

// TestEncodeIsCanonical compares with the standard library: sorted keys, no white space.
func TestEncodeIsCanonical(t *testing.T) {
	t.Parallel()
	for _, e := range []audit.Event{fullEvent(), {Tenant: "t", Action: "a", Verb: audit.Read, Actor: audit.System("t", "x")}} {
		body := stored(t, e).Body
		var generic map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		require.NoError(t, d.Decode(&generic))
		var again bytes.Buffer
		enc := json.NewEncoder(&again)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(generic))
		text := strings.ReplaceAll(again.String(), `\u2028`, "\u2028") // the one liberty encoding/json takes
		require.Equal(t, strings.TrimSuffix(text, "\n"), string(body))
	}
}

// TestFrozen reads what earlier releases wrote: the bytes of version 1 never change.
func TestFrozen(t *testing.T) {
	t.Parallel()
	lines := fixture(t)
	for i, line := range lines {
		leaf, body, found := strings.Cut(line, " ")
		require.True(t, found)
		e, err := audit.Decode([]byte(body))
		require.NoError(t, err, "line %d", i)
		again, err := audit.Encode(e)
		require.NoError(t, err)
		require.Equal(t, body, string(again))
		sum := audit.Leaf([]byte(body))
		require.Equal(t, leaf, hex.EncodeToString(sum[:]))
	}
	_, body, _ := strings.Cut(lines[0], " ")
	got, err := audit.Decode([]byte(body))
	require.NoError(t, err)
	want := fullEvent()
	want.Recorded = day(18)
	want.Actor.Origin = netip.Addr{}
	want.Search, want.Why = got.Search, got.Why
	want.Disclosure.Recipient, want.Disclosure.Address = got.Disclosure.Recipient, got.Disclosure.Address
	require.Equal(t, withoutOrigin(want), withoutOrigin(got))
}

// fixture returns the lines of testdata/v1.txt: leaf hash in hex, a space, the bytes.
func fixture(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/v1.txt")
	require.NoError(t, err)
	unix := strings.ReplaceAll(string(text), "\r\n", "\n")
	lines := strings.Split(strings.TrimSuffix(unix, "\n"), "\n")
	require.GreaterOrEqual(t, len(lines), 3)
	return lines
}

func TestDecodeRefusesWhatEncodeDoesNotWrite(t *testing.T) {
	t.Parallel()
	body := string(stored(t, fullEvent()).Body)
	replace := func(old, with string) string {
		require.Contains(t, body, old)
		return strings.Replace(body, old, with, 1)
	}
	for name, bad := range map[string]string{
		"empty":             "",
		"not JSON":          "x",
		"null":              "null",
		"array":             "[" + body + "]",
		"white space":       replace(`,"ten":`, `, "ten":`),
		"leading space":     " " + body,
		"trailing newline":  body + "\n",
		"trailing bytes":    body + "x",
		"two events":        body + body,
		"key order":         replace(`"c":"E","v":"record.disclose"`, `"v":"record.disclose","c":"E"`),
		"key twice":         replace(`"v":1`, `"v":1,"v":1`),
		"key spelling":      replace(`"ten":`, `"Ten":`),
		"unknown key":       replace(`"v":1`, `"u":"","v":1`),
		"null value":        replace(`"pou":"TREAT"`, `"pou":null`),
		"empty value":       replace(`"pou":"TREAT"`, `"pou":""`),
		"empty list":        replace(`["p-1234","p-1235"]`, `[]`),
		"empty object":      replace(`"v":1`, `"v":1,"who2":{}`),
		"float":             replace(`"c":8`, `"c":8.0`),
		"exponent":          replace(`"v":1`, `"v":1e0`),
		"minus zero":        replace(`"err_us":850`, `"err_us":-0`),
		"needless escape":   replace(`clinic-17`, `\u0063linic-17`),
		"slash escape":      replace(`web`, `w\/b`),
		"control character": replace(`web`, "w\nb"),
		"escaped control":   replace(`web`, `w\nb`),
		"NUL":               replace(`web`, `w\u0000b`),
		"invalid UTF-8":     replace(`web`, "w\xffb"),
		"lone surrogate":    replace(`web`, `w\ud800b`),
		"other version":     replace(`"v":1`, `"v":2`),
		"no version":        replace(`"v":1,`, ``),
		"no tenant":         replace(`"ten":"clinic-17",`, ``),
		"no kind":           replace(`"k":"agent",`, ``),
		"unknown kind":      replace(`"k":"agent"`, `"k":"robot"`),
		"unknown verb":      replace(`"c":"E"`, `"c":"X"`),
		"unknown outcome":   replace(`"c":8`, `"c":7`),
		"failure, no code":  replace(`"out":{"c":8,"why":"denied"}`, `"out":{"c":8}`),
		"not a UUID":        replace(`0193a5c0-7c4f`, `0193A5C0-7c4f`),
		"time zone":         replace(`18:00:00.123456Z`, `18:00:00.123456+00:00`),
		"nanoseconds":       replace(`18:00:00.123456Z`, `18:00:00.123456000Z`),
		"no fraction":       replace(`18:00:00.123456Z`, `18:00:00Z`),
		"no such day":       replace(`2026-11-21T18`, `2026-02-30T18`),
		"base64 alphabet":   replace(`"a":"A/8="`, `"a":"A_8="`),
		"base64 bits":       replace(`"a":"A/8="`, `"a":"A/9="`),
		"base64 padding":    replace(`"a":"A/8="`, `"a":"A/8"`),
		"short commitment":  replace(`"why":{"$c":"`, `"why":{"$c":"AA==","x":"`),
		"actor's tenant":    replace(`"sess":"s-1","ten":"platform"`, `"sess":"s-1","ten":"clinic-17"`),
		"too large":         replace(`"desc":"session notes of 2026"`, `"desc":"`+strings.Repeat("x", audit.MaxBody)+`"`),
	} {
		_, err := audit.Decode([]byte(bad))
		require.ErrorIs(t, err, audit.ErrDamaged, name)
	}
	_, err := audit.Decode([]byte(body))
	require.NoError(t, err, "the body itself is fine")
}

// TestDecodeNoticesAnyChange flips every bit: what is still an event has another leaf.
func TestDecodeNoticesAnyChange(t *testing.T) {
	t.Parallel()
	s := stored(t, fullEvent())
	for i := range s.Body {
		for bit := range 8 {
			changed := bytes.Clone(s.Body)
			changed[i] ^= 1 << bit
			require.NotEqual(t, s.Leaf, audit.Leaf(changed))
			e, err := audit.Decode(changed)
			if err != nil {
				continue
			}
			again, err := audit.Encode(e)
			require.NoError(t, err)
			require.Equal(t, changed, again)
		}
	}
}

func TestEncodeRefusesPlainPrivateValues(t *testing.T) {
	t.Parallel()
	good := stored(t, fullEvent()).Event
	_, err := audit.Encode(good)
	require.NoError(t, err)

	e := good
	e.Why = audit.NewPrivate("plain")
	requireInvalid(t, e, nil, []string{"why"})
	e = good
	e.ID, e.Recorded = "", time.Time{}
	requireInvalid(t, e, []string{"id", "recorded"}, nil)
	e = audit.Event{
		ID: good.ID, Recorded: good.Recorded, Tenant: "t", Action: "a", Verb: audit.Read,
		Actor: audit.Actor{ID: "u", Kind: audit.KindStaff, Origin: netip.MustParseAddr("192.0.2.1")},
	}
	requireInvalid(t, e, nil, []string{"actor.origin"})
}

func requireInvalid(t *testing.T, e audit.Event, missing, wrong []string) {
	t.Helper()
	_, err := audit.Encode(e)
	var invalid *audit.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.ErrorIs(t, err, audit.ErrInvalid)
	require.Equal(t, missing, invalid.Missing)
	require.Equal(t, wrong, invalid.Wrong)
}

// TestCommitments proves one by hand, as somebody without this package would.
func TestCommitmentsAreFresh(t *testing.T) {
	t.Parallel()
	a, b := stored(t, fullEvent()), stored(t, fullEvent())
	require.NotEqual(t, a.Why.Commitment(), b.Why.Commitment(), "a fresh salt for each event")
	require.NotEqual(t, a.Body, b.Body)
	require.Contains(t, string(a.Body), `"why":{"$c":"`+base64.StdEncoding.EncodeToString(a.Why.Commitment())+`"}`)
}

// TestEncodeTimes compares with package time at the ends of every unit.
func TestEncodeTimes(t *testing.T) {
	t.Parallel()
	base := stored(t, fullEvent()).Event
	zone := time.FixedZone("", -7*3600-1800)
	for _, at := range []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2000, 2, 29, 12, 0, 0, 0, zone), time.Date(2026, 10, 9, 8, 7, 6, 54_321_000, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(2026, 12, 31, 23, 30, 0, 100_000_000, zone),
	} {
		base.Recorded = at
		body, err := audit.Encode(base)
		require.NoError(t, err)
		require.Contains(t, string(body), `"rec":"`+at.UTC().Format("2006-01-02T15:04:05.000000Z")+`"`)
	}
}

func FuzzDecode(f *testing.F) {
	for _, line := range fixture(f) {
		_, body, _ := strings.Cut(line, " ")
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := audit.Decode(body)
		if err != nil {
			require.ErrorIs(t, err, audit.ErrDamaged)
			return
		}
		again, err := audit.Encode(e)
		require.NoError(t, err)
		require.Equal(t, string(body), string(again), "only canonical bytes are read")
		for i := range body { // any changed byte is an error or another event
			changed := bytes.Clone(body)
			changed[i] ^= 1
			if other, err := audit.Decode(changed); err == nil {
				require.NotEqual(t, e, other)
			}
		}
	})
}

// FuzzEvent puts a stranger's text everywhere: it is refused with a typed error, or comes back
// byte for byte, private values included.
func FuzzEvent(f *testing.F) {
	f.Add("x", "why", []byte{1}, int64(0), uint8(0))
	f.Add(`"\`, "", []byte{}, int64(1<<40), uint8(8))
	f.Add("\u2028☃", "\xff", []byte("x"), int64(-1), uint8(12))
	f.Fuzz(func(t *testing.T, text, why string, sum []byte, micros int64, outcome uint8) {
		e := audit.Event{
			Tenant: audit.Tenant(text), Action: "fuzz", Verb: audit.Read, Outcome: audit.Outcome(outcome), Code: text,
			Actor:    audit.Actor{ID: audit.ActorID(text), Kind: audit.KindStaff, Roles: []string{text}, AuthTime: time.UnixMicro(micros).UTC()},
			Patients: []audit.Patient{audit.Patient(text)},
			Objects:  []audit.Object{{Type: text, ID: text, Fields: []string{text, text}}},
			Why:      audit.NewPrivate(why),
			Changes:  []audit.Change{{Field: text, After: sum}},
			Detail:   map[string]string{"k": text},
		}
		log := newLog(t, audit.NewMemory(), nil)
		if err := log.Record(t.Context(), e); err != nil {
			require.ErrorIs(t, err, audit.ErrInvalid)
			return
		}
		page, err := log.Query(t.Context(), audit.Query{Tenant: e.Tenant})
		require.NoError(t, err)
		require.Len(t, page.Events, 1)
		got := page.Events[0].Event
		opened, err := log.Open(t.Context(), e.Tenant, got.ID)
		require.NoError(t, err)
		value, _ := opened.Why.Reveal()
		require.Equal(t, why, value)
		require.Equal(t, text, got.Objects[0].ID)
		require.Equal(t, text, got.Detail["k"])
		require.Equal(t, text, got.Actor.Roles[0])
		require.True(t, e.Actor.AuthTime.Equal(got.Actor.AuthTime))
	})
}
