package sessionredis_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
	"github.com/wardkit/wardkit/session/sessionsql"
	"github.com/wardkit/wardkit/session/sessiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clinic = audit.Tenant("clinic-1")
	ann    = audit.ActorID("staff-ann")
	bob    = audit.ActorID("staff-bob")
)

func base() time.Time { return time.Date(2026, 3, 1, 9, 30, 15, 123457000, time.UTC) }

// durable is what outlives Redis, in memory, with hooks around what is done to policies.
type durable struct {
	session.Policies
	seed   [32]byte
	before func(call string) error // an error instead of the call
	after  func(call string) error // an error after it was done
}

func newDurable() *durable {
	none := func(string) error { return nil }
	return &durable{session.NewMemory(), [32]byte{1}, none, none}
}

func (d *durable) Seed(context.Context) ([32]byte, error) { return d.seed, d.before("Seed") }

func (d *durable) GetPolicy(ctx context.Context, t audit.Tenant) (*session.Policy, error) {
	if err := d.before("GetPolicy"); err != nil {
		return nil, err
	}
	p, err := d.Policies.GetPolicy(ctx, t)
	if late := d.after("GetPolicy"); late != nil {
		return nil, late
	}
	return p, err
}

func (d *durable) SavePolicy(ctx context.Context, t audit.Tenant, p session.Policy) error {
	if err := d.before("SavePolicy"); err != nil {
		return err
	}
	err := d.Policies.SavePolicy(ctx, t, p)
	if late := d.after("SavePolicy"); late != nil {
		return late
	}
	return err
}

// open returns a store with keys of its own on the common server.
func open(t testing.TB) session.Store {
	t.Helper()
	client, prefix := enginetest.Redis(t)
	return over(t, client, newDurable(), prefix)
}

func over(t testing.TB, client redis.UniversalClient, d sessionredis.Durable, prefix string) *sessionredis.Store {
	t.Helper()
	s, err := sessionredis.New(client, d, &sessionredis.Options{Prefix: prefix})
	require.NoError(t, err)
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	sessiontest.TestStore(t, open)
}

// The same on three servers that share the keys, with policies and seed in SQL.
func TestStoreOnCluster(t *testing.T) {
	t.Parallel()
	client, _ := enginetest.RedisCluster(t)
	sessiontest.TestStore(t, func(t testing.TB) session.Store {
		sql, err := sessionsql.SQLite(enginetest.SQLite(t).Pool)
		require.NoError(t, err)
		require.NoError(t, sql.Migrate(t.Context()))
		return over(t, client, sql, "t"+session.NewToken().Reveal()+":")
	})
}

// record returns a new session of a person.
func record(t testing.TB, s session.Store, tenant audit.Tenant, person audit.ActorID) session.Record {
	t.Helper()
	route, err := s.Route(t.Context(), tenant, person)
	require.NoError(t, err)
	k := session.NewToken().Key()
	k.Route = route
	return session.Record{Key: k, Session: session.Session{
		ID: audit.NewID(base()), Tenant: tenant, Person: person, Kind: audit.KindStaff, Assurance: audit.AAL2,
		AuthTime: base(), Created: base(), Since: base(), LastSeen: base(), Version: 1,
		IdleEnds: base().Add(15 * time.Minute), Ends: base().Add(12 * time.Hour),
	}}
}

// begun is record, created.
func begun(t testing.TB, s session.Store, tenant audit.Tenant, person audit.ActorID) session.Record {
	t.Helper()
	r := record(t, s, tenant, person)
	_, err := s.Create(t.Context(), r, 0)
	require.NoError(t, err)
	return r
}

// alive requires that the session is there and has not ended.
func alive(t testing.TB, s session.Store, r session.Record) {
	t.Helper()
	f, err := s.Get(t.Context(), r.Key)
	require.NoError(t, err)
	require.Zero(t, f.Session.Ended)
}

// gone requires that nothing is left of the session, by any call.
func gone(t testing.TB, s session.Store, r session.Record) {
	t.Helper()
	_, err := s.Get(t.Context(), r.Key)
	require.ErrorIs(t, err, session.ErrNotFound)
	live, err := s.Touch(t.Context(), r.Key, base().Add(time.Minute), base().Add(16*time.Minute))
	require.NoError(t, err)
	require.False(t, live)
	for range s.List(t.Context(), r.Session.Tenant, r.Session.Person, base()) {
		t.Fatal("a session is listed")
	}
}
