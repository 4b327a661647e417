package recert_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/rbac/recert"
)

// filed is a campaign with one item of each fate, put into a store by hand.
func filed(t testing.TB, change func(c *recert.Campaign, items []recert.Item)) (recert.Campaign, []recert.Item) {
	t.Helper()
	day := func(n int) time.Time { return time.Date(2026, 3, n, 9, 0, 0, 1000, time.UTC) }
	c := recert.Campaign{
		Tenant: "clinic", ID: "0190b7a8-0000-7000-8000-000000000001", State: recert.Signed, Round: 1, Started: day(1), StartedBy: "ann", Due: day(20), Anchor: day(1),
		Spec:     recert.Spec{Name: "=Spring <review>", Days: 19, Hold: 14, Owner: "ann"},
		Snapshot: recert.Snapshot{At: day(1), Policy: "p1", Query: "access live", Event: "e-0"},
		Late:     recert.Late{At: day(19), Count: 2}, Told: map[string]string{"reminder/bob": "7"},
	}
	items := make([]recert.Item, 4)
	for n := range items {
		items[n] = recert.Item{
			Tenant: c.Tenant, Campaign: c.ID, Seq: int64(n + 1), Risk: recert.RiskPHI, State: recert.ItemClosed, Reviewer: "bob", Due: c.Due,
			Access: recert.Access{Kind: recert.KindGrant, ID: fmt.Sprint("g-", n), Subject: audit.ActorID(fmt.Sprint("s-", n)), Role: "therapist", PHI: true},
		}
	}
	items[0].Decision = recert.Decision{Do: recert.Certify, By: "bob", At: day(3), Justified: true, Event: "e-1"}
	items[0].Outcome = recert.Certified
	items[1].Decision = recert.Decision{Do: recert.RevokeIt, By: "bob", At: day(4), Code: "left", Justified: true, Event: "e-2"}
	items[1].Outcome = recert.Revoked
	items[1].Effects = []recert.Effect{{ID: "x-1", Do: recert.ChangeRevoke, Ordered: day(4), Tries: 1, Made: day(4), Checked: day(5), Denied: true, Asked: 9, Took: 86_400_000_000}}
	items[1].Steps = []recert.Step{{At: day(3), Do: recert.Delegate, By: "ann", To: "bob", Event: "e-3"}}
	items[1].Effects[0].Others = []string{"g-8", "g-9"}
	items[1].Access.Role = "=cmd|' /C calc'!A0"
	items[2].Decision = recert.Decision{Do: recert.RevokeIt, By: "system:recert", At: day(20), Event: "e-4"}
	items[2].Outcome, items[2].Exception, items[2].Since = recert.Revoked, recert.ExceptionRegranted, day(21)
	items[2].Effects = []recert.Effect{{ID: "x-2", Do: recert.ChangeRevoke, Ordered: day(20), Tries: 1, Made: day(20), Checked: day(20), Denied: true, Asked: 9}}
	items[3].Outcome = recert.Gone
	if change != nil {
		change(&c, items)
	}
	c.Counts = recert.Counts{}
	for _, i := range items {
		count(&c.Counts, &i)
	}
	var err error
	c.Snapshot.Digest, c.Snapshot.Count, err = recert.FrozenDigest(seq(items))
	require.NoError(t, err)
	if c.State == recert.Signed {
		c.SignOff = recert.SignOff{By: "ann", At: day(22), Event: "e-9"}
		c.SignOff.Digest, err = recert.ContentDigest(c, seq(items))
		require.NoError(t, err)
	}
	return c, items
}

func count(n *recert.Counts, i *recert.Item) {
	switch i.State {
	case recert.ItemOpen:
		n.Open++
	case recert.ItemPending:
		n.Pending++
	case recert.ItemSuspended:
		n.Suspended++
	case recert.ItemClosed:
		n.Closed++
	}
	if i.Exception != "" {
		n.Exception++
	}
}

func seq(items []recert.Item) iter.Seq2[recert.Item, error] {
	return func(yield func(recert.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// archive is a desk over a store that holds one campaign.
type archive struct {
	*recert.Campaigns
	store *recert.Memory
	log   *audittest.Recorder
	ctx   context.Context
}

// nothing is a part that is not asked for evidence.
type nothing struct {
	recert.Population
	recert.Effects
	recert.Notices
}

func (nothing) OnlyOne(context.Context, audit.Tenant, recert.Access) (bool, error) {
	return false, nil
}

func archived(t testing.TB, c recert.Campaign, items []recert.Item) *archive {
	t.Helper()
	a := &archive{store: recert.NewMemory(), log: audittest.NewRecorder()}
	require.NoError(t, a.store.Apply(t.Context(), recert.Write{Campaign: c, Items: items}))
	var err error
	a.Campaigns, err = recert.New(recert.Parts{
		Store: a.store, Recorder: a.log, Population: nothing{}, Policy: func() string { return "p1" },
		Effects: map[recert.Kind]recert.Effects{recert.KindGrant: nothing{}}, OnlyOne: nothing{}, Notices: nothing{},
	}, nil)
	require.NoError(t, err)
	a.ctx = audit.WithActor(t.Context(), audit.Actor{ID: "ann", Kind: audit.KindStaff, Tenant: c.Tenant, Assurance: audit.AAL2})
	return a
}

func (a *archive) evidence(t testing.TB, id string) recert.Bundle {
	t.Helper()
	b, err := a.Evidence(a.ctx, id)
	require.NoError(t, err)
	return b
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	c, items := filed(t, nil)
	a := archived(t, c, items)
	b := a.evidence(t, c.ID)
	v, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
	require.NoError(t, err)
	require.NoError(t, v.VerifyTable(bytes.NewReader(b.CSV)))
	require.Equal(t, b.Digest, v.Digest)
	require.Equal(t, items, v.Items)
	require.Equal(t, c.SignOff, v.SignOff)
	require.Equal(t, c.Spec, v.Campaign.Spec)
	require.Equal(t, 8, v.Records)
	require.Equal(t, recert.Summary{
		Outcomes:    map[recert.Outcome]int{recert.Certified: 1, recert.Revoked: 2, recert.Gone: 1},
		NotReviewed: []int64{3, 4}, Exceptions: []recert.ExceptionOf{{Seq: 3, Exception: recert.ExceptionRegranted, Since: items[2].Since}},
		Effects: 2, Confirmed: 2, Slowest: 86_400_000_000, Others: 1, Late: 2, Recommended: map[recert.Recommend]int{}, Risks: map[recert.Risk]int{recert.RiskPHI: 4},
	}, v.Summary)

	events := a.log.Events()
	require.Len(t, events, 1, "who was given evidence is on record")
	require.Equal(t, recert.ActionEvidence, events[0].Action)
	require.Equal(t, b.Digest, events[0].Detail["digest"], "the log anchors the bundle")

	require.Equal(t, b, a.evidence(t, c.ID), "the same bytes each time")
	later := c
	later.Next, later.Told = time.Now(), nil
	require.NoError(t, a.store.Apply(t.Context(), recert.Write{Campaign: later, Expect: 1}))
	require.Equal(t, b, a.evidence(t, c.ID), "also after the next round began")
}

func TestEvidenceTable(t *testing.T) {
	t.Parallel()
	c, items := filed(t, nil)
	b := archived(t, c, items).evidence(t, c.ID)
	rows, err := csv.NewReader(bytes.NewReader(b.CSV)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 5, "a header, and every access, reviewed or not")
	at := map[string]int{}
	for n, name := range rows[0] {
		at[name] = n
	}
	require.Len(t, at, len(rows[0]), "a column twice")
	cell := func(row int, name string) string { return rows[row][at[name]] }
	require.Equal(t, "'=cmd|' /C calc'!A0", cell(2, "role"), "no formulas")
	require.Equal(t, "delegate ann>bob", cell(2, "steps"))
	require.Equal(t, []string{"", "g-8 g-9", ""}, []string{cell(1, "others"), cell(2, "others"), cell(4, "others")}, "denied, and not the last of it")
	require.Equal(t, "others", rows[0][len(rows[0])-1], "new columns come last")
	require.Equal(t, []string{"yes", "bob", "yes", "86400.000000"}, []string{cell(2, "reviewed"), cell(2, "decided_by"), cell(2, "denied"), cell(2, "seconds_to_effect")})
	require.Equal(t, []string{"no", "system:recert"}, []string{cell(3, "reviewed"), cell(3, "decided_by")})
	require.Equal(t, []string{"no", "gone"}, []string{cell(4, "reviewed"), cell(4, "outcome")})
	for _, row := range rows[1:] {
		for _, text := range row {
			require.False(t, text != "" && strings.ContainsAny(text[:1], "=+-@|%\t\r\n"), text)
		}
	}
}

// TestATableIsNoProgram: whatever separates cells where a table is opened, none begins like a formula.
func TestATableIsNoProgram(t *testing.T) {
	t.Parallel()
	texts := []string{"x;=1+1", "x; =1+1", `x;"=1+1"`, `"=1+1`, "a;-b;@c", " =1", "＝1", "plain, text", `a "word"`, "a=b"}
	c, items := filed(t, func(_ *recert.Campaign, items []recert.Item) {
		for n := range items {
			a := &items[n].Access
			a.Role, a.Why, a.Source = texts[n], texts[4+n], texts[8+n%2]
		}
	})
	b := archived(t, c, items).evidence(t, c.ID)
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b.CSV), "\r\n"), "\r\n") {
		require.True(t, strings.HasPrefix(line, `"`) && strings.HasSuffix(line, `"`), "all cells are quoted")
		for _, by := range []string{",", ";", "\t"} {
			for cell := range strings.SplitSeq(line, by) {
				cell = strings.TrimLeft(cell, "\" ")
				require.False(t, cell != "" && strings.ContainsAny(cell[:1], "=+-@|%") || strings.HasPrefix(cell, "＝"), cell)
			}
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(b.CSV)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 5)
	require.Equal(t, "x;'=1+1", rows[1][6])
}

func TestEvidenceOfAnOpenCampaign(t *testing.T) {
	t.Parallel()
	c, items := filed(t, func(c *recert.Campaign, items []recert.Item) {
		c.State = recert.Open
		items[3].State, items[3].Outcome = recert.ItemOpen, ""
	})
	b := archived(t, c, items).evidence(t, c.ID)
	v, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
	require.NoError(t, err)
	require.True(t, v.SignOff.IsZero(), "nobody has signed, and it says so")
	for _, change := range [][2]string{
		{`"subject":"s-1"`, `"subject":"s-7"`}, {`"tenant":"clinic","campaign"`, `"tenant":"other","campaign"`}, {`"role":"therapist"`, `"role":"janitor"`}, {`"phi":true`, `"admin":true`},
	} {
		records := recordsOf(b.JSON)
		require.Contains(t, records[2]+records[1], change[0])
		for n := 1; n <= 2; n++ {
			records[n] = strings.Replace(records[n], change[0], change[1], 1)
		}
		_, err = recert.VerifyBundle(strings.NewReader(chained(records...)))
		require.ErrorIs(t, err, recert.ErrBundle, "what was frozen: %s", change[0])
	}
}

// TestEvidenceOfWhatWasChanged: rows that somebody changed in the database are no evidence.
func TestEvidenceOfWhatWasChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *recert.Campaign, items []recert.Item){
		"a decision":         func(_ *recert.Campaign, items []recert.Item) { items[0].Decision.By = "mallory" },
		"an outcome":         func(_ *recert.Campaign, items []recert.Item) { items[2].Outcome = recert.Certified },
		"who had it":         func(_ *recert.Campaign, items []recert.Item) { items[1].Access.Subject = "mallory" },
		"a due date":         func(c *recert.Campaign, _ []recert.Item) { c.Due = c.Due.AddDate(0, 0, 1) },
		"the count":          func(c *recert.Campaign, _ []recert.Item) { c.Snapshot.Count = 3 },
		"what was signed":    func(c *recert.Campaign, _ []recert.Item) { c.SignOff.Digest = strings.Repeat("0", 64) },
		"who signed":         func(c *recert.Campaign, _ []recert.Item) { c.SignOff.By = "olga" },
		"when it was signed": func(c *recert.Campaign, _ []recert.Item) { c.SignOff.At = c.SignOff.At.AddDate(0, 0, -1) },
		"under which event":  func(c *recert.Campaign, _ []recert.Item) { c.SignOff.Event = "e-8" },
		"nobody signed it":   func(c *recert.Campaign, _ []recert.Item) { c.SignOff = recert.SignOff{} },
		"what came too late": func(c *recert.Campaign, _ []recert.Item) { c.Late.Count = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, items := filed(t, nil)
			change(&c, items)
			a := archived(t, c, items)
			_, err := a.Evidence(a.ctx, c.ID)
			require.ErrorIs(t, err, recert.ErrDamaged)
			require.Empty(t, a.log.Events())
		})
	}
}

func TestEvidenceIsClosedWithoutARecord(t *testing.T) {
	t.Parallel()
	c, items := filed(t, nil)
	a := archived(t, c, items)
	a.log.FailWith(errors.New("the disk is full"))
	b, err := a.Evidence(a.ctx, c.ID)
	require.ErrorIs(t, err, recert.ErrUnavailable)
	require.Empty(t, b.JSON, "nothing is handed out")
	require.Empty(t, b.CSV)
}

func TestWhoGetsEvidence(t *testing.T) {
	t.Parallel()
	c, items := filed(t, nil)
	a := archived(t, c, items)
	ann := audit.Actor{ID: "ann", Kind: audit.KindStaff, Tenant: c.Tenant, Assurance: audit.AAL2}
	for name, change := range map[string]func(*audit.Actor){
		"weakly": func(a *audit.Actor) { a.Assurance = audit.AAL1 }, "program": func(a *audit.Actor) { a.Kind = audit.KindService },
		"patient": func(a *audit.Actor) { a.Kind = audit.KindPatient }, "for somebody": func(a *audit.Actor) { a.OnBehalfOf = "bob" },
	} {
		who := ann
		change(&who)
		_, err := a.Evidence(audit.WithActor(t.Context(), who), c.ID)
		require.ErrorIs(t, err, recert.ErrActor, name)
	}
	ann.Tenant = "other"
	_, err := a.Evidence(audit.WithActor(t.Context(), ann), c.ID)
	require.ErrorIs(t, err, recert.ErrNotFound)
}

// chained writes records as a bundle, with a chain that fits them: what somebody can do who knows the
// format.
func chained(records ...string) string {
	last, out := sha256.Sum256([]byte("wardkit recert evidence v1\n")), ""
	for _, r := range records {
		last = sha256.Sum256(append(last[:], r...))
		out += `{"chain":"` + hex.EncodeToString(last[:]) + `","record":` + r + "}\n"
	}
	return out
}

// recordsOf are the records of a bundle.
func recordsOf(bundle []byte) (out []string) {
	for line := range strings.Lines(string(bundle)) {
		_, r, _ := strings.Cut(line, `,"record":`)
		out = append(out, strings.TrimSuffix(r, "}\n"))
	}
	return out
}

// TestRewrittenBundles: a chain that was made anew does not help where the records no longer fit.
func TestRewrittenBundles(t *testing.T) {
	t.Parallel()
	c, items := filed(t, nil)
	b := archived(t, c, items).evidence(t, c.ID)
	records := recordsOf(b.JSON)
	require.Equal(t, string(b.JSON), chained(records...))
	edit := func(n int, old, to string) []string {
		out := append([]string(nil), records...)
		require.Contains(t, out[n], old)
		out[n] = strings.Replace(out[n], old, to, 1)
		return out
	}
	drop := func(n int) []string { return append(append([]string(nil), records[:n]...), records[n+1:]...) }
	swapped := append([]string(nil), records...)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	for name, forged := range map[string][]string{
		"a decision":            edit(1, `"by":"bob"`, `"by":"eve"`),
		"the population":        edit(2, `"subject":"s-1"`, `"subject":"s-7"`),
		"the policy":            edit(0, `"policy":"p1"`, `"policy":"p2"`),
		"the count":             edit(0, `"count":4`, `"count":3`),
		"an item less":          drop(2),
		"the last item less":    drop(4),
		"items swapped":         swapped,
		"an item twice":         append(append(append([]string(nil), records[:2]...), records[1]), records[2:]...),
		"no head":               drop(0),
		"no summary":            drop(5),
		"no end":                drop(7),
		"no sign-off":           drop(6),
		"after the end":         append(append([]string(nil), records...), records[1]),
		"two sign-offs":         append(append(append([]string(nil), records[:7]...), records[6]), records[7]),
		"another signer":        edit(6, `"by":"ann"`, `"by":"eve"`),
		"another day":           edit(6, `"at":"2026-03-22`, `"at":"2026-03-02`),
		"another signature":     edit(6, `"digest":"`, `"digest":"0`),
		"nobody's signature":    edit(6, records[6], `{"kind":"sign_off","sign_off":{"by":"","at":"0001-01-01T00:00:00Z","event":"","digest":""}}`),
		"another table":         edit(7, `"csv":"`, `"csv":"0`),
		"another summary":       edit(5, `"late":2`, `"late":0`),
		"an unknown field":      edit(1, `{"kind":"item"`, `{"kind":"item","more":1`),
		"a field twice":         edit(1, `{"kind":"item"`, `{"kind":"item","kind":"item"`),
		"a space":               edit(1, `{"kind":"item"`, `{ "kind":"item"`),
		"another case":          edit(1, `"kind":"item"`, `"Kind":"item"`),
		"another tenant's item": edit(1, `"tenant":"clinic"`, `"tenant":"other"`),
		"another format":        edit(0, bundleFormat, "wardkit recert evidence v2"),
		"not by a program":      edit(0, `"generated_by":"system"`, `"generated_by":"bob"`),
		"an open head":          edit(0, `"version":0`, `"version":1`),
		"no record":             edit(1, records[1], `[]`),
		"nothing":               {},
	} {
		_, err := recert.VerifyBundle(strings.NewReader(chained(forged...)))
		var where *recert.BundleError
		require.ErrorAs(t, err, &where, name)
		require.ErrorIs(t, err, recert.ErrBundle)
	}
	fitting, others := filed(t, func(_ *recert.Campaign, items []recert.Item) {
		items[0].Reviewer, items[0].Decision.By = "mallory", "mallory"
	})
	other, err := recert.VerifyBundle(bytes.NewReader(archived(t, fitting, others).evidence(t, c.ID).JSON))
	require.NoError(t, err, "who writes all of it anew")
	require.NotEqual(t, b.Digest, other.Digest, "does not have the digest that the log knows")
	require.NotEqual(t, c.SignOff.Digest, other.SignOff.Digest)
}

const bundleFormat = "wardkit recert evidence v1"

// TestBundlesCutShort: wherever a bundle ends early, it is none.
func TestBundlesCutShort(t *testing.T) {
	t.Parallel()
	c, items := filed(t, nil)
	b := archived(t, c, items).evidence(t, c.ID)
	for n := range b.JSON {
		_, err := recert.VerifyBundle(bytes.NewReader(b.JSON[:n]))
		require.ErrorIs(t, err, recert.ErrBundle, "%d bytes", n)
	}
	v, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
	require.NoError(t, err)
	for n := range b.CSV {
		require.ErrorIs(t, v.VerifyTable(bytes.NewReader(b.CSV[:n])), recert.ErrBundle)
	}
	require.ErrorIs(t, v.VerifyTable(bytes.NewReader(append(b.CSV, ' '))), recert.ErrBundle)
}

// TestAFailingReaderIsNoVerdict: what could not be read is neither whole nor changed.
func TestAFailingReaderIsNoVerdict(t *testing.T) {
	t.Parallel()
	broken := errors.New("the cable was pulled")
	_, err := recert.VerifyBundle(failingReader{broken})
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, recert.ErrBundle)
	_, err = recert.VerifyBundle(strings.NewReader(strings.Repeat("x", 3<<20)))
	require.ErrorIs(t, err, recert.ErrBundle, "a line without an end")
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// FuzzBundle: any changed byte is an error, in the bundle and in the table.
func FuzzBundle(f *testing.F) {
	c, items := filed(f, nil)
	b := archived(f, c, items).evidence(f, c.ID)
	whole, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
	require.NoError(f, err)
	for n := 0; n < len(b.JSON); n += 37 {
		f.Add(n, byte(1), false)
	}
	f.Add(len(b.JSON)-1, byte('\n'^' '), true)
	f.Fuzz(func(t *testing.T, at int, change byte, table bool) {
		text := bytes.Clone(b.JSON)
		if table {
			text = bytes.Clone(b.CSV)
		}
		if at < 0 || at >= len(text) || change == 0 {
			return
		}
		text[at] ^= change
		if table {
			require.ErrorIs(t, whole.VerifyTable(bytes.NewReader(text)), recert.ErrBundle)
			return
		}
		_, err := recert.VerifyBundle(bytes.NewReader(text))
		require.ErrorIs(t, err, recert.ErrBundle)
	})
}

// FuzzVerifyBundle: whatever is read, it is the bundle that its own content makes, or an error.
func FuzzVerifyBundle(f *testing.F) {
	c, items := filed(f, nil)
	b := archived(f, c, items).evidence(f, c.ID)
	f.Add(string(b.JSON))
	for n, r := range recordsOf(b.JSON) {
		f.Add(chained(recordsOf(b.JSON)[:n]...) + r)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := recert.VerifyBundle(strings.NewReader(text))
		if err != nil {
			require.ErrorIs(t, err, recert.ErrBundle)
			return
		}
		require.Len(t, v.Items, v.Campaign.Snapshot.Count)
		require.NotEmpty(t, v.Digest)
	})
}
