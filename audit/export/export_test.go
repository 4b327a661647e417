package export_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const clinic audit.Tenant = "clinic"

var (
	noon  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	staff = audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: clinic, Session: "s-1"}
)

func key(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

type store interface {
	audit.Store
	tlog.Source
}

// house is a log of a few hundred events with trees and an exporter.
type house struct {
	events store
	trees  *tlog.Log
	rec    *audittest.Recorder
	x      *export.Exporter
	n      int
	now    time.Time
}

func newHouse(t testing.TB, events store) *house {
	t.Helper()
	h := &house{events: events, rec: audittest.NewRecorder(), now: noon}
	now := func() time.Time { return h.now }
	var err error
	h.trees, err = tlog.New(events, tlog.NewMemory(), "clinic.example.com/audit", key("log"), &tlog.Options{Now: now})
	require.NoError(t, err)
	h.x, err = export.New(events, h.trees, h.rec, "clinic.example.com/export", key("export"), &export.Options{Now: now})
	require.NoError(t, err)
	return h
}

// add records n events, and covers them.
func (h *house) add(t testing.TB, n int, change func(*audit.Event)) {
	t.Helper()
	for range n {
		at := noon.Add(time.Duration(h.n) * time.Second)
		e := audit.Event{
			ID: audit.NewID(at), Tenant: clinic, Recorded: at, Action: "patient.read", Verb: audit.Read, Purpose: "TREAT",
			Actor:    audit.Actor{ID: audit.ActorID(fmt.Sprint("u-", h.n%3)), Kind: audit.KindStaff, Tenant: clinic},
			Patients: []audit.Patient{audit.Patient(fmt.Sprint("p-", h.n%5))}, Objects: []audit.Object{{Type: "note", ID: fmt.Sprint("n-", h.n)}},
		}
		if change != nil {
			change(&e)
		}
		body, err := audit.Encode(e)
		require.NoError(t, err)
		h.n++
		require.NoError(t, h.events.Append(context.Background(), []audit.Entry{{
			Index: -1, Tenant: clinic, ID: e.ID, Recorded: at, Actor: e.Actor.ID, Action: e.Action, Outcome: e.Outcome, Patients: e.Patients,
			Objects: []audit.Ref{{Type: "note", ID: e.Objects[0].ID}}, Body: body, Leaf: audit.Leaf(body),
		}}))
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

func (h *house) keys() export.Keys {
	return export.Keys{Export: h.x.VerifierKey(), Log: h.trees.VerifierKey()}
}

// export exports, with somebody signed in.
func (h *house) export(t testing.TB, r export.Request) (file, manifest []byte) {
	t.Helper()
	var b bytes.Buffer
	r.Tenant = clinic
	manifest, err := h.x.Export(audit.WithActor(context.Background(), staff), &b, r)
	require.NoError(t, err)
	return b.Bytes(), manifest
}

func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		f(t, newHouse(t, audit.NewMemory()))
	})
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s, err := auditsql.SQLite(e.Pool)
		if e.Dialect == sqlkit.Postgres {
			s, err = auditsql.Postgres(e.Pool, make([]byte, 32))
		}
		require.NoError(t, err)
		require.NoError(t, s.Migrate(t.Context()))
		f(t, newHouse(t, s))
	})
}

// TestExportProvesItself: from the log to a file that somebody verifies without it, and the next
// file that begins where the first one ended.
func TestExportProvesItself(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.add(t, 300, nil)
		file, manifest := h.export(t, export.Request{})
		var told int64
		v, err := export.Verify(bytes.NewReader(file), manifest, h.keys(), func(n int64) { told = n })
		require.NoError(t, err)
		require.True(t, v.Whole)
		require.Equal(t, int64(300), v.Manifest.Count)
		require.Equal(t, int64(len(file)), told)
		require.Equal(t, int64(1), v.Checkpoint.Size)
		require.Equal(t, 300, bytes.Count(file, []byte("\n")))
		events := h.rec.Events()
		require.Len(t, events, 1)
		require.Equal(t, audit.ActionExportCreated, events[0].Action)
		require.Equal(t, staff.ID, events[0].Actor.ID)
		require.Equal(t, []audit.Object{{Type: "audit_export", ID: v.Manifest.ID}}, events[0].Objects)

		h.add(t, 41, nil)
		next, second := h.export(t, export.Request{From: v.Manifest.To})
		w, err := export.Verify(bytes.NewReader(next), second, h.keys(), nil)
		require.NoError(t, err)
		require.Equal(t, int64(41), w.Manifest.Count)
		require.Equal(t, v.Manifest.To, w.Manifest.From)
		_, err = h.x.Export(t.Context(), &bytes.Buffer{}, export.Request{Tenant: clinic, From: w.Manifest.To})
		require.ErrorIs(t, err, tlog.ErrUncovered, "nothing new")
		_, err = export.Verify(bytes.NewReader(file), second, h.keys(), nil)
		require.ErrorIs(t, err, export.ErrContent, "another export's manifest")
	})
}

// TestExportWithFilter: what a filter selects, the newest first, and what was selected is signed.
func TestExportWithFilter(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.add(t, 100, nil)
		file, manifest := h.export(t, export.Request{Filter: &export.Filter{
			Patient: "p-2", Actors: []audit.ActorID{"u-0", "u-1"}, Start: noon.Add(10 * time.Second), ResourceType: "note",
		}})
		v, err := export.Verify(bytes.NewReader(file), manifest, h.keys(), nil)
		require.NoError(t, err)
		require.False(t, v.Whole, "that nothing was left out only the exporter says")
		require.Equal(t, int64(12), v.Manifest.Count)
		require.Equal(t, audit.Patient("p-2"), v.Manifest.Filter.Patient)
		require.Equal(t, []audit.Patient{"p-2"}, h.rec.Events()[0].Patients)
		require.Contains(t, string(file[:20]), `{"index":97,`)

		empty, manifest := h.export(t, export.Request{Filter: &export.Filter{Patient: "p-99"}})
		require.Empty(t, empty)
		v, err = export.Verify(bytes.NewReader(empty), manifest, h.keys(), nil)
		require.NoError(t, err)
		require.Zero(t, v.Manifest.Count)
	})
}

// TestCSV: a table that a spreadsheet does not compute.
func TestCSV(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.add(t, 3, nil)
	evil := []string{"=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "plain, \"quoted\"", "|calc", "%0A"}
	for _, word := range evil {
		h.add(t, 1, func(e *audit.Event) {
			e.Client.App, e.Correlation.Request = word, word
			e.Actor.Roles = []string{"b", "a"}
			e.Detail = map[string]string{"k": word}
		})
	}
	file, manifest := h.export(t, export.Request{Encoder: export.CSV{}})
	v, err := export.Verify(bytes.NewReader(file), manifest, h.keys(), nil)
	require.NoError(t, err)
	require.False(t, v.Whole)
	require.Equal(t, "csv", v.Manifest.Format)
	require.Equal(t, bytes.Count(file, []byte("\n")), bytes.Count(file, []byte("\r\n")))
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+3+len(evil))
	app := 0
	for i, name := range rows[0] {
		if name == "app" {
			app = i
		}
	}
	for i, word := range evil {
		got := rows[4+i][app]
		require.Equal(t, word, strings.TrimPrefix(got, "'"))
		require.NotContains(t, "=+-@|%\t\r\n＝", string([]rune(got)[:1]), got)
	}
	for _, row := range rows {
		for _, cell := range row {
			require.NotRegexp(t, "^[=+\\-@\t\r]", cell)
		}
	}
	file[len(file)/2] ^= 1
	_, err = export.Verify(bytes.NewReader(file), manifest, h.keys(), nil)
	require.ErrorIs(t, err, export.ErrContent)
}

// TestEveryByteCounts: an export with a byte changed, cut, added, or lines in another order is none.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.add(t, 4, nil)
	h.add(t, 2, nil)
	file, manifest := h.export(t, export.Request{From: 1})
	check := func(file, manifest []byte) error {
		_, err := export.Verify(bytes.NewReader(file), manifest, h.keys(), nil)
		return err
	}
	require.NoError(t, check(file, manifest))
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1
		require.ErrorIs(t, check(bad, manifest), export.ErrContent, "byte %d", i)
		require.ErrorIs(t, check(file[:i], manifest), export.ErrContent, "cut at %d", i)
	}
	for i := range manifest {
		bad := bytes.Clone(manifest)
		bad[i] ^= 1
		require.Error(t, check(file, bad), "byte %d of the manifest", i)
	}
	lines := bytes.SplitAfter(file, []byte("\n"))
	swapped := bytes.Join([][]byte{lines[1], lines[0], lines[2], lines[3], lines[4]}, nil)
	require.ErrorIs(t, check(swapped, manifest), export.ErrContent)
	require.ErrorIs(t, check(append(bytes.Clone(file), lines[4]...), manifest), export.ErrContent)
	require.ErrorIs(t, check(append(bytes.Clone(file), 'x'), manifest), export.ErrContent)
	require.ErrorIs(t, check(bytes.Repeat([]byte("a"), 3<<20), manifest), export.ErrContent)
	_, err := export.Verify(bytes.NewReader(file), manifest, export.Keys{Export: h.trees.VerifierKey(), Log: h.trees.VerifierKey()}, nil)
	require.ErrorIs(t, err, export.ErrManifest)
	_, err = export.Verify(bytes.NewReader(file), manifest, export.Keys{Export: h.x.VerifierKey(), Log: h.x.VerifierKey()}, nil)
	require.ErrorIs(t, err, tlog.ErrCheckpoint)
}

// TestAnExporterThatLies: whoever has the exporter's key, but not the log's, cannot leave an event
// out of an export without a filter, nor put one in.
func TestAnExporterThatLies(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.add(t, 10, nil)
	forged := newHouse(t, audit.NewMemory())
	forged.add(t, 10, func(e *audit.Event) { e.Purpose = "HOPERAT" })
	file, _ := forged.export(t, export.Request{})
	real, signed := h.export(t, export.Request{})
	m, err := export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	lie := func(file []byte, change func(*export.Manifest)) error {
		c := m
		sums(&c, file)
		if change != nil {
			change(&c)
		}
		_, err := export.Verify(bytes.NewReader(file), resign(t, &c), h.keys(), nil)
		return err
	}
	require.NoError(t, lie(real, nil))
	require.ErrorIs(t, lie(file, nil), tlog.ErrProof, "other events")
	lines := bytes.SplitAfter(real, []byte("\n"))
	require.ErrorIs(t, lie(bytes.Join(lines[:9], nil), func(c *export.Manifest) { c.Count = 9 }), tlog.ErrProof, "the last one left out")
	for n := range 9 { // what the tree has not: the numbers of the lines
		before, after := fmt.Sprintf(`{"index":%d,`, n+1), fmt.Sprintf(`{"index":%d,`, n+2)
		require.ErrorIs(t, lie(bytes.Replace(real, []byte(before), []byte(after), 1), nil), export.ErrContent)
	}
	require.ErrorIs(t, lie(real, func(c *export.Manifest) { c.Count = 9 }), export.ErrContent)
	require.ErrorIs(t, lie(real, func(c *export.Manifest) { c.To = 9 }), export.ErrContent)
	require.ErrorIs(t, lie(real, func(c *export.Manifest) { c.Tenant = "other" }), export.ErrContent)
	require.ErrorIs(t, lie(real, func(c *export.Manifest) { c.Head.Size, c.To = 9, 9 }), tlog.ErrProof)
	require.ErrorIs(t, lie(real, func(c *export.Manifest) { c.Left = []tlog.Hash{{}} }), tlog.ErrProof)
}

// broken fails.
type broken struct {
	store
	after int  // events that are listed before it fails; -1 never
	alter bool // one event, with its hash
	torn  bool // one event, and not its hash
}

var errFault = errors.New("the disk is on fire")

func (b *broken) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		n := 0
		for e, err := range b.store.List(ctx, f, below, limit) {
			if n == b.after {
				yield(audit.Entry{}, errFault)
				return
			}
			if n++; b.alter && n == 2 {
				e.Body = bytes.Replace(e.Body, []byte("TREAT"), []byte("ETREA"), 1)
				e.Leaf = audit.Leaf(e.Body)
			}
			if b.torn && n == 2 {
				e.Body = bytes.Replace(e.Body, []byte("TREAT"), []byte("ETREA"), 1)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// pipe takes so many bytes.
type pipe struct{ room int }

func (p *pipe) Write(b []byte) (int, error) {
	if p.room -= len(b); p.room < 0 {
		return 0, errFault
	}
	return len(b), nil
}

// TestNoManifestWithoutAWholeExport: whatever fails, there is no manifest, and nothing is exported
// that was not recorded first.
func TestNoManifestWithoutAWholeExport(t *testing.T) {
	t.Parallel()
	memory := audit.NewMemory()
	b := &broken{store: memory, after: -1}
	h := newHouse(t, b)
	h.add(t, 2000, nil)
	ctx := audit.WithActor(t.Context(), staff)
	for _, r := range []export.Request{{Tenant: clinic}, {Tenant: clinic, Filter: &export.Filter{Patient: "p-1"}}} {
		for _, after := range []int{0, 1, 300} {
			b.after = after
			m, err := h.x.Export(ctx, &bytes.Buffer{}, r)
			require.ErrorIs(t, err, export.ErrUnavailable)
			require.Nil(t, m)
		}
		b.after = -1
		for _, room := range []int{0, 1, 70_000} {
			m, err := h.x.Export(ctx, &pipe{room}, r)
			require.ErrorIs(t, err, export.ErrWrite, room)
			require.Nil(t, m)
		}
	}
	var m []byte
	var err error
	b.alter = true
	for _, r := range []export.Request{{Tenant: clinic}, {Tenant: clinic, Filter: &export.Filter{Patient: "p-1"}}} {
		m, err = h.x.Export(ctx, &bytes.Buffer{}, r)
		require.ErrorIs(t, err, tlog.ErrAltered, "an event with its hash")
		require.ErrorIs(t, err, tlog.ErrTampered)
		require.Nil(t, m)
	}
	b.alter, b.torn = false, true
	for _, r := range []export.Request{{Tenant: clinic}, {Tenant: clinic, Filter: &export.Filter{Patient: "p-1"}}} {
		m, err = h.x.Export(ctx, &bytes.Buffer{}, r)
		require.ErrorIs(t, err, tlog.ErrAltered, "a store that does not look at what it reads")
		require.Nil(t, m)
	}
	b.torn = false

	h.rec.FailWith(errFault)
	var out bytes.Buffer
	m, err = h.x.Export(ctx, &out, export.Request{Tenant: clinic})
	require.ErrorIs(t, err, export.ErrUnavailable)
	require.Nil(t, m)
	require.Zero(t, out.Len(), "nothing leaves that was not recorded")
}

func TestRequests(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.add(t, 3, nil)
	for _, r := range []export.Request{
		{},
		{Tenant: clinic, From: -1},
		{Tenant: clinic, From: 1, Filter: &export.Filter{}},
		{Tenant: clinic, Filter: &export.Filter{ResourceID: "n-1"}},
		{Tenant: clinic, Filter: &export.Filter{Start: noon, End: noon.Add(-1)}},
		{Tenant: clinic, Filter: &export.Filter{Actors: make([]audit.ActorID, audit.MaxValues+1)}},
	} {
		_, err := h.x.Export(t.Context(), &bytes.Buffer{}, r)
		require.ErrorIs(t, err, export.ErrRequest)
	}
	_, err := h.x.Export(t.Context(), &bytes.Buffer{}, export.Request{Tenant: "other"})
	require.ErrorIs(t, err, tlog.ErrUncovered)
	require.Empty(t, h.rec.Events())

	_, err = export.New(nil, nil, nil, "a b", nil, nil)
	require.ErrorContains(t, err, "no source")
	require.ErrorContains(t, err, "key")
	_, err = export.New(h.events, h.trees, h.rec, "clinic.example.com/audit", key("log"), nil)
	require.ErrorContains(t, err, "of its own", "whoever signs manifests could sign checkpoints")
}

// TestManifestIsOneText: JSON that says the same in other words is no manifest.
func TestManifestIsOneText(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.add(t, 3, nil)
	_, signed := h.export(t, export.Request{})
	m, err := export.OpenManifest(signed, h.x.VerifierKey())
	require.NoError(t, err)
	text, err := json.Marshal(m)
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"another title":  "wardkit export v2\n" + string(text) + "\n",
		"spaces":         "wardkit export v1\n " + string(text) + "\n",
		"more":           "wardkit export v1\n" + string(text) + string(text) + "\n",
		"unknown field":  "wardkit export v1\n" + strings.Replace(string(text), "{", `{"more":1,`, 1) + "\n",
		"twice":          "wardkit export v1\n" + strings.Replace(string(text), "{", `{"count":9,`, 1) + "\n",
		"another origin": "wardkit export v1\n" + strings.Replace(string(text), "example.com/export", "example.com/exporx", 1) + "\n",
		"no JSON":        "wardkit export v1\n\n",
	} {
		_, err := export.OpenManifest(sign(t, bad), h.x.VerifierKey())
		require.ErrorIs(t, err, export.ErrManifest, name)
	}
}

// FuzzVerify: nothing but the very bytes that were exported is that export.
func FuzzVerify(f *testing.F) {
	h := newHouse(f, audit.NewMemory())
	h.add(f, 3, nil)
	file, manifest := h.export(f, export.Request{})
	f.Add(file)
	f.Add(file[:len(file)-1])
	f.Add(append(bytes.Clone(file), '\n'))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := export.Verify(bytes.NewReader(data), manifest, h.keys(), nil)
		if (err == nil) != bytes.Equal(data, file) {
			t.Fatal("an export that nobody made, or none of the one that somebody did")
		}
	})
}
