package authn

import (
	"context"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"time"
)

// hasher bounds how many passwords are hashed at once, and how many wait: each takes 19 MiB
// and some 25 ms of one processor, so that without a bound a flood of sign-ins is a flood of
// memory and starves every other request.
type hasher struct {
	scheme  scheme
	pepper  Pepper            // for new hashes
	peppers map[string]Pepper // for stored ones, by id
	inside  chan struct{}     // hashing or waiting
	guests  chan struct{}     // those of them that may be anybody's; the rest is kept for known browsers
	slots   chan struct{}     // hashing
	decoy   phc
}

func newHasher(o Options) *hasher {
	h := &hasher{
		scheme:  o.hashing(),
		peppers: map[string]Pepper{},
		inside:  make(chan struct{}, o.Hashers+o.Queue),
		guests:  make(chan struct{}, o.Hashers+o.Queue-o.Queue/4),
		slots:   make(chan struct{}, o.Hashers),
		decoy:   decoy(o.hashing()),
	}
	for _, p := range o.Peppers {
		h.peppers[p.id] = p
	}
	if len(o.Peppers) > 0 {
		h.pepper = o.Peppers[0]
	}
	return h
}

// perHash is what Retry-After assumes that one hash takes.
const perHash = 50 * time.Millisecond

// enter waits for a slot. With a full queue it returns a *BusyError at once; if ctx ends
// while waiting, ctx's error. Call leave when done. A guest is anybody who comes from no known
// browser and has proven nothing yet: a flood of them leaves room for the others.
func (h *hasher) enter(ctx context.Context, guest bool) (leave func(), err error) {
	places := []chan struct{}{h.inside}
	if guest {
		places = append(places, h.guests)
	}
	for i, place := range places {
		select {
		case place <- struct{}{}:
		default:
			release(places[:i])
			return nil, h.busy()
		}
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; release(places) }, nil
	case <-ctx.Done():
		release(places)
		return nil, ctx.Err()
	}
}

func release(places []chan struct{}) {
	for _, place := range places {
		<-place
	}
}

// room refuses early what enter would refuse, before anybody is looked up: a flood costs little more
// than its budgets. Enter decides.
func (h *hasher) room(guest bool) error {
	if len(h.inside) == cap(h.inside) || guest && len(h.guests) == cap(h.guests) {
		return h.busy()
	}
	return nil
}

func (h *hasher) busy() error {
	return &BusyError{RetryAfter: wholeSeconds(time.Duration(cap(h.inside)/cap(h.slots)) * perHash)}
}

// errPepper: a stored hash names a pepper that Options.Peppers does not have.
var errPepper = errors.New("authn: a password was hashed with a pepper that is not here")

// errNotApproved: a stored hash is Argon2id, which FIPS 140-only mode does not allow.
var errNotApproved = errors.New("authn: a password hash is not of an approved kind")

// derive computes a hash of a normalised password with a fresh salt. The caller holds a slot.
func (h *hasher) derive(password string) (string, error) {
	p := phc{scheme: h.scheme, pepper: h.pepper.id, salt: make([]byte, saltSize), tag: make([]byte, tagSize)}
	rand.Read(p.salt) // never fails (crypto/rand)
	tag, err := p.compute(h.pepper.apply(password))
	if err != nil {
		return "", errors.New("authn: hashing a password")
	}
	p.tag = tag
	return p.String(), nil
}

// check compares a password with a stored hash; "" stands for nobody's and costs the same.
// It reports whether the hash should be computed anew with today's parameters. The caller
// holds a slot.
func (h *hasher) check(stored, password string) (ok, stale bool, err error) {
	p, pepper := h.decoy, h.pepper
	if stored != "" {
		if p, pepper, err = h.readable(stored); err != nil {
			_, _ = h.decoy.matches(h.pepper.apply(password)) // for the time it takes
			return false, false, err
		}
	}
	ok, err = p.matches(pepper.apply(password))
	if err != nil || stored == "" {
		return false, false, err
	}
	return ok, ok && (p.scheme != h.scheme || p.pepper != h.pepper.id || len(p.salt) != saltSize || len(p.tag) != tagSize), nil
}

// readable returns a stored hash and its pepper.
func (h *hasher) readable(stored string) (phc, Pepper, error) {
	p, err := parsePHC(stored)
	if err != nil {
		return phc{}, Pepper{}, err
	}
	if p.iterations == 0 && fips140.Enforced() {
		return phc{}, Pepper{}, errNotApproved
	}
	if p.pepper == "" {
		return p, Pepper{}, nil
	}
	pepper, ok := h.peppers[p.pepper]
	if !ok {
		return phc{}, Pepper{}, errPepper
	}
	return p, pepper, nil
}

// wholeSeconds rounds up, one second at least.
func wholeSeconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}
