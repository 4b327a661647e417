package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bubble"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
	"github.com/wardkit/wardkit/phi"
)

func (f *faulty) Passkeys(ctx context.Context, t audit.Tenant, p audit.ActorID) (rows []mfa.PasskeyRow, err error) {
	err = f.call(ctx, func() error { rows, err = f.Store.Passkeys(ctx, t, p); return err })
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (f *faulty) FindPasskey(ctx context.Context, t audit.Tenant, hash []byte) (row mfa.PasskeyRow, err error) {
	err = f.call(ctx, func() error { row, err = f.Store.FindPasskey(ctx, t, hash); return err })
	return row, err
}

func (f *faulty) UsePasskey(ctx context.Context, r mfa.Ref, n uint32, backedUp bool, now time.Time) (ok bool, err error) {
	err = f.call(ctx, func() error { ok, err = f.Store.UsePasskey(ctx, r, n, backedUp, now); return err })
	return ok && err == nil, err
}

// holder is lin with two passkeys, a copy of the first, and ceremonies that are under way.
type holder struct {
	*world
	d, thief, second *passkeytest.Device
	ids              []string
	state, response  []byte // of lin's second device, to be verified
	adding, made     []byte // of a third one, to be added
}

func newHolder(t *testing.T, store mfa.Store) *holder {
	t.Helper()
	w := newWorld(t, store, nil)
	h := &holder{world: w, d: w.own(t, lin)}
	h.second = w.own(t, lin)
	h.thief = h.d.Clone()
	w.works(t, lin, h.d)
	for _, key := range w.keys(t, lin) {
		h.ids = append(h.ids, key.ID)
	}
	options, state, err := w.AskPasskey(t.Context(), clinic, "")
	require.NoError(t, err)
	h.state = state
	h.response, err = h.second.Get(options)
	require.NoError(t, err)
	options, h.adding, err = w.BeginPasskey(w.fresh(t, lin), clinic, lin, "lin@example.com")
	require.NoError(t, err)
	h.made, err = passkeytest.New(origin).Create(options)
	require.NoError(t, err)
	return h
}

// passkeyOperations are what a host asks for; they report whether somebody was let through.
func passkeyOperations() map[string]func(ctx context.Context, h *holder) (passed bool, err error) {
	ok := func(err error) (bool, error) { return err == nil, err }
	return map[string]func(ctx context.Context, h *holder) (bool, error){
		"has": func(ctx context.Context, h *holder) (bool, error) { return h.HasPasskey(ctx, clinic, lin) },
		"lives": func(ctx context.Context, h *holder) (bool, error) {
			return h.PasskeyLives(ctx, clinic, lin, h.ids[1])
		},
		"takes codes": func(ctx context.Context, h *holder) (bool, error) {
			_, err := h.TakesCodes(ctx, clinic, lin)
			return ok(err)
		},
		"begin": func(ctx context.Context, h *holder) (bool, error) {
			options, state, err := h.BeginPasskey(h.freshly(ctx, lin), clinic, lin, "lin@example.com")
			return options != nil || state != nil, err
		},
		"add": func(ctx context.Context, h *holder) (bool, error) {
			proof, err := h.AddPasskey(h.freshly(ctx, lin), clinic, lin, h.adding, h.made, "")
			return proof.ID != "", err
		},
		"ask": func(ctx context.Context, h *holder) (bool, error) {
			options, state, err := h.AskPasskey(ctx, clinic, lin)
			return options != nil || state != nil, err
		},
		"owner": func(ctx context.Context, h *holder) (bool, error) {
			person, err := h.PasskeyOwner(ctx, clinic, h.response)
			return person != "", err
		},
		"verify": func(ctx context.Context, h *holder) (bool, error) {
			proof, err := h.VerifyPasskey(ctx, clinic, lin, h.state, h.response)
			return proof.ID != "", err
		},
		"verify a copy": func(ctx context.Context, h *holder) (bool, error) {
			proof, err := h.use(ctx, lin, h.thief)
			if proof.ID != "" {
				return true, errors.New("a copy proves something")
			}
			if errors.Is(err, mfa.ErrPasskeyDisabled) {
				err = nil
			}
			return err == nil, err
		},
		"list": func(ctx context.Context, h *holder) (bool, error) {
			keys, err := h.ListPasskeys(ctx, clinic, lin)
			return len(keys) > 0, err
		},
		"rename": func(ctx context.Context, h *holder) (bool, error) {
			return ok(h.RenamePasskey(h.freshly(ctx, lin), clinic, lin, h.ids[0], "renamed"))
		},
		"remove": func(ctx context.Context, h *holder) (bool, error) {
			return ok(h.RemovePasskey(h.freshly(ctx, lin), clinic, lin, h.ids[0]))
		},
		"issue codes": func(ctx context.Context, h *holder) (bool, error) {
			codes, ok, err := h.IssueCodes(h.freshly(ctx, lin), clinic, lin, "")
			return ok || len(codes.Reveal()) > 0, err
		},
		"reset": func(ctx context.Context, h *holder) (bool, error) {
			return ok(h.Reset(h.freshly(ctx, admin), clinic, lin, ""))
		},
	}
}

// Every store call of every operation fails, stalls or is cut off once. The answer is closed and
// typed, and afterwards the world is as before the operation or as after it.
func TestEveryStoreCallAboutPasskeysMayFail(t *testing.T) {
	t.Parallel()
	for name, do := range passkeyOperations() {
		for _, mode := range []string{"fails", "stalls", "is cut off"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				bubble.Test(t, func(t *testing.T) {
					for at := 1; onePasskeyFault(t, at, mode, do); at++ {
					}
				})
			})
		}
	}
}

func onePasskeyFault(t *testing.T, at int, mode string, do func(context.Context, *holder) (bool, error)) bool {
	store := &faulty{Store: mfa.NewMemory()}
	h := newHolder(t, store)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	store.arm(at, mode)
	passed, err := do(ctx, h)
	if !store.hit() {
		require.NoError(t, err)
		require.True(t, passed)
		return false
	}
	if err != nil {
		require.ErrorIs(t, err, mfa.ErrUnavailable, "call %d", at)
		require.False(t, passed, "call %d", at)
	}
	store.arm(0, "")
	h.consistent(t)
	return true
}

// consistent asserts that what is listed works unless it is disabled, that the count is right, and
// that whatever ended is on record.
func (h *holder) consistent(t *testing.T) {
	t.Helper()
	h.clock.add(time.Hour)
	require.NoError(t, h.Deliver(t.Context()))
	keys := h.keys(t, lin)
	require.Equal(t, len(keys) > 0, h.enrolled(t, lin))
	disabled := slices.ContainsFunc(keys, func(k mfa.Passkey) bool { return !k.Disabled.IsZero() })
	require.Equal(t, disabled, len(h.rec.Find(mfa.ActionPasskeyCloned)) == 1)
	ended := len(h.rec.Find(mfa.ActionPasskeyRemoved)) + len(h.rec.Find(mfa.ActionReset))
	require.Equal(t, ended > 0, len(keys) < 2)
	if ended > 0 || disabled {
		require.NotEmpty(t, h.sessions.ended)
	}
	require.Len(t, h.rec.Find(mfa.ActionPasskeyAdded), max(2, len(keys)))
	if len(keys) > 0 {
		h.works(t, lin, h.second)
	}
}

// A protocol that fails, unlike one that refuses, is an error.
func TestAProtocolThatFailsClosesEverything(t *testing.T) {
	t.Parallel()
	p := newProtocol()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.WebAuthn = p })
	_, adding, err := w.BeginPasskey(t.Context(), clinic, lin, "lin@example.com")
	require.NoError(t, err)
	p.fail = errBroken
	_, err = w.AddPasskey(t.Context(), clinic, lin, adding, p.response("k-1"), "")
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	_, _, err = w.BeginPasskey(t.Context(), clinic, lin, "lin@example.com")
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	p.fail = nil
	_, err = w.AddPasskey(t.Context(), clinic, lin, adding, p.response("k-1"), "")
	require.NoError(t, err)
	_, state, err := w.AskPasskey(t.Context(), clinic, lin)
	require.NoError(t, err)
	p.fail = errBroken
	_, _, err = w.AskPasskey(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	_, err = w.PasskeyOwner(t.Context(), clinic, p.response("k-1"))
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	proof, err := w.VerifyPasskey(t.Context(), clinic, lin, state, p.response("k-1"))
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	require.Empty(t, proof.ID)
	p.fail = mfa.ErrPasskey
	nothing(t)(w.VerifyPasskey(t.Context(), clinic, lin, state, p.response("k-1")))
	_, adding, err = w.AskPasskey(t.Context(), clinic, "")
	require.ErrorIs(t, err, mfa.ErrUnavailable, "%s", adding)
}

func TestARecorderThatFailsClosesPasskeys(t *testing.T) {
	t.Parallel()
	for name, do := range passkeyOperations() {
		switch name {
		case "has", "lives", "takes codes", "ask", "owner", "list", "rename", "remove", "reset", "add", "issue codes":
			continue // record nothing, or through the outbox
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t, mfa.NewMemory())
			h.rec.FailWith(errBroken)
			passed, err := do(t.Context(), h)
			require.ErrorIs(t, err, mfa.ErrUnavailable)
			require.False(t, passed)
			h.rec.FailWith(nil)
			h.consistent(t)
		})
	}
}

func TestPasskeysOutOfReach(t *testing.T) {
	t.Parallel()
	for name, do := range passkeyOperations() {
		switch name {
		case "has", "lives", "takes codes", "owner":
			continue // need no key
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t, mfa.NewMemory())
			h.clock.add(4 * time.Minute) // the ceremonies go on
			h.reopen(t)
			h.kms.fail = errBroken
			passed, err := do(t.Context(), h)
			require.ErrorIs(t, err, mfa.ErrUnavailable)
			require.False(t, passed)
			require.Empty(t, h.rec.Find(mfa.ActionFailed), "nobody attacked")
			h.kms.fail = nil
			h.consistent(t)
		})
	}
}

// reopen forgets every key that the vault has in memory.
func (h *holder) reopen(t *testing.T) {
	t.Helper()
	var err error
	h.vault, err = phi.Open(t.Context(), "mfa-test", h.kms, h.phiKeys, &phi.Options{Now: h.clock.Now})
	require.NoError(t, err)
	h.Factors, err = mfa.New(h.store, h.vault, h.rec, "Example Clinic", &h.options)
	require.NoError(t, err)
}

// overwriteKey replaces a passkey's row, as somebody with access to the database could.
func (w *world) overwriteKey(t *testing.T, of audit.ActorID, edit func(*mfa.PasskeyRow)) {
	t.Helper()
	rows, err := w.store.Passkeys(t.Context(), clinic, of)
	require.NoError(t, err)
	head := w.row(t, of)
	put := rows[0]
	edit(&put)
	change := mfa.Change{Was: head.Ref(), Version: head.Version, Put: &head}
	if string(put.Hash) == string(rows[0].Hash) {
		change.Passkeys = []mfa.PasskeyChange{{ID: put.ID, Version: put.Version, Put: &put}}
	} else {
		change.Passkeys = []mfa.PasskeyChange{{ID: put.ID, Version: put.Version}}
		require.NoError(t, w.store.Apply(t.Context(), change))
		head = w.row(t, of)
		change = mfa.Change{Was: head.Ref(), Version: head.Version, Put: &head, Passkeys: []mfa.PasskeyChange{{ID: put.ID, Put: &put}}}
	}
	require.NoError(t, w.store.Apply(t.Context(), change))
}

func TestATamperedPasskeyIsRefusedAndRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	d := w.own(t, lin)
	rows, err := w.store.Passkeys(t.Context(), clinic, lin)
	require.NoError(t, err)
	good := rows[0].Sealed
	for i := range good {
		w.overwriteKey(t, lin, func(p *mfa.PasskeyRow) {
			p.Sealed = slices.Clone(good)
			p.Sealed[i] ^= 1
		})
		proof, err := w.use(t.Context(), "", d)
		require.ErrorIs(t, err, mfa.ErrUnavailable, "byte %d", i)
		require.Empty(t, proof.ID)
		require.Equal(t, "unreadable", w.refusal(t))
	}
	for name, edit := range map[string]func(*mfa.PasskeyRow){
		"nothing": func(p *mfa.PasskeyRow) { p.Sealed = nil },
		"another": func(p *mfa.PasskeyRow) { p.Sealed = []byte("not sealed at all") },
	} {
		w.overwriteKey(t, lin, edit)
		_, _, err = w.AskPasskey(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrUnavailable, name)
		_, err = w.ListPasskeys(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrUnavailable, name)
	}
	last, ok := w.rec.Last(mfa.ActionFailed)
	require.True(t, ok)
	require.Equal(t, audit.MajorFailure, last.Outcome)
	w.overwriteKey(t, lin, func(p *mfa.PasskeyRow) { p.Sealed = good })
	w.works(t, lin, d)
}

// Neither the database nor the events show a credential ID, a public key or a label.
func TestNothingOfAPasskeyIsWrittenInClear(t *testing.T) {
	t.Parallel()
	p := newProtocol()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.WebAuthn = p })
	w.notices.fail = errBroken
	_, adding, err := w.BeginPasskey(t.Context(), clinic, lin, "lin@example.com")
	require.NoError(t, err)
	_, err = w.AddPasskey(t.Context(), clinic, lin, adding, p.response("the-credential-id"), "Her blue key")
	require.NoError(t, err)
	rows, err := w.store.Passkeys(t.Context(), clinic, lin)
	require.NoError(t, err)
	messages, err := w.store.Claim(t.Context(), w.clock.Now().Add(time.Hour), w.clock.Now(), 100)
	require.NoError(t, err)
	require.NotEmpty(t, messages)
	dump := fmt.Sprintf("%s %+v %s %+v", rows[0].Sealed, messages, bodies(messages), w.rec.Events())
	for _, secret := range []string{"the-credential-id", "key of", "Her blue key", "lin@example.com"} {
		require.NotContains(t, dump, secret)
	}
	require.NotContains(t, string(rows[0].Handle), "p-lin")
	require.Contains(t, dump, rows[0].ID, "the search would find something")
}
