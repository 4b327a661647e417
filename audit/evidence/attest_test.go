package evidence_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/audit/evidence"
)

var errBroken = errors.New("broken")

// wire fails the n-th call of store and recorder: before its effect, or after it.
type wire struct {
	at, calls int
	after     bool
}

func (w *wire) call(effect func() error) error {
	w.calls++
	if w.calls != w.at {
		return effect()
	}
	if w.after {
		if err := effect(); err != nil {
			return err
		}
	}
	return errBroken
}

type wired struct {
	evidence.Store
	w *wire
}

func (s wired) Get(ctx context.Context, t audit.Tenant, id string) (k evidence.Kept, err error) {
	err = s.w.call(func() error { k, err = s.Store.Get(ctx, t, id); return err })
	return k, err
}

func (s wired) List(ctx context.Context, t audit.Tenant) iter.Seq2[evidence.Kept, error] {
	return func(yield func(evidence.Kept, error) bool) {
		if err := s.w.call(func() error { return nil }); err != nil {
			yield(evidence.Kept{}, err)
			return
		}
		s.Store.List(ctx, t)(yield)
	}
}

func (s wired) Apply(ctx context.Context, k evidence.Kept, expect int64) error {
	return s.w.call(func() error { return s.Store.Apply(ctx, k, expect) })
}

type recorder struct {
	*audittest.Recorder
	w *wire
}

func (r recorder) Record(ctx context.Context, events ...audit.Event) error {
	return r.w.call(func() error { return r.Recorder.Record(ctx, events...) })
}

// office is Attestations with everything around them.
type office struct {
	*evidence.Attestations
	store *evidence.Memory
	rec   *audittest.Recorder
	wire  *wire
	now   time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{store: evidence.NewMemory(), rec: audittest.NewRecorder(), wire: &wire{}, now: noon}
	var err error
	o.Attestations, err = evidence.NewAttestations(wired{o.store, o.wire}, recorder{o.rec, o.wire}, &evidence.AttestationOptions{
		Now:    func() time.Time { return o.now },
		Author: func(_ context.Context, a audit.Actor) (string, error) { return "Name of " + string(a.ID), nil },
	})
	require.NoError(t, err)
	return o
}

func as(t *testing.T, id audit.ActorID) context.Context {
	t.Helper()
	return audit.WithActor(t.Context(), audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: clinic, Session: "s"})
}

func training() evidence.Spoken {
	return evidence.Spoken{ID: "host.training", What: "Staff are trained each year.", Detail: "Lists are kept.", Expires: noon.AddDate(0, 6, 0), Citations: []string{"45 CFR 164.308(a)(5)"}}
}

func (o *office) controls(t *testing.T) []evidence.Control {
	t.Helper()
	list, err := o.Controls(t.Context(), clinic)
	require.NoError(t, err)
	return list
}

// TestAttest: who is signed in says it, it counts until its date, is renewed in the name of whoever
// renews it, and counts no more once it is withdrawn. Each of it is on record.
func TestAttest(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var _ evidence.Source = o.Attestations
	k, err := o.Attest(as(t, "dana"), training())
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("dana"), k.Person)
	require.Equal(t, int64(1), k.Version)
	c := o.controls(t)
	require.Len(t, c, 1)
	require.Equal(t, evidence.Attested, c[0].State)
	require.Equal(t, "Name of dana", c[0].By)
	require.Equal(t, noon, c[0].At)

	o.now = noon.AddDate(0, 6, 0)
	require.Equal(t, evidence.Expired, o.controls(t)[0].State)
	list, err := o.List(t.Context(), clinic)
	require.NoError(t, err)
	require.Len(t, list, 1, "what expired is still shown")

	again := training()
	again.Expires, again.Expect = o.now.AddDate(0, 6, 0), 1
	_, err = o.Attest(as(t, "omar"), again)
	require.NoError(t, err)
	c = o.controls(t)
	require.Equal(t, evidence.Attested, c[0].State)
	require.Equal(t, "Name of omar", c[0].By, "not in the name of who said it before")

	require.ErrorIs(t, o.Withdraw(as(t, "dana"), "host.training", 1), evidence.ErrConflict)
	require.NoError(t, o.Withdraw(as(t, "dana"), "host.training", 2))
	require.Empty(t, o.controls(t))
	require.ErrorIs(t, o.Withdraw(as(t, "dana"), "host.training", 3), evidence.ErrNotFound)
	require.ErrorIs(t, o.Withdraw(as(t, "dana"), "host.nothing", 0), evidence.ErrNotFound)
	again.Expect = 0
	k, err = o.Attest(as(t, "dana"), again)
	require.NoError(t, err, "anew")
	require.Equal(t, int64(4), k.Version)

	var seen []string
	for _, e := range o.rec.Events() {
		require.NoError(t, e.Validate())
		require.Equal(t, []audit.Object{{Type: "attestation", ID: "host.training"}}, e.Objects)
		why, _ := e.Why.Reveal()
		require.Contains(t, why, "Staff are trained")
		seen = append(seen, string(e.Action)+" "+string(e.Actor.ID))
	}
	require.Equal(t, []string{"evidence.attest dana", "evidence.attest omar", "evidence.withdraw dana", "evidence.attest dana"}, seen)
	other, err := o.Controls(t.Context(), "other")
	require.NoError(t, err)
	require.Empty(t, other)
}

// TestNobodyAttestsForAnother: no program, agent, job, patient or supporter, nobody who is not signed
// in, and there is no way to name somebody else.
func TestNobodyAttestsForAnother(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	actor := audit.Actor{ID: "dana", Kind: audit.KindStaff, Tenant: clinic}
	for name, change := range map[string]func(*audit.Actor){
		"for somebody": func(a *audit.Actor) { a.OnBehalfOf = "omar" },
		"service":      func(a *audit.Actor) { a.Kind = audit.KindService },
		"agent":        func(a *audit.Actor) { a.Kind = audit.KindAgent },
		"system":       func(a *audit.Actor) { a.Kind = audit.KindSystem },
		"patient":      func(a *audit.Actor) { a.Kind = audit.KindPatient },
		"proxy":        func(a *audit.Actor) { a.Kind = audit.KindProxy },
		"nobody":       func(a *audit.Actor) { a.ID = "" },
		"no tenant":    func(a *audit.Actor) { a.Tenant = "" },
	} {
		who := actor
		change(&who)
		ctx := audit.WithActor(t.Context(), who)
		_, err := o.Attest(ctx, training())
		require.ErrorIs(t, err, evidence.ErrNotAPerson, name)
		require.ErrorIs(t, o.Withdraw(ctx, "host.training", 1), evidence.ErrNotAPerson, name)
	}
	_, err := o.Attest(t.Context(), training())
	require.ErrorIs(t, err, evidence.ErrNotAPerson)
	require.Empty(t, o.rec.Events())
}

// TestAttestRefuses: what could pass for something checked, has no end or one too far off, or would
// not fit a page.
func TestAttestRefuses(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for name, change := range map[string]func(*evidence.Spoken){
		"checked":     func(s *evidence.Spoken) { s.ID = "authn.second_factor" },
		"prefix only": func(s *evidence.Spoken) { s.ID = "host." },
		"endless":     func(s *evidence.Spoken) { s.Expires = time.Time{} },
		"past":        func(s *evidence.Spoken) { s.Expires = noon },
		"too long":    func(s *evidence.Spoken) { s.Expires = noon.AddDate(1, 0, 2) },
		"wordless":    func(s *evidence.Spoken) { s.What = "  " },
		"wordy":       func(s *evidence.Spoken) { s.What = strings.Repeat("x", 301) },
		"detailed":    func(s *evidence.Spoken) { s.Detail = strings.Repeat("x", 2001) },
		"control":     func(s *evidence.Spoken) { s.What = "a\x1b[31m" },
		"not UTF-8":   func(s *evidence.Spoken) { s.Detail = "\xff" },
		"cited":       func(s *evidence.Spoken) { s.Citations = make([]string, 11) },
		"two lines":   func(s *evidence.Spoken) { s.Citations = []string{"a\nb"} },
	} {
		s := training()
		change(&s)
		_, err := o.Attest(as(t, "dana"), s)
		require.ErrorIs(t, err, evidence.ErrAttestation, name)
	}
	s := training()
	s.Expect = 3
	_, err := o.Attest(as(t, "dana"), s)
	require.ErrorIs(t, err, evidence.ErrConflict)
	_, err = o.Attest(as(t, "dana"), training())
	require.NoError(t, err)
	_, err = o.Attest(as(t, "omar"), training())
	require.ErrorIs(t, err, evidence.ErrConflict, "somebody said it already, in words that omar has not read")
	require.Len(t, o.rec.Events(), 1)
}

// TestAttestFaults: whichever call fails, before its effect or after it, nothing counts that is not
// on record, and what did not happen after all is said so.
func TestAttestFaults(t *testing.T) {
	t.Parallel()
	for _, withdraw := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for at := 1; ; at++ {
				o := newOffice(t)
				if withdraw {
					_, err := o.Attest(as(t, "dana"), training())
					require.NoError(t, err)
				}
				before := len(o.rec.Events())
				was := len(o.controls(t))
				*o.wire = wire{at: at, after: after}
				var err error
				if withdraw {
					err = o.Withdraw(as(t, "dana"), "host.training", 1)
				} else {
					_, err = o.Attest(as(t, "dana"), training())
				}
				reached := o.wire.calls >= at
				*o.wire = wire{}
				changed, events := len(o.controls(t)) != was, o.rec.Events()[before:]
				if !reached {
					require.NoError(t, err)
					require.True(t, changed)
					break
				}
				if changed {
					require.NotEmpty(t, events, "nothing counts that is not on record")
					require.Equal(t, audit.Success, events[len(events)-1].Outcome)
					require.NoError(t, err, "done, and it was found out")
					continue
				}
				require.ErrorIs(t, err, evidence.ErrUnavailable)
				if len(events) > 0 {
					last := events[len(events)-1]
					require.Equal(t, evidence.CodeNotApplied, last.Code, "call %d, after %t", at, after)
					require.Equal(t, audit.MajorFailure, last.Outcome)
				}
			}
		}
	}
	o := newOffice(t)
	*o.wire = wire{at: 1}
	_, err := o.List(t.Context(), clinic)
	require.ErrorIs(t, err, evidence.ErrUnavailable)
	*o.wire = wire{at: 1}
	p := evidence.Collect(t.Context(), clinic, noon, []evidence.Section{{Name: "Attested by people", From: o.Attestations}}, nil)
	require.Equal(t, []string{"evidence.unknown unknown"}, states(p))
}

// dumb is a store whose write does not answer, and which then cannot be read either.
type dumb struct{ evidence.Store }

func (d dumb) Apply(context.Context, evidence.Kept, int64) error { return errBroken }

// TestAttestUnconfirmed: where nobody can say what became of a write, that is on record.
func TestAttestUnconfirmed(t *testing.T) {
	t.Parallel()
	rec, w := audittest.NewRecorder(), &wire{at: 2}
	a, err := evidence.NewAttestations(wired{dumb{evidence.NewMemory()}, w}, rec, &evidence.AttestationOptions{Now: func() time.Time { return noon }})
	require.NoError(t, err)
	w.calls, w.at = 0, 3 // Get, Apply, and Get again
	_, err = a.Attest(as(t, "dana"), training())
	require.ErrorIs(t, err, evidence.ErrUnconfirmed)
	events := rec.Events()
	require.Equal(t, evidence.CodeUnconfirmed, events[len(events)-1].Code)
}

// TestAttestTwiceAtOnce: of two who say the same at once one is heard, and the other is told.
func TestAttestTwiceAtOnce(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	a, err := evidence.NewAttestations(evidence.NewMemory(), rec, &evidence.AttestationOptions{Now: func() time.Time { return noon }})
	require.NoError(t, err)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = a.Attest(as(t, "dana"), training()) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, evidence.ErrConflict)
	}
	require.Equal(t, 1, won)
	left := 0
	for _, e := range rec.Events() {
		if e.Outcome == audit.Success {
			left++
		} else {
			require.Equal(t, evidence.CodeNotApplied, e.Code)
			left--
		}
	}
	require.Equal(t, 1, left, "one stands")
}

func TestNewAttestationsRefuses(t *testing.T) {
	t.Parallel()
	_, err := evidence.NewAttestations(nil, audit.Discard{}, nil)
	require.Error(t, err)
	_, err = evidence.NewAttestations(evidence.NewMemory(), nil, nil)
	require.Error(t, err)
	_, err = evidence.NewAttestations(evidence.NewMemory(), audit.Discard{}, &evidence.AttestationOptions{Longest: 367 * 24 * time.Hour})
	require.Error(t, err)
	a, err := evidence.NewAttestations(evidence.NewMemory(), audit.Discard{}, nil)
	require.NoError(t, err)
	s := training()
	s.Expires = time.Now().AddDate(0, 1, 0)
	k, err := a.Attest(as(t, "dana"), s)
	require.NoError(t, err)
	require.Equal(t, "dana", k.By)
	nameless, err := evidence.NewAttestations(evidence.NewMemory(), audit.Discard{}, &evidence.AttestationOptions{
		Author: func(context.Context, audit.Actor) (string, error) { return "", errBroken },
	})
	require.NoError(t, err)
	_, err = nameless.Attest(as(t, "dana"), s)
	require.ErrorIs(t, err, evidence.ErrUnavailable)
}
