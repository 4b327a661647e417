package incident_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clinic = audit.Tenant("clinic")
	ada    = audit.ActorID("p-ada")  // the privacy officer
	ben    = audit.ActorID("p-ben")  // an administrator
	tess   = audit.ActorID("p-tess") // a therapist
	pat    = audit.ActorID("p-pat")  // a patient
)

var errBroken = errors.New("broken")

// words is a text that must not be found in clear.
const words = "I mailed the results of M. Example to the wrong address."

// wire is what every call to a part goes through: the n-th one fails, or is cut off after its effect.
type wire struct {
	mu    sync.Mutex
	calls int
	at    int // 0: never
	mode  string
}

func (w *wire) arm(at int, mode string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.at, w.mode = 0, at, mode
}

func (w *wire) hit() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at > 0 && w.calls >= w.at
}

func (w *wire) call(ctx context.Context, effect func() error) error {
	w.mu.Lock()
	w.calls++
	mode := ""
	if w.at == w.calls {
		mode = w.mode
	}
	w.mu.Unlock()
	switch mode {
	case "fails":
		return errBroken
	case "is cut off":
		if err := effect(); err != nil {
			return err
		}
		return errBroken // done, but nobody hears of it
	case "is cancelled":
		return context.Canceled
	}
	return effect()
}

type wired struct {
	incident.Store
	w *wire
}

func (s wired) Get(ctx context.Context, t audit.Tenant, id string) (r incident.Row, err error) {
	err = s.w.call(ctx, func() error { r, err = s.Store.Get(ctx, t, id); return err })
	return r, err
}

func (s wired) Apply(ctx context.Context, c incident.Change) (n int64, err error) {
	err = s.w.call(ctx, func() error { n, err = s.Store.Apply(ctx, c); return err })
	return n, err
}

func (s wired) List(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[incident.Row, error] {
	return through(ctx, s.w, s.Store.List(ctx, t, active, below))
}

func (s wired) Lines(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[incident.Line, error] {
	return through(ctx, s.w, s.Store.Lines(ctx, t, id, after))
}

func (s wired) People(ctx context.Context, t audit.Tenant, id string) iter.Seq2[incident.Person, error] {
	return through(ctx, s.w, s.Store.People(ctx, t, id))
}

func through[T any](ctx context.Context, w *wire, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := w.call(ctx, func() error { return nil }); err != nil {
			yield(zero, err)
			return
		}
		seq(yield)
	}
}

// sealer is AES-GCM, bound to tenant and label.
type sealer struct {
	aead cipher.AEAD
	w    *wire
}

func newSealer(t testing.TB, w *wire) sealer {
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	return sealer{aead, w}
}

func bound(t audit.Tenant, label string) []byte {
	if len(label) > 64 {
		panic("a label is too long")
	}
	return []byte(string(t) + "\x00" + label)
}

func (s sealer) Seal(ctx context.Context, t audit.Tenant, label string, plain []byte) (out []byte, err error) {
	err = s.w.call(ctx, func() error {
		out = s.aead.Seal(nil, nil, plain, bound(t, label))
		return nil
	})
	return out, err
}

func (s sealer) Unseal(ctx context.Context, t audit.Tenant, label string, sealed []byte) (out []byte, err error) {
	err = s.w.call(ctx, func() error { out, err = s.aead.Open(nil, nil, sealed, bound(t, label)); return err })
	return out, err
}

// house is a desk with parts that tests look into and break.
type house struct {
	t      testing.TB
	desk   *incident.Desk
	store  incident.Store
	events *audit.Memory
	log    *audit.Log
	wire   *wire
	law    incident.Law

	mu    sync.Mutex
	now   time.Time
	hits  map[string]int
	held  map[string]bool
	given []incident.Reminder
	holds error // what a hold answers
}

func newYork() *time.Location { l, _ := time.LoadLocation("America/New_York"); return l }

// monday is 9:00 in New York on 2026-03-02.
func monday() time.Time { return time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC) }

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{
		t: t, store: incident.NewMemory(), events: audit.NewMemory(), wire: &wire{}, now: monday(),
		hits: map[string]int{}, held: map[string]bool{}, law: incident.Law{Zone: newYork()},
	}
	log, err := audit.New(h.events, newSealer(t, &wire{}), &audit.Options{Now: h.Now})
	require.NoError(t, err)
	h.log, h.desk = log, h.another()
	return h
}

// another is one more server over the same store.
func (h *house) another() *incident.Desk {
	h.t.Helper()
	d, err := incident.New(h.parts(), &incident.Options{Now: h.Now})
	require.NoError(h.t, err)
	return d
}

func (h *house) parts() incident.Parts {
	return incident.Parts{
		Store: wired{h.store, h.wire}, Sealer: newSealer(h.t, h.wire), Recorder: h, Events: entries{h}, Limits: h, Holds: h, Notices: h,
		Law: func(ctx context.Context, _ audit.Tenant) (l incident.Law, err error) {
			err = h.wire.call(ctx, func() error { l = h.law; return nil })
			return l, err
		},
	}
}

func (h *house) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) Record(ctx context.Context, events ...audit.Event) error {
	return h.wire.call(ctx, func() error { return h.log.Record(ctx, events...) })
}

type entries struct{ h *house }

func (e entries) Get(ctx context.Context, t audit.Tenant, id string) (out audit.Entry, err error) {
	err = e.h.wire.call(ctx, func() error { out, err = e.h.events.Get(ctx, t, id); return err })
	return out, err
}

func (h *house) Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (n int, ends time.Time, err error) {
	err = h.wire.call(ctx, func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		start := now.Truncate(length)
		k := fmt.Sprint(t, key, start)
		h.hits[k]++
		n, ends = h.hits[k], start.Add(length)
		return nil
	})
	return n, ends, err
}

func (h *house) Place(ctx context.Context, t audit.Tenant, id string) error {
	return h.wire.call(ctx, func() error {
		if a, ok := audit.ActorFrom(ctx); !ok || a.Kind != audit.KindSystem || a.Tenant != t || len(id) > 64 {
			return errBroken
		}
		h.mu.Lock()
		_, known := h.held[string(t)+" "+id]
		over := known && !h.held[string(t)+" "+id]
		h.mu.Unlock()
		if over {
			return errBroken // a hold that was released is not placed again
		}
		return h.setHold(t, id, true)
	})
}

func (h *house) Release(ctx context.Context, t audit.Tenant, id string) error {
	return h.wire.call(ctx, func() error { return h.setHold(t, id, false) })
}

func (h *house) setHold(t audit.Tenant, id string, held bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holds != nil {
		return h.holds
	}
	h.held[string(t)+" "+id] = held
	return nil
}

// keeps reports whether a hold of the case is in place.
func (h *house) keeps(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, held := range h.held {
		if held && strings.HasPrefix(key, "clinic incident:"+id) {
			return true
		}
	}
	return false
}

func (h *house) Remind(ctx context.Context, r incident.Reminder) error {
	return h.wire.call(ctx, func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.given = append(h.given, r)
		return nil
	})
}

// as is the context of a member of staff with a second factor.
func (h *house) as(id audit.ActorID) context.Context {
	return audit.WithActor(h.t.Context(), audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2})
}

func (h *house) asPatient() context.Context {
	return audit.WithActor(h.t.Context(), audit.Actor{ID: pat, Kind: audit.KindPatient, Tenant: clinic, Assurance: audit.AAL1})
}

// report makes a case of a patient's report.
func (h *house) report() incident.Case {
	h.t.Helper()
	r, err := h.desk.Report(h.asPatient(), incident.Report{Kind: "wrong_recipient", Text: words})
	require.NoError(h.t, err)
	for c, err := range h.desk.List(h.as(ada), false, incident.Newest) {
		require.NoError(h.t, err)
		if c.Number == r.Number {
			return c
		}
	}
	h.t.Fatal("the case is not there")
	return incident.Case{}
}

func (h *house) triaged() incident.Case {
	h.t.Helper()
	c := h.report()
	return h.must(h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "wrong_recipient", PHI: incident.Yes, Owner: ada}))
}

func (h *house) started() incident.Case {
	h.t.Helper()
	c := h.triaged()
	return h.must(h.desk.Start(h.as(ada), c.ID, c.Version, ""))
}

// assessed is a case with a conclusion that two people agree to.
func (h *house) assessed(conclusion incident.Conclusion) incident.Case {
	h.t.Helper()
	c := h.started()
	a := lowProbability()
	a.Conclusion = conclusion
	c = h.must(h.desk.Assess(h.as(ada), c.ID, c.Version, a, ""))
	return h.must(h.desk.Sign(h.as(ben), c.ID, c.Version, true, ""))
}

func (h *house) must(c incident.Case, err error) incident.Case {
	h.t.Helper()
	require.NoError(h.t, err)
	return c
}

func (h *house) read(id string) incident.Case {
	h.t.Helper()
	return h.must(h.desk.Get(h.as(ada), id))
}

// recorded returns the events of an action, the oldest first.
func (h *house) recorded(a audit.Action) []audit.Stored {
	h.t.Helper()
	p, err := h.log.Query(h.t.Context(), audit.Query{Tenant: clinic, Actions: []audit.Action{a}, Limit: 500})
	require.NoError(h.t, err)
	out := make([]audit.Stored, 0, len(p.Events))
	for i := len(p.Events) - 1; i >= 0; i-- {
		out = append(out, p.Events[i])
	}
	return out
}

func lowProbability() incident.Assessment {
	low := incident.Answer{Rating: incident.Low, Why: "It came back unopened."}
	return incident.Assessment{
		Nature: incident.Answer{Rating: incident.High, Why: "Lab results with a name."}, Recipient: low, Acquired: low, Mitigated: low,
		Exception: incident.NotRetained, ExceptionWhy: "Returned unopened.", SecuredWhy: "AES-256, the key was elsewhere.",
		Conclusion: incident.LowProbability,
	}
}
