package authn_test

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// wired wires a store.
type wired struct {
	wire *wire
	s    authn.Store
}

func (w wired) Account(ctx context.Context, t audit.Tenant, id audit.ActorID) (authn.Account, error) {
	if err := w.wire.call(ctx, "store.Account"); err != nil {
		return authn.Account{}, err
	}
	return w.s.Account(ctx, t, id)
}

func (w wired) Find(ctx context.Context, t audit.Tenant, term []byte) (authn.Account, error) {
	if err := w.wire.call(ctx, "store.Find"); err != nil {
		return authn.Account{}, err
	}
	return w.s.Find(ctx, t, term)
}

func (w wired) People(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[authn.Person, error] {
	if err := w.wire.call(ctx, "store.People"); err != nil {
		return func(yield func(authn.Person, error) bool) { yield(authn.Person{}, err) }
	}
	return w.s.People(ctx, t, after)
}

func (w wired) Link(ctx context.Context, hash []byte) (authn.Link, error) {
	if err := w.wire.call(ctx, "store.Link"); err != nil {
		return authn.Link{}, err
	}
	return w.s.Link(ctx, hash)
}

func (w wired) Apply(ctx context.Context, c authn.Change) error {
	if err := w.wire.call(ctx, "store.Apply"); err != nil {
		return err
	}
	return w.s.Apply(ctx, c)
}

func (w wired) GetPolicy(ctx context.Context, t audit.Tenant) (*authn.Policy, error) {
	if err := w.wire.call(ctx, "store.GetPolicy"); err != nil {
		return nil, err
	}
	return w.s.GetPolicy(ctx, t)
}

func (w wired) SavePolicy(ctx context.Context, t audit.Tenant, p authn.Policy) error {
	if err := w.wire.call(ctx, "store.SavePolicy"); err != nil {
		return err
	}
	return w.s.SavePolicy(ctx, t, p)
}

func (w wired) Credential(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family) (authn.Credential, error) {
	if err := w.wire.call(ctx, "store.Credential"); err != nil {
		return authn.Credential{}, err
	}
	return w.s.Credential(ctx, t, id, f)
}

func (w wired) Charge(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family, l authn.Limits, now time.Time) (authn.Credential, bool, error) {
	if err := w.wire.call(ctx, "store.Charge"); err != nil {
		return authn.Credential{}, false, err
	}
	return w.s.Charge(ctx, t, id, f, l, now)
}

func (w wired) Clear(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family, now time.Time) error {
	if err := w.wire.call(ctx, "store.Clear"); err != nil {
		return err
	}
	return w.s.Clear(ctx, t, id, f, now)
}

func (w wired) Rehash(ctx context.Context, t audit.Tenant, id audit.ActorID, old, new string) error {
	if err := w.wire.call(ctx, "store.Rehash"); err != nil {
		return err
	}
	return w.s.Rehash(ctx, t, id, old, new)
}

func (w wired) SignedIn(ctx context.Context, t audit.Tenant, id audit.ActorID, banner string, now time.Time) error {
	if err := w.wire.call(ctx, "store.SignedIn"); err != nil {
		return err
	}
	return w.s.SignedIn(ctx, t, id, banner, now)
}

func (w wired) PutTicket(ctx context.Context, tk authn.Ticket) error {
	if err := w.wire.call(ctx, "store.PutTicket"); err != nil {
		return err
	}
	return w.s.PutTicket(ctx, tk)
}

func (w wired) Ticket(ctx context.Context, hash []byte, now time.Time) (authn.Ticket, error) {
	if err := w.wire.call(ctx, "store.Ticket"); err != nil {
		return authn.Ticket{}, err
	}
	return w.s.Ticket(ctx, hash, now)
}

func (w wired) TakeTicket(ctx context.Context, hash []byte, now time.Time) (authn.Ticket, error) {
	if err := w.wire.call(ctx, "store.TakeTicket"); err != nil {
		return authn.Ticket{}, err
	}
	return w.s.TakeTicket(ctx, hash, now)
}

func (w wired) Sweep(ctx context.Context, now time.Time) error {
	if err := w.wire.call(ctx, "store.Sweep"); err != nil {
		return err
	}
	return w.s.Sweep(ctx, now)
}

func (w wired) Hit(ctx context.Context, t audit.Tenant, key string, d time.Duration, now time.Time) (int, time.Time, error) {
	if err := w.wire.call(ctx, "store.Hit"); err != nil {
		return 0, time.Time{}, err
	}
	return w.s.Hit(ctx, t, key, d, now)
}

func (w wired) Claim(ctx context.Context, now, until time.Time, n int) ([]audit.Message, error) {
	if err := w.wire.call(ctx, "store.Claim"); err != nil {
		return nil, err
	}
	return w.s.Claim(ctx, now, until, n)
}

func (w wired) Delivered(ctx context.Context, t audit.Tenant, id string) error {
	if err := w.wire.call(ctx, "store.Delivered"); err != nil {
		return err
	}
	return w.s.Delivered(ctx, t, id)
}

func (w wired) Failed(ctx context.Context, t audit.Tenant, id string, next time.Time) error {
	if err := w.wire.call(ctx, "store.Failed"); err != nil {
		return err
	}
	return w.s.Failed(ctx, t, id, next)
}

func (w wired) Oldest(ctx context.Context) (time.Time, error) {
	if err := w.wire.call(ctx, "store.Oldest"); err != nil {
		return time.Time{}, err
	}
	return w.s.Oldest(ctx)
}

func (w wired) PutDevice(ctx context.Context, d authn.Device, version int64, keep int) error {
	if err := w.wire.call(ctx, "store.PutDevice"); err != nil {
		return err
	}
	return w.s.PutDevice(ctx, d, version, keep)
}

func (w wired) Device(ctx context.Context, t audit.Tenant, hash []byte) (authn.Device, error) {
	if err := w.wire.call(ctx, "store.Device"); err != nil {
		return authn.Device{}, err
	}
	return w.s.Device(ctx, t, hash)
}

func (w wired) SeeDevice(ctx context.Context, t audit.Tenant, id, label string, now time.Time) error {
	if err := w.wire.call(ctx, "store.SeeDevice"); err != nil {
		return err
	}
	return w.s.SeeDevice(ctx, t, id, label, now)
}

func (w wired) Devices(ctx context.Context, t audit.Tenant, id audit.ActorID) ([]authn.Device, error) {
	if err := w.wire.call(ctx, "store.Devices"); err != nil {
		return nil, err
	}
	return w.s.Devices(ctx, t, id)
}

func (w wired) ForgetDevices(ctx context.Context, t audit.Tenant, p audit.ActorID, id string) error {
	if err := w.wire.call(ctx, "store.ForgetDevices"); err != nil {
		return err
	}
	return w.s.ForgetDevices(ctx, t, p, id)
}
