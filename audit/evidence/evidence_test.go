package evidence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

const clinic audit.Tenant = "clinic"

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func control(id string) evidence.Control {
	return evidence.Control{ID: id, What: "Something is so.", State: evidence.InForce, Verified: "looked at", Citations: []string{"45 CFR 164.312(d)"}}
}

func says(list ...evidence.Control) evidence.Source {
	return evidence.SourceFunc(func(context.Context, audit.Tenant) ([]evidence.Control, error) { return list, nil })
}

func states(p evidence.Packet) (all []string) {
	for _, s := range p.Sections {
		for _, c := range s.Controls {
			all = append(all, c.ID+" "+string(c.State))
		}
	}
	return all
}

// TestNothingIsMissing: a source that fails, panics, is not there, repeats a control or names
// none is a control whose state is unknown.
func TestNothingIsMissing(t *testing.T) {
	t.Parallel()
	nameless, wordless, stateless := control(""), control("b.two"), control("b.three")
	wordless.Verified, stateless.State = "", "fine"
	p := evidence.Collect(t.Context(), clinic, noon, []evidence.Section{
		{Name: "A", From: says(control("a.one"))},
		{Name: "B", From: says(control("a.one"), nameless, wordless, stateless, control("Big.Name"), control("nodot"))},
		{Name: "C", From: evidence.SourceFunc(func(context.Context, audit.Tenant) ([]evidence.Control, error) {
			return []evidence.Control{control("c.one")}, errors.New("secret words of a driver")
		})},
		{Name: "D", From: evidence.SourceFunc(func(context.Context, audit.Tenant) ([]evidence.Control, error) { panic("secret words") })},
		{Name: "E"},
	}, nil)
	require.Equal(t, []string{
		"a.one in_force",
		"evidence.invalid unknown", "evidence.invalid unknown", "b.two unknown", "b.three unknown", "evidence.invalid unknown", "evidence.invalid unknown",
		"c.one in_force", "evidence.unknown unknown",
		"evidence.unknown unknown",
		"evidence.unknown unknown",
	}, states(p))
	text, err := p.JSON()
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret words")
	require.Len(t, p.Open(), 9)
	require.Contains(t, p.Standing, "no certificate")
}

// TestTheTenantIsAsked: a source hears whose packet it is.
func TestTheTenantIsAsked(t *testing.T) {
	t.Parallel()
	var asked audit.Tenant
	evidence.Collect(t.Context(), clinic, noon, []evidence.Section{{Name: "A", From: evidence.SourceFunc(func(_ context.Context, of audit.Tenant) ([]evidence.Control, error) {
		asked = of
		return nil, nil
	})}}, nil)
	require.Equal(t, clinic, asked)
}

// TestAttestationsExpire: what people say counts as long as they said, and never looks checked.
func TestAttestationsExpire(t *testing.T) {
	t.Parallel()
	good := evidence.Attestation{ID: "host.training", What: "Staff are trained each year.", By: "Privacy officer", At: noon.AddDate(0, -1, 0), Expires: noon.AddDate(0, 11, 0)}
	change := func(id string, f func(*evidence.Attestation)) evidence.Attestation {
		a := good
		a.ID = "host." + id
		f(&a)
		return a
	}
	p := evidence.Collect(t.Context(), clinic, noon, nil, []evidence.Attestation{
		good,
		change("old", func(a *evidence.Attestation) { a.Expires = noon }),
		change("later", func(a *evidence.Attestation) { a.At = noon.Add(time.Hour) }),
		change("endless", func(a *evidence.Attestation) { a.Expires = time.Time{} }),
		change("nobody", func(a *evidence.Attestation) { a.By = " " }),
		change("wordless", func(a *evidence.Attestation) { a.What = "" }),
		change("backward", func(a *evidence.Attestation) { a.Expires = a.At }),
	})
	require.Equal(t, []string{
		"host.training attested", "host.old expired", "host.later unknown", "host.endless unknown", "host.nobody unknown", "host.wordless unknown", "host.backward unknown",
	}, states(p))
	require.NoError(t, good.Validate())
	require.ErrorIs(t, (&evidence.Attestation{}).Validate(), evidence.ErrAttestation)
	require.Contains(t, p.Sections[0].Controls[0].Verified, "not checked by any program")
	require.Contains(t, string(p.Markdown()), "until 2027-04-04")
}

// TestPages: three forms with the same content, in which no text of a host is markup.
func TestPages(t *testing.T) {
	t.Parallel()
	c := control("a.one")
	c.What, c.Detail, c.Warning = "<script>alert(1)</script> | a\nb", "5 | 7", "Mind <this>."
	c.State = evidence.Partly
	p := evidence.Collect(t.Context(), "clinic <b>", noon, []evidence.Section{{Name: "Sign-in <i>", From: says(c, control("a.two"))}}, nil)
	text, err := p.JSON()
	require.NoError(t, err)
	var again evidence.Packet
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, p, again)

	md := string(p.Markdown())
	require.NotContains(t, md, "<script")
	require.Contains(t, md, `&lt;script>alert(1)&lt;/script> \| a b (a.one) | partly | 5 \| 7 **Mind &lt;this>.** | looked at | 45 CFR 164.312(d) |`)
	for _, row := range strings.Split(md, "\n") {
		if strings.HasPrefix(row, "|") {
			require.Equal(t, 6, strings.Count(strings.ReplaceAll(row, `\|`, ""), "|"), row)
		}
	}
	c.What, c.Detail = `a\| b`, "[press](javascript:alert(1)) ![x](//evil.example.com) `code` *loud* &lt;"
	hostile := evidence.Collect(t.Context(), clinic, noon, []evidence.Section{{Name: "A", From: says(c)}}, nil)
	require.Contains(t, string(hostile.Markdown()), "| a\\\\\\| b (a.one) |", "the backslash that was there does not undo the bar's")
	require.Contains(t, string(hostile.Markdown()), "\\[press\\](javascript:alert(1)) !\\[x\\](//evil.example.com) \\`code\\` \\*loud\\* &amp;lt;")

	html, err := p.HTML()
	require.NoError(t, err)
	require.NotContains(t, string(html), "<script")
	require.NotContains(t, string(html), "<b>")
	require.Contains(t, string(html), "partly")
	require.Contains(t, string(html), "no certificate")
}

// TestLogStatesItself: a log that cannot be read is failing, and one with an alarm is not whole.
func TestLogStatesItself(t *testing.T) {
	t.Parallel()
	log, err := audit.New(audit.NewMemory(), audit.DropOpenings{}, nil)
	require.NoError(t, err)
	state := func(ctx context.Context) evidence.Control {
		list, err := evidence.Log(log).Controls(ctx, clinic)
		require.NoError(t, err)
		return list[0]
	}
	require.Equal(t, evidence.Partly, state(t.Context()).State, "nobody calls Run")
	require.NotEmpty(t, state(t.Context()).Detail)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, evidence.Failing, state(ctx).State)
}

func Example() {
	people := evidence.SourceFunc(func(context.Context, audit.Tenant) ([]evidence.Control, error) {
		return []evidence.Control{{
			ID: "host.sign_in", What: "People sign in with two factors.", State: evidence.InForce,
			Verified: "read from the policy in force", Citations: []string{"45 CFR 164.312(d)"},
		}}, nil
	})
	packet := evidence.Collect(context.Background(), "clinic-17", noon, []evidence.Section{{Name: "Sign-in", From: people}}, []evidence.Attestation{{
		ID: "host.training", What: "Staff are trained each year.", By: "Privacy officer", At: noon.AddDate(-2, 0, 0), Expires: noon.AddDate(-1, 0, 0),
	}})
	for _, c := range packet.Open() {
		fmt.Println(c.ID, c.State, c.Warning)
	}
	// Output: host.training expired The attestation has expired.
}
