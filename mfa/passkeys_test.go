package mfa_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

const origin = "https://clinic.example"

// fresh returns a context with a person who has just proven two factors.
func (w *world) fresh(t testing.TB, person audit.ActorID) context.Context {
	t.Helper()
	return w.freshly(t.Context(), person)
}

func (w *world) freshly(ctx context.Context, person audit.ActorID) context.Context {
	return audit.WithActor(ctx, audit.Actor{
		ID: person, Kind: audit.KindStaff, Tenant: clinic, Session: "s-1", AuthTime: w.clock.Now(),
		Methods: []string{"hwk", "user"}, Assurance: audit.AAL2, PhishingResistant: true,
	})
}

// make registers a passkey on the device.
func (w *world) make(ctx context.Context, person audit.ActorID, d *passkeytest.Device, label string) (audit.Actor, error) {
	options, state, err := w.BeginPasskey(ctx, clinic, person, string(person)+"@example.com")
	if err != nil {
		return audit.Actor{}, err
	}
	response, err := d.Create(options)
	if err != nil {
		return audit.Actor{}, err
	}
	return w.AddPasskey(ctx, clinic, person, state, response, label)
}

// own gives the person a passkey on a device of their own.
func (w *world) own(t testing.TB, person audit.ActorID) *passkeytest.Device {
	t.Helper()
	d := passkeytest.New(origin)
	w.add(t, person, d, "")
	return d
}

func (w *world) add(t testing.TB, person audit.ActorID, d *passkeytest.Device, label string) audit.Actor {
	t.Helper()
	w.clock.add(time.Second) // so that it is the newest
	proof, err := w.make(w.fresh(t, person), person, d, label)
	require.NoError(t, err)
	require.Equal(t, person, proof.ID)
	return proof
}

// use asks for a passkey and has the device answer.
func (w *world) use(ctx context.Context, person audit.ActorID, d *passkeytest.Device) (audit.Actor, error) {
	options, state, err := w.AskPasskey(ctx, clinic, person)
	if err != nil {
		return audit.Actor{}, err
	}
	response, err := d.Get(options)
	if err != nil {
		return audit.Actor{}, err
	}
	return w.VerifyPasskey(ctx, clinic, person, state, response)
}

// works asserts that the device's passkey proves its owner, asked for by name and without.
func (w *world) works(t testing.TB, person audit.ActorID, d *passkeytest.Device) {
	t.Helper()
	for _, asked := range []audit.ActorID{person, ""} {
		proof, err := w.use(t.Context(), asked, d)
		require.NoError(t, err)
		require.Equal(t, person, proof.ID)
	}
}

// nothing asserts that a ceremony proved nothing, which is no error.
func nothing(t testing.TB) func(audit.Actor, error) {
	return func(proof audit.Actor, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, audit.Actor{}, proof)
	}
}

// code returns the code of the last refused attempt.
func (w *world) refusal(t testing.TB) string {
	t.Helper()
	e, ok := w.rec.Last(mfa.ActionFailed)
	require.True(t, ok)
	require.Equal(t, "passkey", e.Detail["method"])
	return e.Code
}

func (w *world) keys(t testing.TB, person audit.ActorID) []mfa.Passkey {
	t.Helper()
	keys, err := w.ListPasskeys(t.Context(), clinic, person)
	require.NoError(t, err)
	status, err := w.Status(t.Context(), clinic, person)
	require.NoError(t, err)
	require.Equal(t, len(keys), status.Passkeys)
	return keys
}

func (w *world) enrolled(t testing.TB, person audit.ActorID) bool {
	t.Helper()
	on, err := w.Enrolled(t.Context(), clinic, person)
	require.NoError(t, err)
	return on
}

func TestAPasskeyIsAddedAndUsed(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		d := passkeytest.New(origin)
		has, err := w.HasPasskey(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, has)
		proof, err := w.make(t.Context(), lin, d, "  Blue key ") // guided set-up: nobody is signed in
		require.NoError(t, err)
		require.NotEmpty(t, proof.Session)
		want := audit.Actor{Tenant: clinic, ID: lin, Session: w.keys(t, lin)[0].ID, Methods: []string{"hwk", "user"}, Assurance: audit.AAL2, PhishingResistant: true}
		require.Equal(t, want, proof)
		has, err = w.HasPasskey(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.True(t, has)
		require.True(t, w.enrolled(t, lin))

		w.clock.add(time.Hour)
		for _, asked := range []audit.ActorID{lin, ""} {
			proof, err := w.use(t.Context(), asked, d)
			require.NoError(t, err)
			require.Equal(t, want, proof)
		}
		keys := w.keys(t, lin)
		require.Len(t, keys, 1)
		require.NotEmpty(t, keys[0].ID)
		require.Equal(t, mfa.Passkey{ID: keys[0].ID, Label: "Blue key", Created: start, Used: start.Add(time.Hour)}, keys[0])
		require.Equal(t, []string{"mfa.passkey_added"}, w.notices.topics())
		added, ok := w.rec.Last(mfa.ActionPasskeyAdded)
		require.True(t, ok)
		require.Equal(t, []audit.Object{{Type: "person", ID: "p-lin"}, {Type: "passkey", ID: keys[0].ID}}, added.Objects)
		require.Equal(t, "passkey", added.Detail["method"])
		require.Len(t, w.rec.Find(mfa.ActionBegun), 1)
		require.Len(t, w.rec.Find(mfa.ActionVerified), 2)
		require.Empty(t, w.sessions.ended, "adding ends no session")
	})
}

// Somebody is found by the passkey alone, among people of two clinics.
func TestAPasskeySaysWhoseItIs(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		mine, theirs := w.own(t, lin), w.own(t, diaz)
		for person, d := range map[audit.ActorID]*passkeytest.Device{lin: mine, diaz: theirs} {
			options, state, err := w.AskPasskey(t.Context(), clinic, "")
			require.NoError(t, err)
			response, err := d.Get(options)
			require.NoError(t, err)
			owner, err := w.PasskeyOwner(t.Context(), clinic, response)
			require.NoError(t, err)
			require.Equal(t, person, owner)
			elsewhere, err := w.PasskeyOwner(t.Context(), "other-clinic", response)
			require.NoError(t, err)
			require.Empty(t, elsewhere)
			proof, err := w.VerifyPasskey(t.Context(), clinic, person, state, response)
			require.NoError(t, err)
			require.Equal(t, person, proof.ID)
		}
		for _, junk := range []string{"", "{}", "null", "[]", `{"id":"AAAA"}`, strings.Repeat("x", 1<<17)} {
			owner, err := w.PasskeyOwner(t.Context(), clinic, []byte(junk))
			require.NoError(t, err)
			require.Empty(t, owner)
			_, state, err := w.AskPasskey(t.Context(), clinic, "")
			require.NoError(t, err)
			nothing(t)(w.VerifyPasskey(t.Context(), clinic, "", state, []byte(junk)))
		}
	})
}

func TestWhatAPasskeyProves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key     mfa.PublicKey
		said    mfa.Assertion
		method  string
		highest audit.Assurance
	}{
		"bound to a device":            {mfa.PublicKey{}, mfa.Assertion{Count: 1}, "hwk", audit.AAL2},
		"bound and attested":           {mfa.PublicKey{Attested: true}, mfa.Assertion{Count: 1}, "hwk", audit.AAL3},
		"synced":                       {mfa.PublicKey{BackupEligible: true, BackedUp: true}, mfa.Assertion{BackedUp: true}, "swk", audit.AAL2},
		"could be synced":              {mfa.PublicKey{BackupEligible: true}, mfa.Assertion{}, "swk", audit.AAL2},
		"synced, attested":             {mfa.PublicKey{BackupEligible: true, Attested: true}, mfa.Assertion{}, "swk", audit.AAL2},
		"attested, yet it is a backup": {mfa.PublicKey{Attested: true}, mfa.Assertion{Count: 1, BackedUp: true}, "swk", audit.AAL2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProtocol()
			w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.WebAuthn = p })
			p.edit = func(k *mfa.PublicKey) {
				k.BackupEligible, k.BackedUp, k.Attested = c.key.BackupEligible, c.key.BackedUp, c.key.Attested
			}
			_, state, err := w.BeginPasskey(t.Context(), clinic, lin, "lin@example.com")
			require.NoError(t, err)
			made, err := w.AddPasskey(t.Context(), clinic, lin, state, p.response("k-1"), "")
			require.NoError(t, err)
			p.said = c.said
			_, state, err = w.AskPasskey(t.Context(), clinic, lin)
			require.NoError(t, err)
			used, err := w.VerifyPasskey(t.Context(), clinic, lin, state, p.response("k-1"))
			require.NoError(t, err)
			require.Equal(t, []string{c.method, "user"}, used.Methods)
			require.Equal(t, c.highest, used.Assurance)
			require.True(t, made.PhishingResistant && used.PhishingResistant)
			if c.said.BackedUp == c.key.BackedUp {
				require.Equal(t, used, made)
			}
		})
	}
}

// One ceremony is not another, nor another person's, nor another tenant's, nor a tampered one.
func TestACeremonyIsForWhatItWasBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	d := w.own(t, lin)
	w.own(t, diaz)
	options, adding, err := w.BeginPasskey(w.fresh(t, lin), clinic, lin, "lin@example.com")
	require.NoError(t, err)
	other := passkeytest.New(origin)
	created, err := other.Create(options)
	require.NoError(t, err)
	asking, byName, err := w.AskPasskey(t.Context(), clinic, lin)
	require.NoError(t, err)
	got, err := d.Get(asking)
	require.NoError(t, err)
	none := nothing(t)
	none(w.VerifyPasskey(t.Context(), clinic, lin, adding, got))
	none(w.AddPasskey(w.fresh(t, lin), clinic, lin, byName, created, ""))
	none(w.AddPasskey(w.fresh(t, diaz), clinic, diaz, adding, created, ""))
	none(w.AddPasskey(w.fresh(t, lin), "other-clinic", lin, adding, created, ""))
	none(w.VerifyPasskey(t.Context(), clinic, diaz, byName, got))
	none(w.VerifyPasskey(t.Context(), clinic, "", byName, got))
	none(w.VerifyPasskey(t.Context(), "other-clinic", lin, byName, got))
	for _, bad := range [][]byte{nil, {}, []byte("{}"), byName[:len(byName)-2], []byte(strings.ReplaceAll(string(byName), string(lin), "p-x"))} {
		none(w.VerifyPasskey(t.Context(), clinic, lin, bad, got))
		require.Equal(t, "ceremony", w.refusal(t))
	}
	w.clock.add(5*time.Minute + time.Second)
	none(w.VerifyPasskey(t.Context(), clinic, lin, byName, got))
	none(w.AddPasskey(w.fresh(t, lin), clinic, lin, adding, created, ""))
	require.Len(t, w.keys(t, lin), 1)
	w.works(t, lin, d)
}

// The same with a protocol that accepts everything: what a ceremony is for is not left to it.
func TestACeremonyIsBoundWhateverTheProtocolAccepts(t *testing.T) {
	t.Parallel()
	const other audit.Tenant = "other-clinic"
	p := newProtocol()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.WebAuthn = p })
	begin := func(tenant audit.Tenant, person audit.ActorID) []byte {
		_, state, err := w.BeginPasskey(t.Context(), tenant, person, "x@example.com")
		require.NoError(t, err)
		return state
	}
	for _, tenant := range []audit.Tenant{clinic, other} {
		proof, err := w.AddPasskey(t.Context(), tenant, lin, begin(tenant, lin), p.response("k-1"), "")
		require.NoError(t, err)
		require.Equal(t, lin, proof.ID)
	}
	_, asking, err := w.AskPasskey(t.Context(), clinic, lin)
	require.NoError(t, err)
	adding := begin(clinic, diaz)
	none := nothing(t)
	none(w.VerifyPasskey(t.Context(), clinic, lin, begin(clinic, "p-new"), p.response("k-1")))
	none(w.VerifyPasskey(t.Context(), clinic, lin, []byte(strings.Replace(string(asking), `"ask"`, `"add"`, 1)), p.response("k-1")))
	none(w.VerifyPasskey(t.Context(), other, lin, asking, p.response("k-1")))
	none(w.VerifyPasskey(t.Context(), clinic, diaz, asking, p.response("k-1")))
	none(w.AddPasskey(t.Context(), clinic, diaz, asking, p.response("k-2"), ""))
	none(w.AddPasskey(t.Context(), clinic, diaz, []byte(strings.Replace(string(adding), `"add"`, `"ask"`, 1)), p.response("k-2"), ""))
	none(w.AddPasskey(t.Context(), other, diaz, adding, p.response("k-2"), ""))
	none(w.AddPasskey(t.Context(), clinic, diaz, begin(clinic, ""), p.response("k-2"), ""))
	require.Equal(t, "ceremony", w.refusal(t))
	proof, err := w.AddPasskey(t.Context(), clinic, diaz, adding, p.response("k-2"), "")
	require.NoError(t, err)
	require.Equal(t, diaz, proof.ID)
}

// The same response proves nothing twice; that the counter did not grow disables the key.
func TestAReplayedAssertionProvesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		d := w.own(t, lin)
		options, state, err := w.AskPasskey(t.Context(), clinic, lin)
		require.NoError(t, err)
		response, err := d.Get(options)
		require.NoError(t, err)
		proof, err := w.VerifyPasskey(t.Context(), clinic, lin, state, response)
		require.NoError(t, err)
		require.Equal(t, lin, proof.ID)
		proof, err = w.VerifyPasskey(t.Context(), clinic, lin, state, response)
		require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
		require.Empty(t, proof.ID)
	})
}

func TestNoPasskeysWithoutTheProtocol(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.own(t, lin)
	w.options.WebAuthn = nil
	without, err := mfa.New(w.store, w.vault, w.rec, "Example Clinic", &w.options)
	require.NoError(t, err)
	_, _, err = without.BeginPasskey(w.fresh(t, lin), clinic, lin, "lin@example.com")
	require.ErrorIs(t, err, mfa.ErrNoPasskeys)
	_, err = without.AddPasskey(w.fresh(t, lin), clinic, lin, nil, nil, "")
	require.ErrorIs(t, err, mfa.ErrNoPasskeys)
	_, _, err = without.AskPasskey(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrNoPasskeys)
	_, err = without.VerifyPasskey(t.Context(), clinic, lin, nil, nil)
	require.ErrorIs(t, err, mfa.ErrNoPasskeys)
	_, err = without.PasskeyOwner(t.Context(), clinic, nil)
	require.ErrorIs(t, err, mfa.ErrNoPasskeys)
	on, err := without.Enrolled(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, on, "turning passkeys off lets nobody in by password alone")
	has, err := without.HasPasskey(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, has)
	_, _, err = without.Begin(t.Context(), clinic, lin, "mallory@example.com")
	require.ErrorIs(t, err, mfa.ErrEnrolled)
	w.options.Required = always
	strict, err := mfa.New(w.store, w.vault, w.rec, "Example Clinic", &w.options)
	require.NoError(t, err)
	app := w.beginAs(t, lin)
	ok, err := strict.Confirm(w.fresh(t, lin), clinic, lin, w.code(t, app, 0))
	require.NoError(t, err)
	require.True(t, ok)
	_, err = strict.Disable(w.fresh(t, lin), clinic, lin, "")
	require.ErrorIs(t, err, mfa.ErrRequired, "what is turned off cannot be used")

	keys, err := without.ListPasskeys(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.NoError(t, without.RemovePasskey(w.fresh(t, lin), clinic, lin, keys[0].ID))
}

func TestLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	d := w.own(t, lin)
	w.add(t, lin, passkeytest.New(origin), "")
	keys := w.keys(t, lin)
	require.Equal(t, "Passkey 1", keys[0].Label)
	require.Equal(t, "Passkey 2", keys[1].Label)
	for label, ok := range map[string]bool{
		"Küchen-Mac 🔑": true, "  trimmed  ": true, strings.Repeat("ü", 64): true,
		"": false, " ": false, strings.Repeat("x", 65): false, "a\nb": false, "a\x00b": false,
		"a\u202eb": false, "a\xff": false, "a\u00a0b": false,
	} {
		err := w.RenamePasskey(as(t, lin), clinic, lin, keys[0].ID, label)
		if !ok {
			require.ErrorIs(t, err, mfa.ErrName, "%q", label)
			if label != "" && label != " " {
				_, err = w.make(w.fresh(t, lin), lin, passkeytest.New(origin), label)
				require.ErrorIs(t, err, mfa.ErrName, "%q", label)
			}
			continue
		}
		require.NoError(t, err, "%q", label)
		require.Equal(t, strings.TrimSpace(label), w.keys(t, lin)[0].Label)
	}
	require.Equal(t, "Passkey 2", w.keys(t, lin)[1].Label)
	require.ErrorIs(t, w.RenamePasskey(as(t, lin), clinic, lin, "no-such", "x"), mfa.ErrNotFound)
	require.ErrorIs(t, w.RenamePasskey(as(t, diaz), clinic, lin, keys[0].ID, "x"), mfa.ErrNotYours)
	require.ErrorIs(t, w.RenamePasskey(as(t, diaz), clinic, diaz, keys[0].ID, "x"), mfa.ErrNotFound)
	_, _, err := w.BeginPasskey(w.fresh(t, lin), clinic, lin, "a\nb")
	require.ErrorIs(t, err, mfa.ErrName)
	require.Len(t, w.rec.Find(mfa.ActionPasskeyRenamed), 3)
	w.works(t, lin, d)
}

func TestAtMostTwentyPasskeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	_, late, err := w.BeginPasskey(t.Context(), clinic, diaz, "diaz@example.com")
	require.NoError(t, err)
	require.NotEmpty(t, late)
	for i := range mfa.MaxPasskeys {
		w.add(t, lin, passkeytest.New(origin), fmt.Sprint("key ", i))
	}
	_, _, err = w.BeginPasskey(w.fresh(t, lin), clinic, lin, "lin@example.com")
	require.ErrorIs(t, err, mfa.ErrTooMany)
	keys := w.keys(t, lin)
	require.Len(t, keys, mfa.MaxPasskeys)
	require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, keys[7].ID))
	w.add(t, lin, passkeytest.New(origin), "")
}

// A device that has a passkey is asked to make no second one, and a credential is nobody else's.
func TestACredentialIsRegisteredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	d := w.own(t, lin)
	_, err := w.make(w.fresh(t, lin), lin, d, "")
	require.ErrorIs(t, err, passkeytest.ErrExcluded)

	p := newProtocol()
	w = newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.WebAuthn = p })
	_, state, err := w.BeginPasskey(t.Context(), clinic, lin, "lin@example.com")
	require.NoError(t, err)
	proof, err := w.AddPasskey(t.Context(), clinic, lin, state, p.response("same"), "")
	require.NoError(t, err)
	require.Equal(t, lin, proof.ID)
	_, state, err = w.BeginPasskey(t.Context(), clinic, diaz, "diaz@example.com")
	require.NoError(t, err)
	nothing(t)(w.AddPasskey(t.Context(), clinic, diaz, state, p.response("same"), ""))
	require.Equal(t, "taken", w.refusal(t))
	require.False(t, w.enrolled(t, diaz))
}
