package tlog_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const (
	clinic audit.Tenant = "clinic"
	other  audit.Tenant = "other"
	origin              = "clinic.example.com/audit"

	waiting, tick = 10 * time.Second, time.Millisecond // for what another goroutine does
)

// bg is for what must not end with a test's context.
var bg = context.Background()

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// key is a key for checkpoints; the same for the same seed.
func key(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

// events is a store of events that trees can be built over.
type events interface {
	audit.Store
	tlog.Source
}

// house is a log of events with its trees.
type house struct {
	events events
	trees  tlog.Store
	pool   *sql.DB // nil in memory
	sqlite bool
	log    *tlog.Log
	n      int
	now    *time.Time // nil: noon
}

// each runs f over a house in memory and on each engine.
func each(t *testing.T, f func(t *testing.T, open func(o *tlog.Options) *house)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		f(t, func(o *tlog.Options) *house {
			return build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", o)
		})
	})
	onSQL(t, f)
}

// onSQL is each without the one in memory.
func onSQL(t *testing.T, f func(t *testing.T, open func(o *tlog.Options) *house)) {
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		f(t, func(o *tlog.Options) *house { return build(t, over(t, open(t)), "key", o) })
	})
}

// over opens both stores on an engine.
func over(t testing.TB, e enginetest.Engine) *house {
	t.Helper()
	h, err := opened(e)
	require.NoError(t, err)
	return h
}

func opened(e enginetest.Engine) (*house, error) {
	h := &house{pool: e.Pool, sqlite: e.Dialect == sqlkit.SQLite}
	var (
		a    *auditsql.Store
		s    *tlogsql.Store
		errA error
		errS error
	)
	if h.sqlite {
		a, errA = auditsql.SQLite(e.Pool)
		s, errS = tlogsql.SQLite(e.Pool)
	} else {
		a, errA = auditsql.Postgres(e.Pool, make([]byte, 32))
		s, errS = tlogsql.Postgres(e.Pool)
	}
	if err := errors.Join(errA, errS); err != nil {
		return nil, err
	}
	h.events, h.trees = a, s
	return h, errors.Join(a.Migrate(context.Background()), s.Migrate(context.Background()))
}

func build(t testing.TB, h *house, seed string, o *tlog.Options) *house {
	t.Helper()
	if o == nil {
		o = &tlog.Options{}
	}
	o.Now = func() time.Time { return noon }
	if h.now != nil {
		o.Now = func() time.Time { return *h.now }
	}
	var err error
	h.log, err = tlog.New(h.events, h.trees, origin, key(seed), o)
	require.NoError(t, err)
	return h
}

// again is a second process over the same database.
func (h *house) again(t testing.TB, o *tlog.Options) *house {
	t.Helper()
	c := *h
	return build(t, &c, "key", o)
}

// entry is an event as a log writes it; word makes it another one.
func entry(t audit.Tenant, n int, word string) audit.Entry {
	e := audit.Event{
		ID: audit.NewID(noon.Add(time.Duration(n) * time.Millisecond)), Tenant: t, Action: "patient.read", Verb: audit.Read,
		Recorded: noon.Add(time.Duration(n) * time.Millisecond), Actor: audit.Actor{ID: "u-9", Kind: audit.KindStaff, Tenant: t},
		Patients: []audit.Patient{audit.Patient(fmt.Sprint("p-", n%7))}, Detail: map[string]string{"word": word},
	}
	return encoded(e)
}

// add appends n events of a tenant and gives them their place.
func (h *house) add(t testing.TB, tenant audit.Tenant, n int, word string) {
	t.Helper()
	var all []audit.Entry
	for range n {
		all = append(all, entry(tenant, h.n, word))
		h.n++
	}
	for len(all) > 0 {
		k := min(len(all), 500)
		require.NoError(t, h.events.Append(context.Background(), all[:k]))
		all = all[k:]
	}
	for {
		placed, err := h.events.Sequence(context.Background(), 10_000)
		require.NoError(t, err)
		if placed == 0 {
			return
		}
	}
}

// cover integrates what is there.
func (h *house) cover(t testing.TB) tlog.Checkpoint {
	t.Helper()
	c, err := h.log.Integrate(context.Background())
	require.NoError(t, err)
	return c
}

// verify verifies with an old checkpoint or nil.
func (h *house) verify(old []byte) (tlog.Report, error) {
	return tlog.Verify(context.Background(), h.events, h.trees, h.log.VerifierKey(), old, nil)
}

func encoded(e audit.Event) audit.Entry {
	body, err := audit.Encode(e)
	if err != nil {
		panic(err)
	}
	return audit.Entry{
		Index: -1, Tenant: e.Tenant, ID: e.ID, Recorded: e.Recorded, Actor: e.Actor.ID, Action: e.Action,
		Patients: e.Patients, Body: body, Leaf: audit.Leaf(body),
	}
}

type ed25519Public = ed25519.PublicKey

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
