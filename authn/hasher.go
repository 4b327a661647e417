package authn

import (
	"context"
	"time"
)

// hasher bounds how many passwords are hashed at once, and how many wait: each takes 19 MiB
// and some 25 ms of one processor, so that without a bound a flood of sign-ins is a flood of
// memory and starves every other request.
type hasher struct {
	params Argon2
	inside chan struct{} // hashing or waiting
	slots  chan struct{} // hashing
	decoy  phc
}

func newHasher(a Argon2, hashers, queue int) *hasher {
	return &hasher{
		params: a,
		inside: make(chan struct{}, hashers+queue),
		slots:  make(chan struct{}, hashers),
		decoy:  decoy(a),
	}
}

// perHash is what Retry-After assumes that one hash takes.
const perHash = 50 * time.Millisecond

// enter waits for a slot. With a full queue it returns a *BusyError at once; if ctx ends
// while waiting, ctx's error. Call leave when done.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.inside <- struct{}{}:
	default:
		wait := time.Duration(cap(h.inside)/cap(h.slots)) * perHash
		return nil, &BusyError{RetryAfter: wholeSeconds(wait)}
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; <-h.inside }, nil
	case <-ctx.Done():
		<-h.inside
		return nil, ctx.Err()
	}
}

// check compares a password with a stored hash; "" stands for nobody's and costs the same.
// It reports whether the hash should be computed anew with today's parameters. The caller
// holds a slot.
func (h *hasher) check(stored, password string) (ok, stale bool, err error) {
	p := h.decoy
	if stored != "" {
		if p, err = parsePHC(stored); err != nil {
			h.decoy.matches(password)
			return false, false, err
		}
	}
	ok = p.matches(password) && stored != ""
	return ok, ok && (p.params != h.params || len(p.salt) != saltSize || len(p.tag) != tagSize), nil
}

// wholeSeconds rounds up, one second at least.
func wholeSeconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}
