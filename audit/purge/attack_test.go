package purge_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/tlog"
)

var errFault = errors.New("fault")

func actor(edit func(a *audit.Actor)) context.Context {
	a := audit.Actor{ID: "p-diaz", Kind: audit.KindStaff, Tenant: clinic}
	edit(&a)
	return audit.WithActor(bg, a)
}

// Only a person of the staff decides, for themselves, and two of them.
func TestWhoDecides(t *testing.T) {
	t.Parallel()
	h := old(t, 10)
	p := h.propose(t)
	nobodies := map[string]context.Context{
		"nobody":                 bg,
		"no id":                  actor(func(a *audit.Actor) { a.ID = "" }),
		"a patient":              actor(func(a *audit.Actor) { a.Kind = audit.KindPatient }),
		"a proxy":                actor(func(a *audit.Actor) { a.Kind = audit.KindProxy }),
		"a service":              actor(func(a *audit.Actor) { a.Kind = audit.KindService }),
		"an agent":               actor(func(a *audit.Actor) { a.Kind = audit.KindAgent }),
		"a job":                  actor(func(a *audit.Actor) { a.Kind = audit.KindSystem }),
		"a stranger":             actor(func(a *audit.Actor) { a.Tenant = other }),
		"a delegate":             actor(func(a *audit.Actor) { a.OnBehalfOf = "p-lin" }),
		"in an emergency":        actor(func(a *audit.Actor) { a.Emergency = "g-1" }),
		"the same as a delegate": actor(func(a *audit.Actor) { a.ID, a.OnBehalfOf = "s-1", "p-ada" }),
	}
	for name, ctx := range nobodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := h.keeper.Propose(ctx, clinic, "")
			require.ErrorIs(t, err, purge.ErrPerson)
			_, err = h.keeper.Approve(ctx, clinic, p.ID, "")
			require.ErrorIs(t, err, purge.ErrPerson)
			_, err = h.keeper.Withdraw(ctx, clinic, p.ID, "")
			require.ErrorIs(t, err, purge.ErrPerson)
			_, err = h.keeper.Change(ctx, clinic, 90, 0, "")
			require.ErrorIs(t, err, purge.ErrPerson)
			_, err = h.keeper.Release(ctx, clinic, "h", "")
			require.ErrorIs(t, err, purge.ErrPerson)
		})
	}
	_, err := h.keeper.Approve(as(bg, "p-ada"), clinic, p.ID, "")
	require.ErrorIs(t, err, purge.ErrSamePerson)
	renamed := actor(func(a *audit.Actor) { a.ID, a.Device, a.Session = "p-ada", "another one", "another one" })
	_, err = h.keeper.Approve(renamed, clinic, p.ID, "")
	require.ErrorIs(t, err, purge.ErrSamePerson)
}

func TestAPlanIsAgreedToOnce(t *testing.T) {
	t.Parallel()
	h := old(t, 20)
	p := h.propose(t)
	_, err := h.keeper.Propose(as(bg, "p-lin"), clinic, "another")
	require.ErrorIs(t, err, purge.ErrOpen)
	_, err = h.keeper.Resume(bg, clinic, p.ID)
	require.ErrorIs(t, err, purge.ErrConflict, "one person is not enough")
	won := make(chan error, 8)
	for range 8 {
		go func() {
			_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
			won <- err
		}()
	}
	n := 0
	for range 8 {
		if err := <-won; err == nil {
			n++
		} else {
			require.ErrorIs(t, err, purge.ErrConflict)
		}
	}
	require.Equal(t, 1, n)
	_, err = h.keeper.Withdraw(as(bg, "p-lin"), clinic, p.ID, "")
	require.ErrorIs(t, err, purge.ErrConflict, "what was agreed to is stopped by a hold")
	_, err = h.keeper.Plan(bg, other, p.ID)
	require.ErrorIs(t, err, purge.ErrNotFound)
}

// Many servers carry out the same plan: the log says so once.
func TestResumedAtOnce(t *testing.T) {
	t.Parallel()
	h := old(t, 1100)
	p := h.propose(t)
	_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
	require.NoError(t, err)
	done := make(chan error, 6)
	for range 6 {
		go func() {
			_, err := h.keeper.Resume(bg, clinic, p.ID)
			done <- err
		}()
	}
	n := 0
	for range 6 {
		if err := <-done; err == nil {
			n++
		} else {
			require.ErrorIs(t, err, purge.ErrConflict)
		}
	}
	require.Positive(t, n)
	require.Equal(t, 3, h.reads(t))
	require.Equal(t, 1, h.actions(t)[audit.ActionPurgeExecuted])
}

// between runs something once, just before the events about plans are read.
type between struct {
	purge.Source
	once sync.Once
	do   func()
}

func (b *between) List(ctx context.Context, f audit.Filter, before int64, limit int) iter.Seq2[audit.Entry, error] {
	if f.ObjectType == audit.PurgeObject {
		b.once.Do(b.do)
	}
	return b.Source.List(ctx, f, before, limit)
}

// Another server carries a plan out while this one is between the heads and the events.
func TestResumedBetweenReads(t *testing.T) {
	t.Parallel()
	h := old(t, 20)
	p := h.propose(t)
	_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
	require.NoError(t, err)
	first := h.keeper
	h.src = &between{Source: h.events, do: func() {
		_, err := first.Resume(bg, clinic, p.ID)
		require.NoError(t, err)
	}}
	require.NoError(t, h.keep())
	_, err = h.keeper.Resume(bg, clinic, p.ID)
	require.ErrorIs(t, err, purge.ErrConflict)
	p, err = first.Plan(bg, clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, purge.Destroyed, p.State)
	require.Equal(t, 1, h.actions(t)[audit.ActionPurgeExecuted])
}

func TestPlansExpire(t *testing.T) {
	t.Parallel()
	h := old(t, 10)
	p := h.propose(t)
	h.clock.pass(31 * day)
	_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
	require.ErrorIs(t, err, purge.ErrExpired)
	_, err = h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
	require.ErrorIs(t, err, purge.ErrConflict)
	p = h.propose(t)
	_, err = h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
	require.NoError(t, err)
	h.clock.pass(31 * day)
	_, err = h.keeper.Resume(bg, clinic, p.ID)
	require.ErrorIs(t, err, purge.ErrExpired)
	require.Equal(t, 13, h.reads(t))
	p = h.propose(t)
	h.clock.pass(31 * day)
	again := h.propose(t)
	p, err = h.keeper.Plan(bg, clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, purge.Expired, p.State, "a proposal that nobody answered makes room for the next")
	_, err = h.keeper.Withdraw(as(bg, "p-lin"), clinic, again.ID, "not now")
	require.NoError(t, err)
	h.purge(t)
}

// Whoever owns the plans' rows cannot make two people agree.
func TestARowIsNoAgreement(t *testing.T) {
	t.Parallel()
	forge := func(t *testing.T, edit func(p *purge.Plan)) error {
		h := old(t, 30)
		h.place(t, purge.Hold{Patient: "m-4"})
		p := h.propose(t)
		if _, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, ""); err != nil {
			return err
		}
		p, err := h.keeper.Plan(bg, clinic, p.ID)
		require.NoError(t, err)
		edit(&p)
		require.NoError(t, h.rows.PutPlan(bg, p))
		h.clock.pass(time.Hour) // what was recorded has its place by now
		_, err = h.keeper.Resume(bg, clinic, p.ID)
		if err != nil {
			require.Equal(t, 33, h.reads(t), "nothing is destroyed")
			require.Zero(t, h.actions(t)[audit.ActionPurgeExecuted])
		}
		return err
	}
	require.NoError(t, forge(t, func(*purge.Plan) {}))
	for name, edit := range map[string]func(p *purge.Plan){
		"another approver": func(p *purge.Plan) { p.ApprovedBy = "p-lin" },
		"another proposer": func(p *purge.Plan) { p.ProposedBy = "p-lin" },
		"one person":       func(p *purge.Plan) { p.ApprovedBy = p.ProposedBy },
		"more places":      func(p *purge.Plan) { p.Spans[len(p.Spans)-1].To++; p.Count++ },
		"other places":     func(p *purge.Plan) { p.Spans[0].From++; p.Count-- },
		"another period":   func(p *purge.Plan) { p.Months = 72 },
		"another bundle":   func(p *purge.Plan) { p.Export[0]++ },
		"later":            func(p *purge.Plan) { p.Expires = p.Expires.Add(time.Hour) },
		"no places":        func(p *purge.Plan) { p.Spans = nil },
		"spans that meet":  func(p *purge.Plan) { p.Spans = []audit.Span{{From: 0, To: 1}, {From: 1, To: 25}} },
		"recorded already": func(p *purge.Plan) { p.State = purge.Recorded },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := forge(t, edit)
			require.True(t, errors.Is(err, purge.ErrPlan) || errors.Is(err, tlog.ErrMissing), "%v", err)
		})
	}
}

// A proposal that somebody else's row turns into an approved plan is none.
func TestNobodyAgreed(t *testing.T) {
	t.Parallel()
	h := old(t, 10)
	p := h.propose(t)
	p.State, p.Approved, p.ApprovedBy = purge.Approved, noon.Add(time.Hour), "p-diaz"
	require.NoError(t, h.rows.PutPlan(bg, p))
	_, err := h.keeper.Resume(bg, clinic, p.ID)
	require.ErrorIs(t, err, purge.ErrPending, "it may be that the log is slow")
	require.Equal(t, 13, h.reads(t))
	h.clock.pass(2 * time.Hour)
	_, err = h.keeper.Resume(bg, clinic, p.ID)
	require.ErrorIs(t, err, purge.ErrPlan)
	require.Equal(t, 13, h.reads(t))
}

// liar answers other events than there are.
type liar struct {
	purge.Source
	edit func(e *audit.Entry) bool // false: not there
}

func (l *liar) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range l.Source.List(ctx, f, below, limit) {
			if err == nil && !l.edit(&e) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// A log that is not what was signed is not purged: that would destroy what shows it.
func TestTamperedLogsAreKept(t *testing.T) {
	t.Parallel()
	rewrite := func(e *audit.Entry) bool {
		if e.Index != 7 {
			return true
		}
		event, err := audit.Decode(e.Body)
		if err != nil {
			panic(err)
		}
		event.Patients = []audit.Patient{"m-77"}
		if e.Body, err = audit.Encode(event); err != nil {
			panic(err)
		}
		e.Leaf = audit.Leaf(e.Body)
		return true
	}
	for name, edit := range map[string]func(e *audit.Entry) bool{
		"another body":     rewrite,
		"another leaf":     func(e *audit.Entry) bool { e.Leaf[0] ^= 1; return true },
		"older than it is": func(e *audit.Entry) bool { e.Recorded = e.Recorded.AddDate(-20, 0, 0); return true },
		"no event":         func(e *audit.Entry) bool { e.Body = []byte("{}"); return true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := old(t, 20)
			h.src = &liar{h.events, edit}
			require.NoError(t, h.keep())
			_, err := h.keeper.Propose(as(bg, "p-ada"), clinic, "")
			require.ErrorIs(t, err, tlog.ErrTampered)
			require.Equal(t, 23, h.reads(t))
		})
	}
	t.Run("after the approval", func(t *testing.T) {
		t.Parallel()
		h := old(t, 20)
		p := h.propose(t)
		_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
		require.NoError(t, err)
		h.src = &liar{h.events, rewrite}
		require.NoError(t, h.keep())
		_, err = h.keeper.Resume(bg, clinic, p.ID)
		require.ErrorIs(t, err, tlog.ErrTampered)
		require.Equal(t, 23, h.reads(t))
	})
}

// A body that is missing without a purge that says so stops the next one.
func TestSomebodyElsePurged(t *testing.T) {
	t.Parallel()
	h := old(t, 20)
	require.NoError(t, h.events.Purge(bg, clinic, []audit.Span{{From: 3, To: 5}}))
	_, err := h.keeper.Propose(as(bg, "p-ada"), clinic, "")
	require.ErrorIs(t, err, tlog.ErrMissing)

	h = old(t, 20)
	p := h.propose(t)
	_, err = h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
	require.NoError(t, err)
	require.NoError(t, h.events.Purge(bg, clinic, []audit.Span{{From: 3, To: 5}}))
	_, err = h.keeper.Resume(bg, clinic, p.ID)
	require.ErrorIs(t, err, tlog.ErrMissing)
	require.Equal(t, 21, h.reads(t))
}

// Without its bundle nothing goes.
func TestBundlesThatAreNotThere(t *testing.T) {
	t.Parallel()
	spoil := map[string]func(t *testing.T, events, manifest string){
		"gone":        func(t *testing.T, events, _ string) { require.NoError(t, os.Remove(events)) },
		"no manifest": func(t *testing.T, _, manifest string) { require.NoError(t, os.Remove(manifest)) },
		"shorter":     func(t *testing.T, events, _ string) { require.NoError(t, os.Truncate(events, 500)) },
		"another manifest": func(t *testing.T, _, manifest string) {
			require.NoError(t, os.WriteFile(manifest, []byte("other"), 0o600))
		},
		"changed": func(t *testing.T, events, _ string) {
			b, err := os.ReadFile(events)
			require.NoError(t, err)
			b[100] ^= 1
			require.NoError(t, os.WriteFile(events, b, 0o600))
		},
	}
	for name, f := range spoil {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := old(t, 20)
			p := h.propose(t)
			folder := h.bundles.(*purge.Folder).Path()
			events, err := filepath.Glob(filepath.Join(folder, "*"+p.ID+".jsonl"))
			require.NoError(t, err)
			require.Len(t, events, 1)
			manifests, err := filepath.Glob(filepath.Join(folder, "*"+p.ID+".manifest"))
			require.NoError(t, err)
			require.Len(t, manifests, 1)
			f(t, events[0], manifests[0])
			_, err = h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
			require.ErrorIs(t, err, purge.ErrBundle)
			require.NotContains(t, err.Error(), p.ID)
			require.Equal(t, 23, h.reads(t))
		})
	}
}

// Nothing that was not recorded happens, and an event that is not covered destroys nothing.
func TestPending(t *testing.T) {
	t.Parallel()
	h := old(t, 20)
	p := h.propose(t)
	_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
	require.NoError(t, err)
	good := h.src
	h.src = &liar{h.events, func(e *audit.Entry) bool { return e.Action != audit.ActionPurgeExecuted }} // has no place yet
	require.NoError(t, h.keep())
	_, err = h.keeper.Resume(bg, clinic, p.ID)
	require.ErrorIs(t, err, purge.ErrPending)
	require.Equal(t, 23, h.reads(t))
	h.src = good
	require.NoError(t, h.keep())
	p, err = h.keeper.Resume(bg, clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, purge.Destroyed, p.State)
	require.Equal(t, 1, h.actions(t)[audit.ActionPurgeExecuted])
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := purge.New(purge.Parts{}, &purge.Options{Wait: time.Hour, Expiry: 1, Most: -1, Every: 2 * time.Hour})
	require.ErrorContains(t, err, "part")
	for _, word := range []string{"Wait", "Expiry", "Most", "Every"} {
		require.ErrorContains(t, err, word)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	f := purge.NewFolder(filepath.Join(t.TempDir(), "new"))
	for _, plan := range []string{"", "../../etc/passwd", "a/b", "A", "x.y"} {
		_, err := f.Create(bg, clinic, plan)
		require.ErrorIs(t, err, purge.ErrBundle)
		_, _, err = f.Open(bg, clinic, plan)
		require.ErrorIs(t, err, purge.ErrBundle)
	}
	d, err := f.Create(bg, "../clinic", "p-1")
	require.NoError(t, err)
	_, err = d.Write([]byte("events"))
	require.NoError(t, err)
	_, _, err = f.Open(bg, "../clinic", "p-1")
	require.ErrorIs(t, err, purge.ErrBundle, "a draft is no bundle")
	_, err = f.Create(bg, "../clinic", "p-1")
	require.Error(t, err, "nobody writes into somebody's draft")
	require.NoError(t, d.Commit(bg, []byte("manifest")))
	require.NoError(t, d.Discard(), "after Commit it does nothing")
	events, manifest, err := f.Open(bg, "../clinic", "p-1")
	require.NoError(t, err)
	require.NoError(t, events.Close())
	require.Equal(t, "manifest", string(manifest))
	_, _, err = f.Open(bg, other, "p-1")
	require.ErrorIs(t, err, purge.ErrBundle, "another tenant's")
	d, err = f.Create(bg, clinic, "p-2")
	require.NoError(t, err)
	require.NoError(t, d.Discard())
	files, err := os.ReadDir(f.Path())
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		}
	}
}

// A process that has just begun knows of no tree yet; that is no reason to close a plan.
func TestAFreshProcess(t *testing.T) {
	t.Parallel()
	h := old(t, 10)
	p := h.propose(t)
	h.build(t)
	seen, err := h.keeper.Preview(bg, clinic)
	require.NoError(t, err)
	require.EqualValues(t, 10, seen.Count)
	h.build(t)
	_, err = h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
	require.NoError(t, err)
	h.build(t)
	_, err = h.keeper.Resume(bg, clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, 3, h.reads(t))
}
