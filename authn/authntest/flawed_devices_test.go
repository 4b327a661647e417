package authntest_test

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func (s *flawed) PutDevice(ctx context.Context, d authn.Device, version int64, keep int) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	met := s.lets("device_race")
	p, ok := s.people[of(d.Tenant, d.Person)]
	if (!ok || p.Version != version) && !(s.is("device_version") && version == 0) {
		return authn.ErrConflict
	}
	for _, have := range s.devices {
		if have.Tenant == d.Tenant && (have.ID == d.ID || bytes.Equal(have.Hash, d.Hash)) && !s.is("device_new") {
			return authn.ErrExists
		}
	}
	s.lets("device_overtaken")
	others := s.own(d.Tenant, d.Person)
	switch {
	case s.is("device_race") && (met || s.raced): // who met counted before the other wrote
		s.raced, others = true, nil
	case s.is("device_limit"):
		slices.Reverse(others) // the oldest stay
	}
	for _, old := range others[min(len(others), keep-1):] {
		delete(s.devices, key{tenant: string(old.Tenant), id: old.ID})
	}
	if s.is("keeps_device") && d.Password.After(d.Created.Add(-time.Minute)) {
		d.Password = d.Password.Truncate(time.Second)
	}
	s.devices[key{tenant: string(d.Tenant), id: d.ID}] = d
	return nil
}

func (s *flawed) own(t audit.Tenant, who audit.ActorID) (all []authn.Device) {
	for _, d := range s.devices {
		if d.Tenant == t && d.Person == who {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b authn.Device) int {
		if s.is("device_list") {
			return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(b.ID, a.ID))
	})
	return all
}

func (s *flawed) Device(ctx context.Context, t audit.Tenant, hash []byte) (authn.Device, error) {
	if err := s.enter(ctx); err != nil {
		return authn.Device{}, err
	}
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.Tenant == t && bytes.Equal(d.Hash, hash) {
			return d, nil
		}
	}
	if t == "other" && s.is("device_unknown") {
		for _, d := range s.devices {
			if bytes.Equal(d.Hash, hash) {
				return d, nil
			}
		}
	}
	return authn.Device{}, authn.ErrNotFound
}

func (s *flawed) SeeDevice(ctx context.Context, t audit.Tenant, id, label string, now time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	k := key{tenant: string(t), id: id}
	d, ok := s.devices[k]
	if !ok && s.is("device_seen_gone") {
		return nil
	}
	if !ok {
		return authn.ErrNotFound
	}
	if !now.Before(d.Seen) || s.is("device_seen") {
		d.Seen, d.Label = now, label
		s.devices[k] = d
	}
	return nil
}

func (s *flawed) Devices(ctx context.Context, t audit.Tenant, who audit.ActorID) ([]authn.Device, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.own(t, who), nil
}

func (s *flawed) ForgetDevices(ctx context.Context, t audit.Tenant, who audit.ActorID, id string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if id != "" && s.is("device_forgotten") {
		who = s.devices[key{tenant: string(t), id: id}].Person // whose it is does not matter
	}
	if id == "" && s.is("devices_forgotten") {
		maps.DeleteFunc(s.devices, func(_ key, d authn.Device) bool { return d.Person == who })
	}
	s.forget(t, who, id)
	return nil
}

func (s *flawed) forget(t audit.Tenant, who audit.ActorID, id string) {
	maps.DeleteFunc(s.devices, func(k key, d authn.Device) bool {
		return d.Tenant == t && d.Person == who && (id == "" || k.id == id)
	})
}
