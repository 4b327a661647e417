package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

const racers = 16

func createRules() []conform.Rule[session.Store] {
	return []conform.Rule[session.Store]{
		{
			Name:   "get_returns_what_was_created",
			Clause: "Get returns the session with this key hash; times are kept to the microsecond",
			Run:    getReturnsWhatWasCreated,
		},
		{
			Name:   "create_refuses_a_key_that_exists",
			Clause: "If a session has the same key hash, Create changes nothing and wraps ErrExists; of several at once exactly one succeeds",
			Run:    createRefusesKey,
		},
		{
			Name:   "create_refuses_an_id_that_exists",
			Clause: "If a session has the same tenant, person and id, Create changes nothing and wraps ErrExists",
			Run:    createRefusesID,
		},
		{
			Name:   "get_of_an_unknown_key",
			Clause: "Not there: an error that wraps ErrNotFound",
			Run:    getUnknown,
		},
		{
			Name:   "get_returns_a_snapshot",
			Clause: "What a method returns is a snapshot that no later call changes; what a method was given it copies where it keeps it",
			Run:    getReturnsSnapshot,
		},
		{
			Name:   "cancelled_means_not_done",
			Clause: "Every method returns soon after ctx is done, with an error; a cancelled write has happened completely or not at all",
			Run:    cancelled,
		},
	}
}

func getReturnsWhatWasCreated(ctx context.Context, s session.Store) error {
	full := record(ctx, s, clinic, ann, base())
	const staff = audit.ActorID("überstaff-日本")
	bare := session.Record{Key: key(ctx, s, other, staff), Session: session.Session{
		ID: audit.NewID(base()), Tenant: other, Person: staff, Kind: audit.KindPatient,
		AuthTime: base(), Assurance: audit.AAL1, Created: base(), Since: base(), LastSeen: base(),
		IdleEnds: base().Add(time.Microsecond), Ends: base().Add(2 * time.Microsecond), Version: 1,
	}}
	v4 := record(ctx, s, other, ann, base())
	v4.Session.Origin = netip.MustParseAddr("192.0.2.44")
	if err := create(ctx, s, full, bare, v4); err != nil {
		return err
	}
	for _, r := range []session.Record{full, bare, v4} {
		got, err := s.Get(ctx, r.Key)
		if err != nil {
			return fmt.Errorf("get of an existing session: %w", err)
		}
		if err := equal(got.Session, r.Session); err != nil {
			return err
		}
	}
	return nil
}

func createRefusesKey(ctx context.Context, s session.Store) error {
	first := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, first); err != nil {
		return err
	}
	second := record(ctx, s, other, bob, base().Add(time.Minute))
	second.Key = first.Key
	if _, err := s.Create(ctx, second, 0); !errors.Is(err, session.ErrExists) {
		return fmt.Errorf("creating over an existing key: got %v, want ErrExists", err)
	}
	if err := holds(ctx, s, first.Key, first.Session); err != nil {
		return err
	}
	free := key(ctx, s, clinic, bob)
	var won atomic.Int32
	err := together(racers, func(int) error {
		r := record(ctx, s, clinic, bob, base())
		r.Key = free
		_, err := s.Create(ctx, r, 0)
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, session.ErrExists) {
			return fmt.Errorf("creating at once: got %v, want ErrExists", err)
		}
		return nil
	})
	if err == nil && won.Load() != 1 {
		err = fmt.Errorf("%d of %d at once created the same key, want 1", won.Load(), racers)
	}
	return err
}

func createRefusesID(ctx context.Context, s session.Store) error {
	first := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, first); err != nil {
		return err
	}
	second := record(ctx, s, clinic, ann, base().Add(time.Minute))
	second.Session.ID = first.Session.ID
	if _, err := s.Create(ctx, second, 0); !errors.Is(err, session.ErrExists) {
		return fmt.Errorf("creating over an existing id: got %v, want ErrExists", err)
	}
	if _, err := s.Get(ctx, second.Key); !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("get after a refused Create: got %v, want ErrNotFound", err)
	}
	elsewhere := record(ctx, s, other, ann, base())
	elsewhere.Session.ID = first.Session.ID // ids are the tenant's own affair
	return create(ctx, s, elsewhere)
}

func getUnknown(ctx context.Context, s session.Store) error {
	known := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, known); err != nil {
		return err
	}
	near := known.Key
	near.Hash[31] ^= 1
	for _, k := range []session.Key{{}, near, key(ctx, s, clinic, ann)} {
		if _, err := s.Get(ctx, k); !errors.Is(err, session.ErrNotFound) {
			return fmt.Errorf("get of an unknown key: got %v, want ErrNotFound", err)
		}
	}
	return nil
}

func getReturnsSnapshot(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	r.Session.Fresh = []session.Fresh{{Area: "settings", Until: base().Add(time.Minute)}}
	want := r.Session.Clone()
	if err := create(ctx, s, r); err != nil {
		return err
	}
	r.Session.Methods[0], r.Session.Fresh[0].Area = "changed by the caller", "changed by the caller"
	got, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	if !slices.Equal(got.Session.Methods, want.Methods) || !slices.Equal(got.Session.Fresh, want.Fresh) {
		return errors.New("the caller of Create changed its own slice, and the stored session with it")
	}
	before := got.Session.Clone()
	if err := touched(ctx, s, r.Key, base().Add(time.Minute), true); err != nil {
		return err
	}
	if err := revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann}, base().Add(2*time.Minute), "x", 1); err != nil {
		return err
	}
	if err := equal(got.Session, before); err != nil {
		return fmt.Errorf("what Get returned changed when the session did: %w", err)
	}
	return nil
}

func cancelled(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	fresh := record(ctx, s, clinic, ann, base())
	_, getErr := s.Get(done, r.Key)
	_, touchErr := s.Touch(done, r.Key, base().Add(time.Minute), base().Add(16*time.Minute))
	_, revokeErr := s.Revoke(done, session.Selection{Tenant: clinic, Person: ann}, base().Add(time.Minute), "x")
	var listErr error
	for _, err := range s.List(done, clinic, ann, base()) {
		listErr = err
	}
	_, createErr := s.Create(done, fresh, 0)
	for call, err := range map[string]error{
		"Create": createErr, "Get": getErr, "Touch": touchErr, "Revoke": revokeErr, "List": listErr,
	} {
		if err == nil {
			return fmt.Errorf("%s with a cancelled context returned no error", call)
		}
		if errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrExists) {
			return fmt.Errorf("%s with a cancelled context answered: %v", call, err)
		}
	}
	if _, err := s.Get(ctx, fresh.Key); !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("get after a cancelled Create: got %v, want ErrNotFound", err)
	}
	return holds(ctx, s, r.Key, r.Session)
}
