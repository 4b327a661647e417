package mfa_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

// enrolsNothing asserts that nobody in ctx sets up a factor for the person, by no way in.
func (w *world) enrolsNothing(t *testing.T, ctx context.Context, person audit.ActorID, want error) {
	t.Helper()
	_, _, err := w.Begin(ctx, clinic, person, "mallory@example.com")
	require.ErrorIs(t, err, want)
	_, _, err = w.BeginPasskey(ctx, clinic, person, "mallory@example.com")
	require.ErrorIs(t, err, want)
}

// Who stole a password and a copy of the passkey cannot turn the copy into set-up of a factor of
// their own: a disabled passkey is asked for like a locked app.
func TestAttackACopyIsNoWayToSetUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	begun, err := func() ([]byte, error) { // guided set-up of somebody who knew the password before
		_, state, err := w.BeginPasskey(t.Context(), clinic, lin, "mallory@example.com")
		return state, err
	}()
	require.NoError(t, err)
	pending := w.begin(t, lin)
	d := w.own(t, lin)
	w.clone(t, lin, d)
	require.True(t, w.enrolled(t, lin))
	has, err := w.HasPasskey(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, has)
	w.enrolsNothing(t, t.Context(), lin, mfa.ErrEnrolled)
	_, err = w.Confirm(t.Context(), clinic, lin, w.code(t, pending, 0))
	require.ErrorIs(t, err, mfa.ErrEnrolled)
	p := newProtocol()
	w.options.WebAuthn = p // accepts everything
	f, err := mfa.New(w.store, w.vault, w.rec, "Example Clinic", &w.options)
	require.NoError(t, err)
	_, err = f.AddPasskey(t.Context(), clinic, lin, begun, p.response("mine"), "")
	require.ErrorIs(t, err, mfa.ErrEnrolled)
	_, _, err = w.IssueCodes(w.fresh(t, diaz), clinic, lin, "")
	require.ErrorIs(t, err, mfa.ErrNotYours)
}

// A session that proves less than what is there adds nothing and ends nothing.
func TestAttackAWeakSessionChangesNoPasskey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, diaz)
	d := w.own(t, lin)
	w.own(t, lin)
	id := w.keys(t, lin)[0].ID
	now := w.clock.Now()
	strong := audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: clinic, Session: "s-1", AuthTime: now, Assurance: audit.AAL2, PhishingResistant: true}
	for name, c := range map[string]struct {
		edit func(*audit.Actor)
		add  error
		end  error
	}{
		"nobody":           {func(a *audit.Actor) { *a = audit.Actor{} }, mfa.ErrEnrolled, mfa.ErrNotYours},
		"an administrator": {func(a *audit.Actor) { a.ID = admin }, mfa.ErrEnrolled, mfa.ErrNotYours},
		"another tenant":   {func(a *audit.Actor) { a.Tenant = "other-clinic" }, mfa.ErrEnrolled, mfa.ErrNotYours},
		"on their behalf":  {func(a *audit.Actor) { a.OnBehalfOf = lin }, mfa.ErrEnrolled, mfa.ErrNotYours},
		"one factor":       {func(a *audit.Actor) { a.Assurance = audit.AAL1 }, mfa.ErrUnproven, mfa.ErrUnproven},
		"long ago":         {func(a *audit.Actor) { a.AuthTime = now.Add(-15*time.Minute - time.Second) }, mfa.ErrUnproven, mfa.ErrUnproven},
		"never":            {func(a *audit.Actor) { a.AuthTime = time.Time{} }, mfa.ErrUnproven, mfa.ErrUnproven},
	} {
		a := strong
		c.edit(&a)
		ctx := audit.WithActor(t.Context(), a)
		w.enrolsNothing(t, ctx, lin, c.add)
		require.ErrorIs(t, w.RemovePasskey(ctx, clinic, lin, id), c.end, name)
		_, _, err := w.IssueCodes(ctx, clinic, lin, "")
		require.ErrorIs(t, err, c.end, name)
	}
	require.Empty(t, w.sessions.ended)
	require.Len(t, w.keys(t, lin), 2)
	w.works(t, lin, d)

	// A session without a passkey does not stand in for the app, however strong it is.
	plain := audit.WithActor(t.Context(), audit.Actor{ID: diaz, Kind: audit.KindStaff, Tenant: clinic, AuthTime: w.clock.Now(), Assurance: audit.AAL2, PhishingResistant: true})
	ok, err := w.Disable(plain, clinic, diaz, "")
	require.NoError(t, err)
	require.False(t, ok)
	w.own(t, diaz)
	byCode := audit.WithActor(t.Context(), audit.Actor{ID: diaz, Kind: audit.KindStaff, Tenant: clinic, AuthTime: w.clock.Now(), Assurance: audit.AAL2})
	ok, err = w.Disable(byCode, clinic, diaz, "")
	require.NoError(t, err)
	require.False(t, ok)
	w.next()
	w.passes(t, diaz, w.code(t, key, 0))
}

// Who can write to the database makes no key of their own somebody else's, nor a disabled one good.
func TestAttackRowsOfTheDatabase(t *testing.T) {
	t.Parallel()
	setUp := func(t *testing.T) (*world, *passkeytest.Device, mfa.PasskeyRow) {
		w := newWorld(t, mfa.NewMemory(), nil)
		mine := w.own(t, diaz) // the attacker is diaz
		w.own(t, lin)
		rows, err := w.store.Passkeys(t.Context(), clinic, diaz)
		require.NoError(t, err)
		return w, mine, rows[0]
	}
	t.Run("a copy of my record under my hash", func(t *testing.T) {
		t.Parallel()
		w, mine, row := setUp(t)
		require.NoError(t, w.Reset(as(t, admin), clinic, diaz, "")) // frees the hash
		w.overwriteKey(t, lin, func(p *mfa.PasskeyRow) { p.Sealed, p.Hash = row.Sealed, row.Hash })
		for _, asked := range []audit.ActorID{lin, ""} {
			proof, err := w.use(t.Context(), asked, mine)
			require.True(t, err != nil || proof.ID == "")
			require.Empty(t, proof.ID)
		}
	})
	t.Run("my whole row, renamed", func(t *testing.T) {
		t.Parallel()
		w, mine, row := setUp(t)
		require.NoError(t, w.Reset(as(t, admin), clinic, diaz, ""))
		victim := w.row(t, lin)
		stolen := row
		stolen.Person, stolen.Version = lin, 0
		victim.Handle, victim.Passkeys = row.Handle, 1
		require.NoError(t, w.store.Apply(t.Context(), mfa.Change{
			Was: victim.Ref(), Version: victim.Version, Put: &victim, Passkeys: []mfa.PasskeyChange{{ID: row.ID, Put: &stolen}},
		}))
		proof, err := w.use(t.Context(), "", mine)
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.Empty(t, proof.ID)
		require.Equal(t, "unreadable", w.refusal(t))
	})
	t.Run("another tenant", func(t *testing.T) {
		t.Parallel()
		w, mine, row := setUp(t)
		head := w.row(t, diaz)
		head.Tenant, row.Tenant = "other-clinic", "other-clinic"
		require.NoError(t, w.store.Apply(t.Context(), mfa.Change{
			Was: mfa.Ref{Tenant: "other-clinic", Person: diaz}, Put: &head, Passkeys: []mfa.PasskeyChange{{ID: row.ID, Put: &row}},
		}))
		options, state, err := w.AskPasskey(t.Context(), "other-clinic", "")
		require.NoError(t, err)
		response, err := mine.Get(options)
		require.NoError(t, err)
		proof, err := w.VerifyPasskey(t.Context(), "other-clinic", "", state, response)
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.Empty(t, proof.ID)
	})
	t.Run("an old row of hers, adopted", func(t *testing.T) {
		t.Parallel()
		w, _, _ := setUp(t)
		old := passkeytest.New(origin)
		w.add(t, lin, old, "")
		rows, err := w.store.Passkeys(t.Context(), clinic, lin)
		require.NoError(t, err)
		row := rows[1]
		require.NoError(t, w.Reset(as(t, admin), clinic, lin, "stolen"))
		w.own(t, lin)
		head := w.row(t, lin)
		row.Handle, head.Passkeys = head.Handle, 2
		require.NoError(t, w.store.Apply(t.Context(), mfa.Change{
			Was: head.Ref(), Version: head.Version, Put: &head, Passkeys: []mfa.PasskeyChange{{ID: row.ID, Put: &row}},
		}))
		old.Lie = func(c *passkeytest.Claims) { c.Handle = head.Handle }
		proof, err := w.use(t.Context(), "", old)
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.Empty(t, proof.ID)
	})
	t.Run("her other record in this row", func(t *testing.T) {
		t.Parallel()
		w, _, _ := setUp(t)
		old := w.own(t, lin)
		rows, err := w.store.Passkeys(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, rows[1].ID))
		w.overwriteKey(t, lin, func(p *mfa.PasskeyRow) { p.Sealed, p.Hash = rows[1].Sealed, rows[1].Hash })
		proof, err := w.use(t.Context(), "", old)
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.Empty(t, proof.ID)
	})
	t.Run("enabling it again", func(t *testing.T) {
		t.Parallel()
		w, mine, _ := setUp(t)
		w.clone(t, diaz, mine)
		w.overwriteKey(t, diaz, func(p *mfa.PasskeyRow) { p.Disabled, p.Count = time.Time{}, 0 })
		for range 3 {
			_, err := w.use(t.Context(), "", mine)
			require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
		}
	})
	t.Run("the count cleared", func(t *testing.T) {
		t.Parallel()
		w, mine, _ := setUp(t)
		head := w.row(t, diaz)
		head.Passkeys = 0
		w.overwrite(t, head)
		nothing(t)(w.use(t.Context(), "", mine))
		require.Empty(t, w.keys(t, diaz))
	})
	t.Run("the hash of another", func(t *testing.T) {
		t.Parallel()
		w, mine, row := setUp(t)
		w.overwriteKey(t, diaz, func(p *mfa.PasskeyRow) { p.Hash = slices.Repeat([]byte{1}, 32) })
		nothing(t)(w.use(t.Context(), "", mine))
		_, err := w.ListPasskeys(t.Context(), clinic, diaz)
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.NotEmpty(t, row.Hash)
	})
}

// A response that names somebody else's passkey or handle proves nothing, and cannot disable it.
func TestAttackLiesAboutWhoseItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	victim := passkeytest.New(origin)
	var id, handle []byte
	victim.Lie = func(c *passkeytest.Claims) { id, handle = slices.Clone(c.ID), slices.Clone(c.Handle) }
	w.add(t, lin, victim, "")
	w.works(t, lin, victim)
	require.Len(t, handle, 64)
	attacker := w.own(t, diaz)
	for name, lie := range map[string]func(*passkeytest.Claims){
		"the victim's handle":             func(c *passkeytest.Claims) { c.Handle = handle },
		"no handle":                       func(c *passkeytest.Claims) { c.Handle = nil },
		"the victim's ID":                 func(c *passkeytest.Claims) { c.ID = id },
		"the victim's ID and handle":      func(c *passkeytest.Claims) { c.ID, c.Handle = id, handle },
		"the victim's, counter far ahead": func(c *passkeytest.Claims) { c.ID, c.Handle, c.Count = id, handle, 1<<31 },
		"the victim's, counter behind":    func(c *passkeytest.Claims) { c.ID, c.Handle, c.Count = id, handle, 1 },
	} {
		liar := attacker.Clone()
		liar.Lie = lie
		options, state, err := w.AskPasskey(t.Context(), clinic, "")
		require.NoError(t, err)
		response, err := liar.Get(options)
		require.NoError(t, err, name)
		owner, err := w.PasskeyOwner(t.Context(), clinic, response)
		require.NoError(t, err)
		if both := strings.Contains(name, "and handle") || strings.Contains(name, "counter"); both {
			require.Equal(t, lin, owner, "whose it is, with nothing proven")
		} else {
			require.Empty(t, owner, name)
		}
		for _, person := range []audit.ActorID{"", lin} {
			nothing(t)(w.VerifyPasskey(t.Context(), clinic, person, state, response))
		}
	}
	require.Empty(t, w.rec.Find(mfa.ActionPasskeyCloned), "a forged counter disables nothing")
	w.works(t, lin, victim)
	for person, d := range map[audit.ActorID]*passkeytest.Device{lin: attacker, diaz: victim} {
		options, state, err := w.AskPasskey(t.Context(), clinic, "")
		require.NoError(t, err)
		response, err := d.Get(options)
		require.NoError(t, err)
		nothing(t)(w.VerifyPasskey(t.Context(), clinic, person, state, response))
	}
	w.works(t, lin, victim)
}

// A reset by a server of the release before, which knows no passkeys, leaves their rows behind.
// They are dead, also once the person has factors again.
func TestAttackPasskeysLeftByAnOlderRelease(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		w := newWorld(t, sqlStore(t, e), nil)
		d := w.own(t, lin)
		olderReset(t, e.Pool)
		require.False(t, w.enrolled(t, lin))
		nothing(t)(w.use(t.Context(), "", d))
		w.enrol(t, lin)
		nothing(t)(w.use(t.Context(), "", d))
		require.Empty(t, w.keys(t, lin))
		anew := w.own(t, lin)
		require.Len(t, w.keys(t, lin), 1)
		nothing(t)(w.use(t.Context(), "", d))
		w.works(t, lin, anew)
		require.NoError(t, w.Reset(as(t, admin), clinic, lin, ""))
		rows, err := w.store.Passkeys(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.Empty(t, rows, "a reset sweeps them up")
	})
}

func olderReset(t *testing.T, db *sql.DB) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), `DELETE FROM mfa_credential WHERE person = 'p-lin'`)
	require.NoError(t, err)
}
