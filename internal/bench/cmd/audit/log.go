package main

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// newLog returns a log over a store, with phi's sealer or none.
func newLog(ctx context.Context, store audit.Store, seal bool) (*audit.Log, error) {
	if !seal {
		return audit.New(store, audit.DropOpenings{}, nil)
	}
	vault, err := phi.Open(ctx, "bench", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		return nil, err
	}
	return audit.New(store, phi.NewSealer(vault), nil)
}

// addressed is an event with the client's address, which is committed and sealed.
func addressed(r *rand.Rand, now time.Time) audit.Event {
	e := event(r, now)
	e.Actor.Origin = netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))})
	return e
}
