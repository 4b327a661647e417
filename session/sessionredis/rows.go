package sessionredis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// slack is how long a key outlives what is in it.
const slack = time.Hour

func rowField(k session.Key) string { return "s" + string(k.Hash[:]) }

// lasting is how many milliseconds a key must be kept for a session from a time on.
func lasting(s session.Session, from time.Time) string {
	last := s.Ends
	if s.IdleEnds.After(last) {
		last = s.IdleEnds
	}
	return strconv.FormatInt(max(0, last.Sub(from)).Milliseconds()+slack.Milliseconds(), 10)
}

// Create implements session.Store. A key whose Route is not the person's is refused: ending
// that person's sessions would not reach it.
func (s *Store) Create(ctx context.Context, r session.Record, limit int) ([]string, error) {
	route, err := s.Route(ctx, r.Session.Tenant, r.Session.Person)
	if err != nil {
		return nil, err
	}
	row, err := encode(r.Session)
	if err != nil {
		return nil, refused("beginning a session", err)
	}
	if route != r.Key.Route {
		return nil, refused("beginning a session", s.misplaced(ctx, r.Key))
	}
	evicted, err := texts(s.run(ctx, opCreate, s.personKey(route), rowField(r.Key), row, max(0, limit),
		lasting(r.Session, r.Session.Created), session.ReasonLimit))
	return evicted, refused("beginning a session", err)
}

// misplaced says what is wrong with a key that is not the person's.
func (s *Store) misplaced(ctx context.Context, k session.Key) error {
	row, _, err := s.get(ctx, k)
	if err != nil {
		return err
	}
	if row != "" {
		return session.ErrExists
	}
	return errors.New("the key's route is not the person's")
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, k session.Key) (session.Found, error) {
	row, stamp, err := s.get(ctx, k)
	if err == nil && row == "" {
		err = session.ErrNotFound
	}
	if err != nil {
		return session.Found{}, refused("reading a session", err)
	}
	found := session.Found{}
	if found.Session, err = decode(row); err != nil {
		return session.Found{}, refused("reading a session", err)
	}
	found.Policy, err = s.current(ctx, tagOf(k.Route), found.Session.Tenant, stamp)
	if err != nil {
		return session.Found{}, refused("reading a policy", err)
	}
	return found, nil
}

// get reads a row, "" if there is none, and the stamp of its tenant's policy, "" if that has
// to be asked for. In a cluster these may be on two servers, which are asked at once.
func (s *Store) get(ctx context.Context, k session.Key) (row, stamp string, err error) {
	keys := s.personKey(k.Route)
	if s.single != nil {
		return pair(texts(s.run(ctx, opGet, append(keys, s.policyKey(tagOf(k.Route))), rowField(k))))
	}
	peeked := make(chan string, 1)
	go func() {
		v, err := s.run(ctx, opPeek, []string{s.policyKey(tagOf(k.Route))})
		text, _ := v.(string)
		if err != nil {
			text = "" // then it is asked for
		}
		peeked <- text
	}()
	row, _, err = pair(texts(s.run(ctx, opGet, keys, rowField(k))))
	return row, <-peeked, err
}

func pair(all []string, err error) (a, b string, _ error) {
	if err == nil && len(all) != 2 {
		err = fmt.Errorf("%w: an answer that is no pair", ErrServer)
	}
	if err != nil {
		return "", "", err
	}
	return all[0], all[1], nil
}

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, k session.Key, seen, idleEnds time.Time) (bool, error) {
	at, err := packed(seen)
	idle, idleErr := packed(idleEnds)
	if err = errors.Join(err, idleErr); err != nil {
		return false, refused("touching a session", err)
	}
	n, err := integer(s.run(ctx, opTouch, s.personKey(k.Route), rowField(k), at, idle))
	return n == 1, refused("touching a session", err)
}

// List implements session.Store.
func (s *Store) List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[session.Session, error] {
	return func(yield func(session.Session, error) bool) {
		all, err := s.list(ctx, t, person, now)
		if err != nil {
			yield(session.Session{}, refused("listing sessions", err))
			return
		}
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (s *Store) list(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) ([]session.Session, error) {
	route, err := s.Route(ctx, t, person)
	if err != nil {
		return nil, err
	}
	rows, err := texts(s.run(ctx, opList, s.personKey(route)))
	if err != nil {
		return nil, err
	}
	var all []session.Session
	for _, row := range rows {
		v, err := decode(row)
		if err != nil {
			return nil, err
		}
		if v.Ended.IsZero() && !v.Superseded && now.Before(v.IdleEnds) && now.Before(v.Ends) {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b session.Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return all, nil
}

// Revoke implements session.Store. It is one write, however many sessions it ends.
func (s *Store) Revoke(ctx context.Context, which session.Selection, at time.Time, reason string) (int, error) {
	if len(reason) > 255 {
		return 0, errors.New("sessionredis: ending sessions: the reason is too long")
	}
	return s.change(ctx, opRevoke, "ending sessions", which, at, reason)
}

// Lock implements session.Store.
func (s *Store) Lock(ctx context.Context, which session.Selection, at time.Time) (int, error) {
	return s.change(ctx, opLock, "locking sessions", which, at)
}

func (s *Store) change(ctx context.Context, o op, what string, which session.Selection, at time.Time, more ...any) (int, error) {
	if at.IsZero() {
		return 0, refused(what, errors.New("at the zero time"))
	}
	time, err := packed(at)
	if err != nil {
		return 0, refused(what, err)
	}
	route, err := s.Route(ctx, which.Tenant, which.Person)
	if err != nil {
		return 0, err
	}
	args := append(append([]any{time}, more...), which.ID, which.Except)
	n, err := integer(s.run(ctx, o, s.personKey(route), args...))
	return n, refused(what, err)
}

// Rotate implements session.Store.
func (s *Store) Rotate(ctx context.Context, old session.Key, next session.Record, until time.Time) error {
	const what = "changing a token"
	n := next.Session
	route, err := s.Route(ctx, n.Tenant, n.Person)
	if err != nil {
		return err
	}
	if old.Route != route || next.Key.Route != route {
		return refused(what, session.ErrConflict)
	}
	row, err := encode(n)
	end, endErr := packed(until)
	if err = errors.Join(err, endErr); err != nil {
		return refused(what, err)
	}
	_, err = s.run(ctx, opRotate, s.personKey(route), rowField(old), rowField(next.Key), row, end, lasting(n, n.LastSeen))
	return refused(what, err)
}
