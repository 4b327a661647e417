package authntest

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func deviceRules() []rule {
	return []rule{
		{Name: "keeps_device", Clause: "A browser comes back as it was written, by its hash and in the list.", Run: keepsDevice},
		{Name: "device_unknown", Clause: "A hash that nobody has, or another tenant's, is ErrNotFound.", Run: deviceUnknown},
		{Name: "device_new", Clause: "A browser whose ID or hash exists answers ErrExists and leaves the first one.", Run: deviceNew},
		{Name: "device_version", Clause: "A browser of nobody, or of a person with another version, answers ErrConflict and is not added.", Run: deviceVersion},
		{Name: "device_limit", Clause: "Of a person's browsers the new one and those seen last stay, keep in all; other people's stay.", Run: deviceLimit},
		{Name: "device_race", Clause: "Of many browsers added at once no more than keep stay.", Run: deviceRace},
		{Name: "device_overtaken", Clause: "A browser that a change of the person overtakes is not added.", Run: deviceOvertaken},
		{Name: "device_list", Clause: "The list has the person's own, the one seen last first.", Run: deviceList},
		{Name: "device_seen", Clause: "SeeDevice notes time and label; an earlier time changes nothing.", Run: deviceSeen},
		{Name: "device_seen_gone", Clause: "Seeing a browser that is not there is ErrNotFound and adds none.", Run: deviceSeenGone},
		{Name: "device_forgotten", Clause: "ForgetDevices removes the person's browser with the ID; gone, or somebody else's, changes nothing.", Run: deviceForgotten},
		{Name: "devices_forgotten", Clause: `ForgetDevices with "" removes all of the person's, and nobody else's.`, Run: devicesForgotten},
		{Name: "device_forget", Clause: "A change's Forget removes the person's browsers, with the change and not without it.", Run: deviceForget},
		{Name: "sweep_devices", Clause: "Sweep forgets browsers that nobody signed in with for KnownFor, and no others.", Run: sweepDevices},
	}
}

// device is a browser of somebody, seen some seconds after noon.
func device(t audit.Tenant, who audit.ActorID, name string, after int) authn.Device {
	return authn.Device{
		ID: name, Tenant: t, Person: who, Hash: []byte("hash of " + name), Label: "label of " + name,
		Created: noon, Seen: noon.Add(time.Duration(after) * time.Second), Password: noon.Add(-time.Hour),
	}
}

const most = 20 // more browsers than a rule adds

// owners creates ann and bob in the clinic and another ann elsewhere, and adds browsers.
func owners(ctx context.Context, s authn.Store, devices ...authn.Device) error {
	_, err := create(ctx, s, clinic, ann)
	_, err2 := create(ctx, s, clinic, bob)
	_, err3 := create(ctx, s, other, ann)
	if err := all(err, err2, err3); err != nil {
		return err
	}
	for _, d := range devices {
		if err := s.PutDevice(ctx, d, 1, most); err != nil {
			return fmt.Errorf("adding a browser: %w", err)
		}
	}
	return nil
}

// listed returns the IDs of somebody's browsers, in order.
func listed(ctx context.Context, s authn.Store, t audit.Tenant, who audit.ActorID) (string, error) {
	devices, err := s.Devices(ctx, t, who)
	var out string
	for _, d := range devices {
		out += d.ID
	}
	return out, err
}

// lists says that somebody's browsers are not these.
func lists(ctx context.Context, s authn.Store, t audit.Tenant, who audit.ActorID, should string) error {
	got, err := listed(ctx, s, t, who)
	return all(err, want(fmt.Sprintf("the list of %s of %s", who, t), got, should))
}

func sameDevice(got, should authn.Device) error {
	return all(
		want("the id", got.ID, should.ID), want("the tenant", got.Tenant, should.Tenant), want("the person", got.Person, should.Person),
		want("the hash", bytes.Equal(got.Hash, should.Hash), true), want("the label", got.Label, should.Label),
		want("the creation", got.Created, should.Created), want("when it was seen", got.Seen, should.Seen),
		want("the password's time", got.Password, should.Password),
	)
}

func keepsDevice(ctx context.Context, s authn.Store) error {
	d := device(clinic, ann, "a", 1)
	d.Password = noon.Add(-time.Microsecond)
	if err := owners(ctx, s, d); err != nil {
		return err
	}
	got, err := s.Device(ctx, clinic, d.Hash)
	if err := all(err, sameDevice(got, d)); err != nil {
		return err
	}
	devices, err := s.Devices(ctx, clinic, ann)
	if err := all(err, want("the number of browsers", len(devices), 1)); err != nil {
		return err
	}
	return sameDevice(devices[0], d)
}

func deviceUnknown(ctx context.Context, s authn.Store) error {
	if err := owners(ctx, s, device(clinic, ann, "a", 1)); err != nil {
		return err
	}
	_, unknown := s.Device(ctx, clinic, []byte("hash of b"))
	_, elsewhere := s.Device(ctx, other, []byte("hash of a"))
	return all(wantErr("another hash", unknown, authn.ErrNotFound), wantErr("the hash elsewhere", elsewhere, authn.ErrNotFound))
}

func deviceNew(ctx context.Context, s authn.Store) error {
	first := device(clinic, ann, "a", 1)
	if err := owners(ctx, s, first); err != nil {
		return err
	}
	sameID, sameHash := device(clinic, bob, "a", 2), device(clinic, bob, "b", 2)
	sameID.Hash, sameHash.Hash = []byte("another"), first.Hash
	err := all(wantErr("the same ID", s.PutDevice(ctx, sameID, 1, most), authn.ErrExists),
		wantErr("the same hash", s.PutDevice(ctx, sameHash, 1, most), authn.ErrExists))
	got, err2 := s.Device(ctx, clinic, first.Hash)
	return all(err, err2, sameDevice(got, first), lists(ctx, s, clinic, bob, ""), s.PutDevice(ctx, device(other, ann, "a", 1), 1, most))
}

func deviceVersion(ctx context.Context, s authn.Store) error {
	if err := owners(ctx, s); err != nil {
		return err
	}
	return all(
		wantErr("a later version", s.PutDevice(ctx, device(clinic, ann, "a", 1), 2, most), authn.ErrConflict),
		wantErr("no version", s.PutDevice(ctx, device(clinic, ann, "b", 1), 0, most), authn.ErrConflict),
		wantErr("nobody", s.PutDevice(ctx, device(clinic, "nobody", "c", 1), 1, most), authn.ErrConflict),
		wantErr("nobody, without a version", s.PutDevice(ctx, device(clinic, "nobody", "d", 1), 0, most), authn.ErrConflict),
		wantErr("somebody of another tenant", s.PutDevice(ctx, device(other, bob, "e", 1), 1, most), authn.ErrConflict),
		lists(ctx, s, clinic, ann, ""), lists(ctx, s, clinic, "nobody", ""), lists(ctx, s, other, bob, ""),
	)
}

func deviceLimit(ctx context.Context, s authn.Store) error {
	err := owners(ctx, s, device(clinic, ann, "a", 1), device(clinic, ann, "b", 3), device(clinic, ann, "c", 2),
		device(clinic, bob, "x", 0), device(other, ann, "y", 0))
	return all(err,
		s.PutDevice(ctx, device(clinic, ann, "d", 4), 1, 3), lists(ctx, s, clinic, ann, "dbc"),
		s.PutDevice(ctx, device(clinic, ann, "e", 0), 1, 3), lists(ctx, s, clinic, ann, "dbe"), // the new one, whenever it was seen
		s.PutDevice(ctx, device(clinic, ann, "f", 5), 1, 1), lists(ctx, s, clinic, ann, "f"),
		lists(ctx, s, clinic, bob, "x"), lists(ctx, s, other, ann, "y"),
	)
}

func deviceRace(ctx context.Context, s authn.Store) error {
	if err := owners(ctx, s); err != nil {
		return err
	}
	const keep = 5
	_, odd := count(together(crowd/2, func(i int) error {
		return s.PutDevice(ctx, device(clinic, ann, string(rune('A'+i)), i), 1, keep)
	}))
	ids, err := listed(ctx, s, clinic, ann)
	return all(odd, err, want("the number of browsers", len(ids), keep))
}

// deviceOvertaken has a change of the person come at once with browsers that were about to be
// added: whichever is first, none is left.
func deviceOvertaken(ctx context.Context, s authn.Store) error {
	if err := owners(ctx, s); err != nil {
		return err
	}
	for round := range 4 {
		p := somebody(clinic, ann)
		p.Version = int64(1 + round)
		c := next(p)
		c.Forget = true
		errs := together(crowd/8, func(i int) error {
			if i == 0 {
				return s.Apply(ctx, c)
			}
			return s.PutDevice(ctx, device(clinic, ann, fmt.Sprint(round, i), i), p.Version, most)
		})
		_, odd := count(errs, authn.ErrConflict)
		if err := all(odd, errs[0], lists(ctx, s, clinic, ann, "")); err != nil {
			return err
		}
	}
	return nil
}

func deviceList(ctx context.Context, s authn.Store) error {
	err := owners(ctx, s, device(clinic, ann, "a", 1), device(clinic, ann, "b", 3), device(clinic, ann, "c", 1),
		device(clinic, bob, "x", 2), device(other, ann, "y", 2))
	return all(err, lists(ctx, s, clinic, ann, "bca"), lists(ctx, s, clinic, bob, "x"), lists(ctx, s, other, ann, "y"))
}

func deviceSeen(ctx context.Context, s authn.Store) error {
	d := device(clinic, ann, "a", 1)
	if err := owners(ctx, s, d, device(other, ann, "a", 1), device(clinic, ann, "b", 1)); err != nil {
		return err
	}
	now := d.Seen.Add(time.Minute)
	err := all(s.SeeDevice(ctx, clinic, "a", "another label", now), s.SeeDevice(ctx, clinic, "a", "too late", now.Add(-time.Microsecond)))
	got, err2 := s.Device(ctx, clinic, d.Hash)
	elsewhere, err3 := s.Device(ctx, other, d.Hash)
	b, err4 := s.Device(ctx, clinic, []byte("hash of b"))
	should := d
	should.Seen, should.Label = now, "another label"
	return all(err, err2, err3, err4, sameDevice(got, should), sameDevice(elsewhere, device(other, ann, "a", 1)), sameDevice(b, device(clinic, ann, "b", 1)))
}

func deviceSeenGone(ctx context.Context, s authn.Store) error {
	if err := owners(ctx, s, device(other, ann, "a", 1)); err != nil {
		return err
	}
	return all(wantErr("a browser that is not there", s.SeeDevice(ctx, clinic, "a", "label", noon), authn.ErrNotFound), lists(ctx, s, clinic, ann, ""))
}

func deviceForgotten(ctx context.Context, s authn.Store) error {
	err := owners(ctx, s, device(clinic, ann, "a", 2), device(clinic, ann, "b", 1), device(clinic, bob, "x", 1), device(other, ann, "a", 1))
	if err := all(err, s.ForgetDevices(ctx, clinic, ann, "x"), lists(ctx, s, clinic, bob, "x"),
		s.ForgetDevices(ctx, clinic, ann, "a"), s.ForgetDevices(ctx, clinic, ann, "a")); err != nil {
		return err
	}
	_, gone := s.Device(ctx, clinic, []byte("hash of a"))
	return all(wantErr("a forgotten browser", gone, authn.ErrNotFound), lists(ctx, s, clinic, ann, "b"), lists(ctx, s, other, ann, "a"))
}

func devicesForgotten(ctx context.Context, s authn.Store) error {
	err := owners(ctx, s, device(clinic, ann, "a", 2), device(clinic, ann, "b", 1), device(clinic, bob, "x", 1), device(other, ann, "y", 1))
	return all(err, s.ForgetDevices(ctx, clinic, ann, ""), s.ForgetDevices(ctx, clinic, ann, ""),
		lists(ctx, s, clinic, ann, ""), lists(ctx, s, clinic, bob, "x"), lists(ctx, s, other, ann, "y"))
}

func deviceForget(ctx context.Context, s authn.Store) error {
	if err := owners(ctx, s, device(clinic, ann, "a", 2), device(clinic, ann, "b", 1), device(clinic, bob, "x", 1), device(other, ann, "y", 1)); err != nil {
		return err
	}
	kept := next(somebody(clinic, ann))
	late := kept
	late.Forget = true
	if err := all(s.Apply(ctx, kept), wantErr("a change that comes late", s.Apply(ctx, late), authn.ErrConflict), lists(ctx, s, clinic, ann, "ab")); err != nil {
		return err
	}
	c := next(kept.Person)
	c.Forget = true
	return all(s.Apply(ctx, c), lists(ctx, s, clinic, ann, ""), lists(ctx, s, clinic, bob, "x"), lists(ctx, s, other, ann, "y"))
}

func sweepDevices(ctx context.Context, s authn.Store) error {
	err := owners(ctx, s, device(clinic, ann, "a", 1), device(clinic, bob, "x", 2))
	end := noon.Add(time.Second + authn.KnownFor)
	return all(err, s.Sweep(ctx, end.Add(-time.Microsecond)), lists(ctx, s, clinic, ann, "a"),
		s.Sweep(ctx, end), lists(ctx, s, clinic, ann, ""), lists(ctx, s, clinic, bob, "x"))
}
