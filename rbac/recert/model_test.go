package recert_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
	"github.com/wardkit/wardkit/rbac/recert/recertsql"
)

// thing is an item in the plainest words.
type thing struct {
	who       audit.ActorID
	role      rbac.RoleName
	state     string // "open", "suspended", or how it was closed
	reviewer  audit.ActorID
	fallback  []audit.ActorID
	delegated bool
	resumed   bool
	has       bool // the access is there
	limited   bool
	due, hold time.Time
}

// walk takes random steps.
type walk struct {
	*house
	rnd    *rand.Rand
	id     string
	things []*thing // by Seq
	all    []*recert.Campaigns
	signed bool
	taken  map[string]int
	faults *faults
}

// TestModel takes random steps of random people on random servers, and compares after each what the
// model says with rows, grants and answers.
func TestModel(t *testing.T) {
	t.Parallel()
	seeds := uint64(80)
	if testing.Short() {
		seeds = 30
	}
	taken := map[string]int{}
	for seed := range seeds {
		model(t, seed, recert.NewMemory(), 60, taken)
	}
	for _, step := range []string{"certify", "revoke", "reduce", "limit", "delegate", "abstain", "resume", "tick", "leave", "sign", "refused", "suspended", "gone", "expired", "pass"} {
		require.NotZero(t, taken[step], "the model never took the step %q: %v", step, taken)
	}
}

// TestModelOnSQL does the same on the engines.
func TestModelOnSQL(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		start := recertsql.SQLite
		if e.Dialect == sqlkit.Postgres {
			start = recertsql.Postgres
		}
		s, err := start(e.Pool)
		require.NoError(t, err)
		require.NoError(t, s.Migrate(t.Context()))
		for seed := range uint64(2) {
			model(t, 1000+seed, s, 40, map[string]int{})
		}
	})
}

func model(t *testing.T, seed uint64, store recert.Store, steps int, taken map[string]int) {
	t.Helper()
	h := newHouse(t)
	h.staffed(t)
	h.give(t, "dirk", "desk")
	w := &walk{house: h, rnd: rand.New(rand.NewPCG(seed, 11)), taken: taken, faults: &faults{}}
	h.now = h.now.AddDate(0, 0, int(seed%1000)) // stores are shared by walks
	h.store = store
	h.parts.Store = faultyStore{store, w.faults}
	h.open(t)
	w.all = append(w.all, h.r)
	h.open(t)
	w.all = append(w.all, h.r)
	w.begin(t)
	for step := range steps {
		w.step(t)
		w.compare(t, fmt.Sprintf("seed %d, step %d", seed, step))
	}
}

func (w *walk) begin(t *testing.T) {
	c := w.start(t, spec())
	w.id = c.ID
	for _, i := range w.items(t, c.ID) {
		w.things = append(w.things, &thing{
			who: i.Access.Subject, role: rbac.RoleName(i.Access.Role), state: "open",
			reviewer: i.Reviewer, fallback: slices.Clone(i.Fallback), has: true, due: c.Due,
		})
	}
}

func (w *walk) anybody() audit.ActorID {
	people := []audit.ActorID{"adam", "ada", "olga", "tina", "theo", "dora", "dirk", "founder"}
	return people[w.rnd.IntN(len(people))]
}

func (w *walk) step(t *testing.T) {
	w.r = w.all[w.rnd.IntN(len(w.all))]
	n := w.rnd.IntN(len(w.things))
	seq, i := int64(n+1), w.things[n]
	by := i.reviewer
	if by == "" || w.rnd.IntN(4) == 0 {
		by = w.anybody()
	}
	if w.rnd.IntN(5) == 0 {
		w.faults.arm(1+w.rnd.IntN(6), w.rnd.IntN(2) == 0)
		defer w.faults.arm(0, false)
	}
	switch w.rnd.IntN(12) {
	case 0, 1:
		w.decide(t, "certify", by, seq, i, recert.Verdict{Do: recert.Certify, Why: words})
	case 2:
		w.decide(t, "revoke", by, seq, i, recert.Verdict{Do: recert.RevokeIt, Why: words})
	case 3:
		w.decide(t, "reduce", by, seq, i, recert.Verdict{Do: recert.Reduce, Reach: recert.Reach{Practices: []string{"south"}}, Why: words})
	case 4:
		w.decide(t, "limit", by, seq, i, recert.Verdict{Do: recert.CertifyUntil, Until: w.clock().AddDate(3, 0, 0), Why: words})
	case 5:
		w.delegate(t, by, seq, i)
	case 6:
		w.abstain(t, by, seq, i)
	case 7:
		w.resume(t, by, seq, i)
	case 8:
		w.leave(t, i)
	case 9:
		w.sign(t)
	default:
		w.faults.arm(0, false)
		w.days(w.rnd.IntN(12))
		w.tickAll(t)
	}
}

// excluded says who may not review at all.
func (i *thing) excluded(by audit.ActorID) bool {
	return by == i.who || by == "founder" && i.role == "admin"
}

func (w *walk) mutual(to audit.ActorID, i *thing) bool {
	return slices.ContainsFunc(w.things, func(o *thing) bool { return o != i && o.who == to && o.reviewer == i.who })
}

// decidable reports whether somebody can still decide.
func (w *walk) decidable(i *thing) bool {
	return !w.signed && (i.state == "open" || i.state == "suspended" && w.clock().Before(i.hold))
}

// orphans reports whether the clinic would be without an administrator.
func (w *walk) orphans(i *thing, end bool) bool {
	if i.role != "admin" || !i.has {
		return false
	}
	all, lasting, allAfter, lastingAfter := 0, 0, 0, 0
	for _, o := range w.things {
		if o.role != "admin" || !o.has {
			continue
		}
		all++
		if !o.limited {
			lasting++
		}
		if o != i || !end {
			allAfter++
		}
		if o != i && !o.limited {
			lastingAfter++
		}
	}
	return all > 0 && allAfter == 0 || lasting > 0 && lastingAfter == 0
}

// outcome is what came of a call: whether it counts as done. With a fault, what happened tells.
func (w *walk) outcome(t *testing.T, ok bool, err error, name string) bool {
	if w.faults.fired() && err != nil {
		return false
	}
	if !ok {
		require.Error(t, err, name)
		w.taken["refused"]++
		return false
	}
	require.NoError(t, err, name)
	w.taken[name]++
	return true
}

func (w *walk) decide(t *testing.T, name string, by audit.ActorID, seq int64, i *thing, v recert.Verdict) {
	ok := w.decidable(i) && by == i.reviewer && !i.excluded(by)
	switch name {
	case "revoke":
		ok = ok && !w.orphans(i, true)
	case "limit":
		ok = ok && !w.orphans(i, false)
	case "reduce":
		ok = ok && i.who == "tina"
	}
	ok = ok && (i.state != "open" || i.has || name == "revoke") // gone, and nobody has looked yet
	_, err := w.r.Decide(w.as(by), w.id, seq, v)
	if !w.outcome(t, ok, err, name) {
		return
	}
	was := i.state
	i.state = map[string]string{"certify": "certified", "revoke": "revoked", "reduce": "reduced", "limit": "limited"}[name]
	switch {
	case name == "revoke":
		i.has = false
	case was == "suspended":
		i.has = true
	}
	i.limited = i.limited || name == "limit"
	w.calm(t)
}

// calm carries out what a fault kept from being carried out.
func (w *walk) calm(t *testing.T) {
	if !w.faults.fired() {
		return
	}
	w.faults.arm(0, false)
	w.tickAll(t)
}

func (w *walk) delegate(t *testing.T, by audit.ActorID, seq int64, i *thing) {
	to := w.anybody()
	owner := by == "ada" && i.reviewer != by
	ok := w.decidable(i) && (by == i.reviewer || owner) && !i.excluded(by) && (owner || !i.delegated) && w.here(to) &&
		to != i.reviewer && !i.excluded(to) && !w.mutual(to, i)
	_, err := w.r.Decide(w.as(by), w.id, seq, recert.Verdict{Do: recert.Delegate, To: to, Why: words})
	if w.outcome(t, ok, err, "delegate") {
		i.reviewer, i.delegated = to, true
		i.fallback = slices.DeleteFunc(i.fallback, func(who audit.ActorID) bool { return who == to })
	}
}

func (w *walk) abstain(t *testing.T, by audit.ActorID, seq int64, i *thing) {
	ok := w.decidable(i) && by == i.reviewer && !i.excluded(by)
	_, err := w.r.Decide(w.as(by), w.id, seq, recert.Verdict{Do: recert.Abstain})
	if !w.outcome(t, ok, err, "abstain") {
		return
	}
	i.reviewer, i.delegated = "", false
	for len(i.fallback) > 0 && i.reviewer == "" {
		next := i.fallback[0]
		i.fallback = i.fallback[1:]
		if !i.excluded(next) && !w.mutual(next, i) {
			i.reviewer = next
		}
	}
}

func (w *walk) resume(t *testing.T, by audit.ActorID, seq int64, i *thing) {
	ok := !w.signed && i.state == "suspended" && w.clock().Before(i.hold) && !i.resumed && !i.excluded(by) &&
		(by == i.reviewer || (by == "ada" || slices.Contains(i.fallback, by)) && !w.mutual(by, i))
	_, err := w.r.Resume(w.as(by), w.id, seq, words)
	if w.outcome(t, ok, err, "resume") {
		i.state, i.resumed, i.has, i.due = "open", true, true, i.hold
		w.calm(t)
	}
}

// leave ends somebody's access behind the campaign's back.
func (w *walk) leave(t *testing.T, i *thing) {
	if i.role == "admin" || !i.has {
		return
	}
	grants, err := w.grants.Grants(context.Background(), clinic, i.who)
	require.NoError(t, err)
	require.Len(t, grants, 1)
	require.NoError(t, w.z.Revoke(audit.WithActor(t.Context(), audit.System(clinic, "setup")), i.who, grants[0].ID))
	i.has = false
	w.taken["leave"]++
}

func (w *walk) sign(t *testing.T) {
	ok := !w.signed && !slices.ContainsFunc(w.things, func(i *thing) bool { return i.state == "open" || i.state == "suspended" })
	_, err := w.r.SignOff(w.as("ada"), w.id, "")
	if w.outcome(t, ok, err, "sign") {
		w.signed = true
	}
}

// here reports whether somebody is there.
func (w *walk) here(who audit.ActorID) bool {
	return slices.ContainsFunc(w.things, func(i *thing) bool { return i.who == who && i.has })
}

// pass hands on what waits for somebody who is not there.
func (w *walk) pass() {
	now := w.clock()
	for _, i := range w.things {
		if i.state != "open" && (i.state != "suspended" || !now.Before(i.hold)) || w.here(i.reviewer) {
			continue
		}
		was := i.reviewer
		i.reviewer = ""
		for _, who := range i.fallback {
			if w.here(who) && !i.excluded(who) && !w.mutual(who, i) {
				i.reviewer, i.delegated = who, false
				w.taken["pass"]++
				break
			}
		}
		if was != "" {
			i.fallback, i.delegated = append(i.fallback, was), false
		}
		i.fallback = slices.DeleteFunc(i.fallback, func(who audit.ActorID) bool { return i.reviewer != "" && who == i.reviewer })
	}
}

// tickAll lets every server tick and the model do what is due.
func (w *walk) tickAll(t *testing.T) {
	now := w.clock()
	for _, r := range w.all {
		_, err := r.Tick(t.Context(), now)
		require.NoError(t, err)
	}
	w.taken["tick"]++
	if w.signed {
		return
	}
	for _, i := range w.things {
		if i.state == "open" && !i.has {
			i.state = "gone"
			w.taken["gone"]++
		}
	}
	w.pass()
	for _, i := range w.things {
		switch {
		case i.state == "open" && !now.Before(i.due) && !w.orphans(i, true):
			i.has = false
			if i.resumed {
				i.state = "revoked"
				w.taken["expired"]++
			} else {
				i.state, i.hold = "suspended", now.AddDate(0, 0, 10)
				w.taken["suspended"]++
			}
		case i.state == "suspended" && !now.Before(i.hold):
			i.state = "revoked"
			w.taken["expired"]++
		}
	}
	w.pass() // the second server
}

func (w *walk) compare(t *testing.T, where string) {
	t.Helper()
	w.faults.arm(0, false)
	c, err := w.store.Get(t.Context(), clinic, w.id)
	require.NoError(t, err)
	require.Equal(t, w.signed, c.State == recert.Signed, where)
	counts := recert.Counts{Exception: c.Counts.Exception}
	for n, i := range w.items(t, w.id) {
		m := w.things[n]
		state := string(i.State)
		if i.State == recert.ItemClosed {
			state = string(i.Outcome)
		}
		require.Equal(t, m.state, state, "%s: %s", where, m.who)
		require.Equal(t, m.reviewer, i.Reviewer, "%s: %s", where, m.who)
		require.Equal(t, m.has, w.holds(t, m.who, m.role), "%s: %s holds", where, m.who)
		switch i.State {
		case recert.ItemOpen:
			counts.Open++
		case recert.ItemSuspended:
			counts.Suspended++
		default:
			counts.Closed++
		}
	}
	require.Equal(t, counts, c.Counts, where)
}
