package review_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
)

const clinic audit.Tenant = "clinic"

// monday is when the tests begin: nine in the morning on a working day.
var monday = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// house is a tenant with a log, and a review of it.
type house struct {
	t      testing.TB
	events *audit.Memory
	log    *audit.Log
	store  *review.Memory
	at     time.Time
	r      *review.Reviewer
	ties   *ties
	n      int
}

func newHouse(t testing.TB, with ...func(*review.Options)) *house {
	h := &house{t: t, events: audit.NewMemory(), store: review.NewMemory(), at: monday, ties: &ties{of: map[review.Pair]review.Tie{}}}
	h.reset()
	o := &review.Options{Ties: h.ties, Past: 3660 * 24 * time.Hour, Now: func() time.Time { return h.at }}
	for _, f := range with {
		f(o)
	}
	h.r = h.reviewer(o)
	return h
}

// reset opens the log anew, so that its clock may go back.
func (h *house) reset() {
	log, err := audit.New(h.events, sealer{}, &audit.Options{Now: func() time.Time { return h.at }})
	require.NoError(h.t, err)
	h.log = log
}

func (h *house) reviewer(o *review.Options) *review.Reviewer {
	r, err := review.New(h.events, h.store, h.log, sealer{}, o)
	require.NoError(h.t, err)
	return r
}

func staff(id audit.ActorID) audit.Actor {
	return audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: clinic}
}

// as is a context in which a person of the staff acts.
func (h *house) as(id audit.ActorID) context.Context {
	return audit.WithActor(h.t.Context(), staff(id))
}

// record records an event now.
func (h *house) record(e audit.Event) string {
	h.n++
	e.ID = fmt.Sprintf("00000000-0000-7000-8000-%012d", h.n)
	e.Tenant = clinic
	if e.Verb == "" {
		e.Verb = audit.Read
	}
	require.NoError(h.t, h.log.Record(h.t.Context(), e))
	return e.ID
}

// looks has somebody open the record of a patient.
func (h *house) looks(id audit.ActorID, patients ...audit.Patient) string {
	return h.record(audit.Event{Action: "patient.read", Actor: staff(id), Patients: patients})
}

func (h *house) refused(a audit.Actor, o ...audit.Object) string {
	return h.record(audit.Event{Action: "patient.read", Actor: a, Outcome: audit.Failure, Code: "denied", Objects: o})
}

// workday goes on to nine o'clock of the next working day.
func (h *house) workday() {
	y, m, d := h.at.Date()
	h.at = time.Date(y, m, d+1, 9, 0, 0, 0, time.UTC)
	for h.at.Weekday() == time.Saturday || h.at.Weekday() == time.Sunday {
		h.at = h.at.AddDate(0, 0, 1)
	}
}

// works has somebody see n patients of theirs on each of some days.
func (h *house) works(id audit.ActorID, days, n int) {
	for range days {
		for i := range n {
			h.at = h.at.Add(10 * time.Minute)
			h.looks(id, patient(id, i))
		}
		h.workday()
	}
}

// patient is one whom a person cares for.
func patient(of audit.ActorID, i int) audit.Patient {
	// No order that a rule would see.
	return audit.Patient(fmt.Sprintf("p-%x-%s", (i*7919+13)%257, of))
}

func (h *house) tick() { require.NoError(h.t, h.r.Tick(h.t.Context())) }

// found ticks and returns the findings of a rule, oldest first.
func (h *house) found(rule review.Name) []review.Finding {
	h.tick()
	return slices.DeleteFunc(findings(h.t, h.r), func(f review.Finding) bool { return f.Rule != rule })
}

// findings returns all of them, oldest first.
func findings(t testing.TB, r *review.Reviewer) (all []review.Finding) {
	for q := (review.Query{Limit: 7}); ; {
		p, err := r.Findings(t.Context(), clinic, q)
		require.NoError(t, err)
		all = append(all, p.Findings...)
		if q.Cursor = p.Next; q.Cursor == "" {
			slices.Reverse(all)
			return all
		}
	}
}

// one returns the only finding of a rule.
func (h *house) one(rule review.Name) review.Finding {
	all := h.found(rule)
	require.Len(h.t, all, 1, "%s", rule)
	return all[0]
}

// recorded returns the events of an action, oldest first.
func (h *house) recorded(actions ...audit.Action) []audit.Event {
	page, err := h.log.Query(h.t.Context(), audit.Query{Tenant: clinic, Actions: actions, Limit: 500})
	require.NoError(h.t, err)
	var all []audit.Event
	for _, e := range slices.Backward(page.Events) {
		all = append(all, e.Event)
	}
	return all
}

// ties answers from a map; who is not in it has care for patients whose name ends with theirs.
type ties struct {
	mu    sync.Mutex
	of    map[review.Pair]review.Tie
	fails error
	panic bool
	short bool
	asked int
}

func (s *ties) Ties(ctx context.Context, _ audit.Tenant, pairs []review.Pair) ([]review.Tie, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.panic {
		panic("words of a host")
	}
	if s.fails != nil {
		return nil, s.fails
	}
	var out []review.Tie
	for _, p := range pairs {
		t, ok := s.of[p]
		if !ok {
			t.Care = strings.HasSuffix(string(p.Patient), "-"+string(p.Person))
		}
		out = append(out, t)
	}
	if s.short {
		out = out[1:]
	}
	return out, ctx.Err()
}

// sealer shows whether what it sealed is opened for what it was sealed for.
type sealer struct{}

func (sealer) Seal(_ context.Context, t audit.Tenant, label string, plain []byte) ([]byte, error) {
	return append([]byte(string(t)+"\x00"+label+"\x00"), flip(plain)...), nil
}

func (sealer) Unseal(_ context.Context, t audit.Tenant, label string, sealed []byte) ([]byte, error) {
	rest, ok := strings.CutPrefix(string(sealed), string(t)+"\x00"+label+"\x00")
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	return flip([]byte(rest)), nil
}

func flip(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ 0x55
	}
	return out
}
