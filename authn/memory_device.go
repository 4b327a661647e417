package authn

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// PutDevice implements Devices.
func (m *Memory) PutDevice(ctx context.Context, d Device, version int64, keep int) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	p, ok := m.people[personKey{d.Tenant, d.Person}]
	if !ok || p.Version != version {
		return ErrConflict
	}
	for _, have := range m.devices {
		if have.Tenant == d.Tenant && (have.ID == d.ID || bytes.Equal(have.Hash, d.Hash)) {
			return ErrExists
		}
	}
	others := m.devicesOf(d.Tenant, d.Person)
	for _, old := range others[min(len(others), keep-1):] {
		delete(m.devices, deviceKey{old.Tenant, old.ID})
	}
	m.devices[deviceKey{d.Tenant, d.ID}] = cloneDevice(d)
	return nil
}

// Device implements Devices.
func (m *Memory) Device(ctx context.Context, t audit.Tenant, hash []byte) (Device, error) {
	if err := m.enter(ctx); err != nil {
		return Device{}, err
	}
	defer m.mu.Unlock()
	for _, d := range m.devices {
		if d.Tenant == t && bytes.Equal(d.Hash, hash) {
			return cloneDevice(d), nil
		}
	}
	return Device{}, ErrNotFound
}

// SeeDevice implements Devices.
func (m *Memory) SeeDevice(ctx context.Context, t audit.Tenant, id, label string, now time.Time) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	d, ok := m.devices[deviceKey{t, id}]
	if !ok {
		return ErrNotFound
	}
	if !now.Before(d.Seen) {
		d.Seen, d.Label = now, label
		m.devices[deviceKey{t, id}] = d
	}
	return nil
}

// Devices implements Devices.
func (m *Memory) Devices(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]Device, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return m.devicesOf(t, person), nil
}

// devicesOf are the person's, the one seen last first.
func (m *Memory) devicesOf(t audit.Tenant, person audit.ActorID) (all []Device) {
	for _, d := range m.devices {
		if d.Tenant == t && d.Person == person {
			all = append(all, cloneDevice(d))
		}
	}
	slices.SortFunc(all, func(a, b Device) int { return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(b.ID, a.ID)) })
	return all
}

// ForgetDevices implements Devices.
func (m *Memory) ForgetDevices(ctx context.Context, t audit.Tenant, person audit.ActorID, id string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.forget(t, person, id)
	return nil
}

func (m *Memory) forget(t audit.Tenant, person audit.ActorID, id string) {
	maps.DeleteFunc(m.devices, func(k deviceKey, d Device) bool {
		return d.Tenant == t && d.Person == person && (id == "" || k.id == id)
	})
}

func cloneDevice(d Device) Device {
	d.Hash = bytes.Clone(d.Hash)
	return d
}
