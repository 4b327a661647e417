package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
)

// years lets some events be recorded and covered in a year.
func (h *house) years(t testing.TB, year, n int) {
	t.Helper()
	h.now = time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC)
	var all []audit.Entry
	for range n {
		h.n++
		all = append(all, entry(t, clinic, audit.Event{
			Recorded: h.now.Add(time.Duration(h.n) * time.Second), Action: "patient.read", Verb: audit.Read,
			Actor: staff, Patients: []audit.Patient{audit.Patient(fmt.Sprint("p-", h.n%5))},
		}))
	}
	h.append(t, all)
}

func entry(t testing.TB, tenant audit.Tenant, e audit.Event) audit.Entry {
	t.Helper()
	e.ID = audit.NewID(e.Recorded)
	if e.Tenant == "" {
		e.Tenant = tenant
	}
	body, err := audit.Encode(e)
	require.NoError(t, err)
	return audit.Entry{
		Index: -1, Tenant: tenant, ID: e.ID, Recorded: e.Recorded, Actor: e.Actor.ID, Action: e.Action,
		Outcome: e.Outcome, Patients: e.Patients, Body: body, Leaf: audit.Leaf(body),
	}
}

// append makes events durable, in their place and covered.
func (h *house) append(t testing.TB, all []audit.Entry) {
	t.Helper()
	for len(all) > 0 {
		n := min(len(all), 500)
		require.NoError(t, h.events.Append(context.Background(), all[:n]))
		all = all[n:]
	}
	for {
		n, err := h.events.Sequence(context.Background(), 1000)
		require.NoError(t, err)
		if n == 0 {
			break
		}
	}
	_, err := h.trees.Integrate(context.Background())
	require.NoError(t, err)
}

// agree records a purge in 2024 and covers it; tenant is what it says inside.
func (h *house) agree(t testing.TB, tenant audit.Tenant, spans ...audit.Span) {
	t.Helper()
	h.now = time.Date(2024, 9, 1, 0, 0, h.n, 0, time.UTC)
	p := audit.Purge{ID: "plan-1", Spans: spans, Newest: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), Months: 72, By: [2]audit.ActorID{"u-1", "u-2"}}
	e, err := p.Event(tenant)
	require.NoError(t, err)
	e.Recorded, e.Actor = h.now, audit.System(tenant, "purge")
	h.append(t, []audit.Entry{entry(t, clinic, e)})
}

// destroy destroys events.
func (h *house) destroy(t testing.TB, spans ...audit.Span) {
	t.Helper()
	require.NoError(t, h.events.(audit.Purger).Purge(context.Background(), clinic, spans))
}

func span(from, to int64) audit.Span { return audit.Span{From: from, To: to} }

func (h *house) try(t testing.TB, r export.Request) ([]byte, error) {
	t.Helper()
	r.Tenant = clinic
	m, err := h.x.Export(audit.WithActor(context.Background(), staff), &bytes.Buffer{}, r)
	if err != nil {
		require.Nil(t, m)
	}
	return m, err
}

// verify verifies an export.
func (h *house) verify(file, manifest []byte) (export.Verified, error) {
	return export.Verify(bytes.NewReader(file), manifest, h.keys(), nil)
}

// TestExportOverPurges: what was purged is in an export as its hashes, and the lines prove all of it.
func TestExportOverPurges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		n := int64(3000)
		h.years(t, 2018, int(n))
		h.years(t, 2022, 20)
		purged := []audit.Span{span(0, 1500), span(1502, 1503), span(2040, 2060)}
		h.agree(t, clinic, purged...)
		h.destroy(t, purged...)
		file, manifest := h.export(t, export.Request{})
		v, err := h.verify(file, manifest)
		require.NoError(t, err)
		require.True(t, v.Whole)
		require.Equal(t, int64(1521), v.Manifest.Purged)
		require.Equal(t, int64(3021-1521), v.Manifest.Count)
		lines := bytes.SplitAfter(file, []byte("\n"))
		require.True(t, bytes.HasPrefix(lines[0], []byte(`{"index":0,"leaves":["`)))
		require.Less(t, len(lines), 1521)

		from, second := h.export(t, export.Request{From: 1503})
		v, err = h.verify(from, second)
		require.NoError(t, err)
		require.Equal(t, int64(20), v.Manifest.Purged, "in the midst")
		from, second = h.export(t, export.Request{From: 2060})
		v, err = h.verify(from, second)
		require.NoError(t, err)
		require.Zero(t, v.Manifest.Purged, "from the first kept event on there is nothing to say")
		require.NotContains(t, string(from), "leaves")

		table, third := h.export(t, export.Request{Encoder: export.CSV{}})
		v, err = h.verify(table, third)
		require.NoError(t, err)
		require.False(t, v.Whole)
		require.Equal(t, int64(1521), v.Manifest.Purged)
		require.Equal(t, 1500+1, bytes.Count(table, []byte("\n")))
		some, fourth := h.export(t, export.Request{Filter: &export.Filter{Patient: "p-2"}})
		v, err = h.verify(some, fourth)
		require.NoError(t, err)
		require.Zero(t, v.Manifest.Purged)

		for i := range lines { // nothing of it can be changed
			if !bytes.Contains(lines[i], []byte("leaves")) {
				continue
			}
			bad := bytes.Clone(file)
			bad[bytes.Index(file, lines[i])+len(lines[i])/2] ^= 1
			_, err = h.verify(bad, manifest)
			require.ErrorIs(t, err, export.ErrContent)
		}
	})
}

// TestNoExportOverAnUncoveredPurge: where nobody agreed, or the events are too young, there is no manifest.
func TestNoExportOverAnUncoveredPurge(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(t *testing.T, h *house){
		"nobody agreed":  func(t *testing.T, h *house) { h.destroy(t, span(0, 10)) },
		"one place more": func(t *testing.T, h *house) { h.agree(t, clinic, span(0, 10)); h.destroy(t, span(0, 11)) },
		"too young":      func(t *testing.T, h *house) { h.agree(t, clinic, span(50, 60)); h.destroy(t, span(50, 60)) },
		"of another tenant": func(t *testing.T, h *house) {
			h.agree(t, "other", span(0, 10))
			h.destroy(t, span(0, 10))
		},
		"the purge is purged": func(t *testing.T, h *house) {
			h.agree(t, clinic, span(0, 10))
			h.destroy(t, span(0, 10), span(100, 101))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, h *house) {
				h.years(t, 2018, 50)
				h.years(t, 2022, 50)
				attack(t, h)
				for _, e := range []export.Encoder{export.JSONLines{}, export.CSV{}} {
					_, err := h.try(t, export.Request{Encoder: e})
					require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
				}
			})
		})
	}
}

// TestHiddenContent: whoever has the exporter's key cannot leave out what an event says and put its hash
// there instead, unless a purge in the export allows it.
func TestHiddenContent(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.years(t, 2018, 10)
	h.agree(t, clinic, span(0, 3))
	file, signed := h.export(t, export.Request{})
	m, err := export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	lines := bytes.SplitAfter(file, []byte("\n"))
	leaves, err := h.events.Leaves(t.Context(), clinic, 0, 11)
	require.NoError(t, err)
	hide := func(from, to int64, change func(*export.Manifest)) error {
		bad := bytes.Join(lines[:from], nil)
		bad = export.JSONLines{}.AppendPurged(bad, from, leaves[from:to])
		bad = append(bad, bytes.Join(lines[to:], nil)...)
		c := m
		sums(&c, bad)
		c.Count, c.Purged = 11-(to-from), to-from
		if change != nil {
			change(&c)
		}
		_, err := export.Verify(bytes.NewReader(bad), resign(t, &c), h.keys(), nil)
		return err
	}
	require.NoError(t, hide(0, 3, nil), "which is what an export after the purge says")
	require.NoError(t, hide(1, 2, nil))
	require.ErrorIs(t, hide(0, 4, nil), tlog.ErrUncoveredPurge)
	require.ErrorIs(t, hide(5, 6, nil), tlog.ErrUncoveredPurge)
	require.ErrorIs(t, hide(10, 11, nil), tlog.ErrUncoveredPurge, "the purge itself")
	require.ErrorIs(t, hide(0, 3, func(c *export.Manifest) { c.Purged = 0 }), export.ErrContent)
	require.ErrorIs(t, hide(0, 3, func(c *export.Manifest) { c.Count = 11 }), export.ErrContent)
	require.ErrorIs(t, hide(0, 3, func(c *export.Manifest) { c.Head.At = c.Head.At.AddDate(-20, 0, 0) }), tlog.ErrProof)
	leaves[1][0] ^= 1
	require.ErrorIs(t, hide(0, 3, nil), tlog.ErrProof)

	filtered, signed := h.export(t, export.Request{Filter: &export.Filter{Patient: "p-2"}})
	m, err = export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	bad := export.JSONLines{}.AppendPurged(bytes.Clone(filtered), 0, leaves[:1])
	c := m
	sums(&c, bad)
	c.Count--
	_, err = h.verify(bad, resign(t, &c))
	require.ErrorIs(t, err, export.ErrContent, "a filter selects no hashes")
	m.Purged = 1
	_, err = h.verify(filtered, resign(t, &m))
	require.ErrorIs(t, err, export.ErrContent)
	table, signed := h.export(t, export.Request{Encoder: export.CSV{}})
	m, err = export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	for _, n := range []int64{1, -1} {
		m.Purged = n
		_, err = h.verify(table, resign(t, &m))
		require.ErrorIs(t, err, export.ErrContent)
	}
}

// TestAPurgeOfAnotherTenant: an event in the tree that says another tenant inside allows nothing.
func TestAPurgeOfAnotherTenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.years(t, 2018, 10)
	h.agree(t, "other", span(0, 3))
	file, signed := h.export(t, export.Request{})
	m, err := export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	leaves, err := h.events.Leaves(t.Context(), clinic, 0, 3)
	require.NoError(t, err)
	bad := append(export.JSONLines{}.AppendPurged(nil, 0, leaves), bytes.Join(bytes.SplitAfter(file, []byte("\n"))[3:], nil)...)
	sums(&m, bad)
	m.Count, m.Purged = 8, 3
	_, err = h.verify(bad, resign(t, &m))
	require.ErrorIs(t, err, tlog.ErrUncoveredPurge)

	table, signed := h.export(t, export.Request{Encoder: export.CSV{}, Filter: &export.Filter{Patient: "p-2"}})
	m, err = export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	m.Purged = 1
	_, err = h.verify(table, resign(t, &m))
	require.ErrorIs(t, err, export.ErrContent, "a filter selects no purged places")
}

// TestAnAgeThatIsOnlySaid: a purge in an export that was not due when the tree was signed allows nothing.
func TestAnAgeThatIsOnlySaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.years(t, 2018, 10)
	p := audit.Purge{ID: "plan-1", Spans: []audit.Span{span(0, 3)}, Newest: h.now, Months: 72, By: [2]audit.ActorID{"u-1", "u-2"}}
	e, err := p.Event(clinic)
	require.NoError(t, err)
	e.Recorded, e.Actor = h.now.AddDate(7, 0, 0), audit.System(clinic, "purge")
	h.append(t, []audit.Entry{entry(t, clinic, e)})
	file, signed := h.export(t, export.Request{})
	m, err := export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	leaves, err := h.events.Leaves(t.Context(), clinic, 0, 3)
	require.NoError(t, err)
	bad := append(export.JSONLines{}.AppendPurged(nil, 0, leaves), bytes.Join(bytes.SplitAfter(file, []byte("\n"))[3:], nil)...)
	sums(&m, bad)
	m.Count, m.Purged = 8, 3
	_, err = h.verify(bad, resign(t, &m))
	require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
}

// TestManifestsOfTheReleaseBefore: they say nothing of purges and are read as they are; saying that there are
// none is another text.
func TestManifestsOfTheReleaseBefore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.add(t, 3, nil)
	_, signed := h.export(t, export.Request{})
	require.NotContains(t, string(signed), "purged")
	m, err := export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	text, err := json.Marshal(m)
	require.NoError(t, err)
	none := strings.Replace(string(text), `"bytes":`, `"purged":0,"bytes":`, 1)
	_, err = export.OpenManifest(sign(t, "wardkit export v1\n"+none+"\n"), h.x.VerifierKey())
	require.ErrorIs(t, err, export.ErrManifest)
}

// purgeFaults fails or lies about purges.
type purgeFaults struct {
	*audit.Memory
	purged, leaves error
	spans          []audit.Span
	alter          bool
	most           int64 // hashes asked for at once
	list           func()
}

func (p *purgeFaults) Purged(ctx context.Context, t audit.Tenant, from, to int64) ([]audit.Span, error) {
	if p.spans != nil {
		return p.spans, nil
	}
	spans, err := p.Memory.Purged(ctx, t, from, to)
	if p.purged != nil {
		return nil, p.purged
	}
	return spans, err
}

func (p *purgeFaults) Leaves(ctx context.Context, t audit.Tenant, from, to int64) ([][32]byte, error) {
	leaves, err := p.Memory.Leaves(ctx, t, from, to)
	p.most = max(p.most, to-from)
	if p.alter {
		leaves[0][0] ^= 1
	}
	if p.leaves != nil {
		return nil, p.leaves
	}
	return leaves, err
}

func (p *purgeFaults) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if p.list != nil {
		then := p.list
		p.list = nil
		then()
	}
	return p.Memory.List(ctx, f, below, limit)
}

// TestPurgesFail: what cannot be read, or is not what was signed, gets no manifest.
func TestPurgesFail(t *testing.T) {
	t.Parallel()
	p := &purgeFaults{Memory: audit.NewMemory()}
	h := newHouse(t, p)
	h.years(t, 2018, 50)
	h.agree(t, clinic, span(0, 10))
	h.destroy(t, span(0, 10))
	for name, c := range map[string]struct {
		fault purgeFaults
		want  error
	}{
		"asking":         {purgeFaults{purged: errFault}, export.ErrUnavailable},
		"hashes":         {purgeFaults{leaves: errFault}, export.ErrUnavailable},
		"hashes gone":    {purgeFaults{leaves: audit.ErrDamaged}, tlog.ErrMissing},
		"another hash":   {purgeFaults{alter: true}, tlog.ErrAltered},
		"not ascending":  {purgeFaults{spans: []audit.Span{span(5, 6), span(1, 2)}}, export.ErrUnavailable},
		"more than said": {purgeFaults{spans: []audit.Span{span(0, 9)}}, tlog.ErrMissing},
		"less than said": {purgeFaults{spans: []audit.Span{span(0, 11)}}, tlog.ErrUncoveredPurge},
	} {
		c.fault.Memory = p.Memory
		was := *p
		*p = c.fault
		_, err := h.try(t, export.Request{})
		require.ErrorIs(t, err, c.want, name)
		*p = was
	}
	_, err := h.try(t, export.Request{})
	require.NoError(t, err)
}

// TestManyPurged: their hashes are read as they are written, never all at once.
func TestManyPurged(t *testing.T) {
	t.Parallel()
	p := &purgeFaults{Memory: audit.NewMemory()}
	h := newHouse(t, p)
	h.years(t, 2018, 9000)
	h.agree(t, clinic, span(0, 8999))
	h.destroy(t, span(0, 8999))
	p.most = 0
	file, manifest := h.export(t, export.Request{})
	require.Equal(t, int64(1024), p.most)
	v, err := h.verify(file, manifest)
	require.NoError(t, err)
	require.Equal(t, int64(8999), v.Manifest.Purged)
	require.Equal(t, 9+2, bytes.Count(file, []byte("\n")))
}

// TestAPurgeMeanwhile: an export in whose midst events are purged has no manifest; the next one has.
func TestAPurgeMeanwhile(t *testing.T) {
	t.Parallel()
	p := &purgeFaults{Memory: audit.NewMemory()}
	h := newHouse(t, p)
	h.years(t, 2018, 50)
	p.list = func() {
		h.agree(t, clinic, span(0, 10))
		h.destroy(t, span(0, 10))
	}
	_, err := h.try(t, export.Request{})
	require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
	file, manifest := h.export(t, export.Request{})
	_, err = h.verify(file, manifest)
	require.NoError(t, err)
}

// FuzzPurgedLine: a line of hashes is written in one way.
func FuzzPurgedLine(f *testing.F) {
	for _, n := range []int{1, 2, 1024, 1025} {
		f.Add(export.JSONLines{}.AppendPurged(nil, 12, make([][32]byte, n)))
	}
	f.Add([]byte(`{"index":1,"leaves":[]}` + "\n"))
	f.Add([]byte(`{"index":01,"leaves":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}` + "\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		from, leaves, ok := export.ParsePurged(line)
		if !ok {
			return
		}
		require.NotEmpty(t, leaves)
		require.LessOrEqual(t, len(leaves), 1024)
		var raw [][32]byte
		for _, l := range leaves {
			raw = append(raw, l)
		}
		require.Equal(t, string(line), string(export.JSONLines{}.AppendPurged(nil, from, raw)))
	})
}

// FuzzVerifyPurged: nothing but the very bytes that were exported over a purge is that export.
func FuzzVerifyPurged(f *testing.F) {
	h := newHouse(f, audit.NewMemory())
	h.years(f, 2018, 4)
	h.agree(f, clinic, span(0, 2))
	h.destroy(f, span(0, 2))
	file, manifest := h.export(f, export.Request{})
	f.Add(file)
	f.Add(bytes.Replace(file, []byte(`"leaves"`), []byte(`"event"`), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := h.verify(data, manifest); (err == nil) != bytes.Equal(data, file) {
			t.Fatal("an export that nobody made, or none of the one that somebody did")
		}
	})
}
