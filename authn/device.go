package authn

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Device is a browser in which somebody has signed in wholly, for a page that lists a person's
// own. It grants nothing: it is counted apart where passwords and codes are guessed, see
// Client.Known. Of each person the last 20 are kept.
type Device struct {
	ID      string // UUIDv7
	Tenant  audit.Tenant
	Person  audit.ActorID
	Hash    []byte    // SHA-256 of the secret in the browser's cookie; Manager.Devices leaves it out
	Label   string    // Client.Device at the last sign-in, 128 bytes at most
	Created time.Time // at the first sign-in
	Seen    time.Time // at the last one
	// Password is when the person's password was set: a new one makes every browser a stranger.
	Password time.Time
	// Current says, in what Manager.Devices returns, that it is the browser that asks.
	Current bool
}

// Devices returns the browsers that are known for a person, the one seen last first. The one that
// c came with is Current. Nobody there: ErrNotFound.
func (m *Manager) Devices(ctx context.Context, t audit.Tenant, person audit.ActorID, c Client) ([]Device, error) {
	a, err := m.account(ctx, t, person)
	if err != nil {
		return nil, err
	}
	all, err := m.devices(ctx, t, person)
	if err != nil {
		return nil, err
	}
	mine, _ := m.recognise(ctx, t, c.Known)
	now := m.now()
	all = slices.DeleteFunc(all, func(d Device) bool { return !d.of(subject{account: a}) || !d.lives(now) })
	for i := range all {
		all[i].Current = mine.ID != "" && bytes.Equal(all[i].Hash, mine.Hash)
		all[i].Hash = nil
	}
	return all, nil
}

// ForgetDevice makes a person's known browser a stranger, from the next try on and on every
// server. Sessions that began in it go on: they are ended by package session. Not one of theirs:
// ErrNotFound. An actor of another tenant: ErrNoActor. Inside a host's transaction: ErrState.
func (m *Manager) ForgetDevice(ctx context.Context, t audit.Tenant, person audit.ActorID, id string) error {
	if err := m.own(ctx, t, ActionForgetDevice); err != nil {
		return err
	}
	all, err := m.devices(ctx, t, person)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(d Device) bool { return d.ID == id }) {
		return ErrNotFound
	}
	return m.forget(ctx, t, person, id, ActionForgetDevice)
}

// ForgetDevices is ForgetDevice for all of a person's browsers; none is no error.
func (m *Manager) ForgetDevices(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	if err := m.own(ctx, t, ActionForgetDevices); err != nil {
		return err
	}
	if _, err := m.account(ctx, t, person); err != nil {
		return err
	}
	return m.forget(ctx, t, person, "", ActionForgetDevices)
}

// forget records that a browser is forgotten, all for "", before it is.
func (m *Manager) forget(ctx context.Context, t audit.Tenant, who audit.ActorID, id string, a audit.Action) error {
	if m.joined {
		return ErrState
	}
	e := audit.Event{Tenant: t, Action: a, Verb: audit.Delete, Actor: acting(ctx, t), Objects: person(who)}
	if id != "" {
		e.Detail = map[string]string{"device": id}
	}
	if err := m.note(ctx, e); err != nil {
		return err
	}
	if err := m.p.Store.ForgetDevices(ctx, t, who, id); err != nil {
		return unavailable("forgetting a browser", err)
	}
	return nil
}

func (m *Manager) devices(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]Device, error) {
	all, err := m.p.Store.Devices(ctx, t, person)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, unavailable("listing browsers", err)
	}
	return all, nil
}
