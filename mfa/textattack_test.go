package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

func TestAttackOneTextCodeManyRequestsOneWins(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		w.number(t, lin, linsNumber)
		code := w.send(t, lin)
		var won atomic.Int64
		together(crowd(), func(int) {
			methods, err := w.VerifyText(t.Context(), clinic, lin, code)
			if err != nil {
				t.Error(err)
			}
			if methods != nil {
				won.Add(1)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.Len(t, w.rec.Find(mfa.ActionTextVerified), 1)
	})
}

func TestAttackOneTextEnrolmentManyRequestsOneWins(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		code := w.beginText(t, lin, linsNumber)
		me := w.anew(t.Context(), lin)
		var won atomic.Int64
		together(crowd(), func(int) {
			ok, err := w.ConfirmText(me, clinic, lin, code)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.Len(t, w.rec.Find(mfa.ActionTextAdded), 1)
	})
}

// 256 guesses at once get the five tries of one at a time; the sixth, and the right code, get
// nothing.
func TestAttackTextGuessesAtOnceNeverGetMoreTries(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		w.number(t, lin, linsNumber)
		code := w.send(t, lin)
		var busy atomic.Int64
		together(256, func(int) {
			methods, err := w.VerifyText(t.Context(), clinic, lin, another(code))
			if errors.Is(err, mfa.ErrUnavailable) { // a store with too many writers at once says so
				busy.Add(1)
				err = nil
			}
			if err != nil || methods != nil {
				t.Error(methods, err)
			}
		})
		tried := 0
		for _, e := range w.rec.Find(mfa.ActionTextFailed) {
			if e.Code == "wrong_code" {
				tried++
			}
		}
		counted := w.numberRow(t, lin).Failures
		require.LessOrEqual(t, tried, counted)
		require.LessOrEqual(t, counted, 5)
		if busy.Load() == 0 {
			require.Equal(t, 5, tried)
		}
		for range 5 - counted { // what was too busy to be counted was not compared
			w.textRefuses(t, lin, another(code))
		}
		w.textRefuses(t, lin, code)
		w.textPasses(t, lin, w.send(t, lin))
		require.Zero(t, w.numberRow(t, lin).Failures, "consecutive ones count")
	})
}

// Wrong codes add up over all codes: at the limit the number is disabled, whatever comes at once.
func TestAttackTextGuessesOverAllCodesDisableTheNumber(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), func(o *mfa.Options) { o.MaxFailures = 12 })
		key := w.enrol(t, lin)
		w.number(t, lin, linsNumber)
		var locked atomic.Int64
		for range 3 {
			code := w.send(t, lin)
			together(32, func(int) {
				switch methods, err := w.VerifyText(t.Context(), clinic, lin, another(code)); {
				case errors.Is(err, mfa.ErrTextLocked):
					locked.Add(1)
				case err != nil || methods != nil:
					t.Error(methods, err)
				}
			})
		}
		require.Positive(t, locked.Load())
		require.Equal(t, 12, w.numberRow(t, lin).Failures)
		require.Len(t, w.rec.Find(mfa.ActionTextLocked), 1)
		require.Contains(t, w.notices.topics(), "mfa.text_locked")
		_, err := w.VerifyText(t.Context(), clinic, lin, w.carrier.last(t))
		require.ErrorIs(t, err, mfa.ErrTextLocked)
		var d interface{ Disabled() bool }
		require.ErrorAs(t, err, &d)
		require.True(t, d.Disabled())
		before := w.carrier.count()
		_, err = w.SendText(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrTextLocked)
		me := w.anew(t.Context(), lin)
		_, err = w.BeginText(me, clinic, lin, "+12125550187")
		require.ErrorIs(t, err, mfa.ErrTextLocked)
		require.Equal(t, before, w.carrier.count())
		status, err := w.TextStatus(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.Equal(t, mfa.Locked, status.State)

		w.next()
		w.passes(t, lin, w.code(t, key, 0)) // the app goes on
		require.NoError(t, w.RemoveText(me, clinic, lin))
		w.clock.add(time.Hour)
		w.number(t, lin, linsNumber)
		w.textPasses(t, lin, w.send(t, lin))
	})
}

// The default is NIST's limit: with five tries a code, the hundredth wrong one disables.
func TestTextTheCapIs100(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), func(o *mfa.Options) {
		o.Texts.Person, o.Texts.Number = mfa.TextBudget{Hour: 50, Day: 50}, mfa.TextBudget{Hour: 50, Day: 50}
	})
	w.number(t, lin, linsNumber)
	for i := range 20 {
		code := w.send(t, lin)
		for j := range 5 {
			methods, err := w.VerifyText(t.Context(), clinic, lin, another(code))
			require.Nil(t, methods)
			if i == 19 && j == 4 {
				require.ErrorIs(t, err, mfa.ErrTextLocked)
			} else {
				require.NoError(t, err)
			}
		}
	}
}

// Whoever locks a number by guessing is asked for it all the same.
func TestAttackALockedNumberIsStillEnrolled(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 1 })
	w.number(t, lin, linsNumber)
	_, err := w.VerifyText(t.Context(), clinic, lin, another(w.send(t, lin)))
	require.ErrorIs(t, err, mfa.ErrTextLocked)
	on, err := w.Enrolled(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, on)
	_, _, err = w.Begin(t.Context(), clinic, lin, "mallory@example.com")
	require.ErrorIs(t, err, mfa.ErrEnrolled)
	hint, err := w.TextHint(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.NotEmpty(t, hint)
	require.NoError(t, w.Reset(as(t, admin), clinic, lin, "locked"))
}

// A server that dies between the last wrong code and writing down the lock: the count disables.
func TestAttackACrashBeforeTheLockLosesNothing(t *testing.T) {
	t.Parallel()
	store := &faultyTexts{&faulty{Store: mfa.NewMemory()}}
	w := newTexting(t, store, func(o *mfa.Options) { o.MaxFailures = 1 })
	w.number(t, lin, linsNumber)
	code := w.send(t, lin)
	store.arm(6, "fails") // Number and Get, TryText, then Number and Get for the lock, then ApplyNumber
	_, err := w.VerifyText(t.Context(), clinic, lin, another(code))
	require.True(t, store.hit())
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	store.arm(0, "")
	require.True(t, w.numberRow(t, lin).Locked.IsZero(), "the lock was not written")
	_, err = w.VerifyText(t.Context(), clinic, lin, code)
	require.ErrorIs(t, err, mfa.ErrTextLocked)
	require.Contains(t, w.notices.topics(), "mfa.text_locked", "told after all")
}

// A number that is typed gets nothing from anybody who is not signed in as its owner: not in a
// guided set-up, not for somebody else, not on behalf, not by a session that proved too little.
func TestAttackNoTextToATypedNumber(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	_, err := w.BeginText(as(t, lin), clinic, lin, linsNumber)
	require.ErrorIs(t, err, mfa.ErrUnproven, "an old session, though there is no factor yet")
	w.enrol(t, diaz)
	for name, ctx := range map[string]context.Context{
		"nobody":       t.Context(),
		"somebody":     w.anew(t.Context(), admin),
		"anonymous":    audit.WithActor(t.Context(), audit.Actor{Kind: audit.KindAnonymous, Tenant: clinic}),
		"elsewhere":    audit.WithActor(t.Context(), audit.Actor{ID: diaz, Kind: audit.KindStaff, Tenant: "other", Assurance: audit.AAL2, AuthTime: w.clock.Now()}),
		"on behalf":    audit.WithActor(t.Context(), audit.Actor{ID: diaz, Kind: audit.KindAgent, Tenant: clinic, OnBehalfOf: "p-x", Assurance: audit.AAL2, AuthTime: w.clock.Now()}),
		"one factor":   as(t, diaz),
		"long ago":     audit.WithActor(t.Context(), audit.Actor{ID: diaz, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2, AuthTime: w.clock.Now().Add(-time.Hour)}),
		"one just now": audit.WithActor(t.Context(), audit.Actor{ID: diaz, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL1, AuthTime: w.clock.Now()}),
	} {
		_, err := w.BeginText(ctx, clinic, diaz, linsNumber)
		require.True(t, errors.Is(err, mfa.ErrNotYours) || errors.Is(err, mfa.ErrUnproven), "%s: %v", name, err)
		_, err = w.ConfirmText(ctx, clinic, diaz, "123456")
		require.Error(t, err, name)
	}
	require.Zero(t, w.carrier.count())
}

// A stolen session of the time before there was a second factor begins with a number of its own,
// and confirms it once the owner has set up the app.
func TestAttackANumberBegunBeforeTheAppIsNotConfirmedAfterIt(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	stolen := audit.WithActor(t.Context(), audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL1, AuthTime: w.clock.Now()})
	_, err := w.BeginText(stolen, clinic, lin, "+12125550187")
	require.NoError(t, err)
	code := w.carrier.last(t)
	w.enrol(t, lin)
	ok, err := w.ConfirmText(stolen, clinic, lin, code)
	require.ErrorIs(t, err, mfa.ErrUnproven)
	require.False(t, ok)
	hint, err := w.TextHint(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Empty(t, hint)
}

// Whoever can write to the database cannot make a code of one person, purpose or time good for
// another.
func TestAttackMovedTextCodes(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	w.number(t, lin, linsNumber)
	w.number(t, diaz, "+12125550187")
	mallorys := w.send(t, diaz)
	lins := w.send(t, lin)
	victim, attacker := w.numberRow(t, lin), w.numberRow(t, diaz)
	plant := func(edit func(n *mfa.Number)) {
		now := w.numberRow(t, lin)
		put := victim
		edit(&put)
		require.NoError(t, w.store.ApplyNumber(t.Context(), mfa.NumberChange{Was: now.Ref(), Version: now.Version, Put: &put}))
	}
	refused := func(name, code string) {
		methods, err := w.VerifyText(t.Context(), clinic, lin, code)
		require.Nil(t, methods, name)
		require.True(t, err == nil || errors.Is(err, mfa.ErrUnavailable), "%s: %v", name, err)
	}
	plant(func(n *mfa.Number) { n.Code = attacker.Code })
	refused("somebody else's", mallorys)
	plant(func(n *mfa.Number) { n.Code, n.CodeID = attacker.Code, attacker.CodeID })
	refused("somebody else's with its name", mallorys)
	plant(func(n *mfa.Number) { n.CodeID = audit.NewID(start) })
	refused("renamed, as a new one", lins)
	plant(func(n *mfa.Number) { n.Expires = n.Expires.Add(time.Hour) })
	refused("prolonged", lins)
	plant(func(n *mfa.Number) { n.Code = nil })
	refused("emptied", "000000")
	for i := range victim.Code {
		plant(func(n *mfa.Number) { n.Code = append([]byte(nil), n.Code...); n.Code[i] ^= 1 })
		refused(fmt.Sprintf("byte %d", i), lins)
	}
	plant(func(n *mfa.Number) { n.Enrols, n.Next = true, victim.Phone })
	ok, err := w.ConfirmText(w.anew(t.Context(), lin), clinic, lin, lins)
	require.ErrorIs(t, err, mfa.ErrUnavailable, "for signing in, not for confirming")
	require.False(t, ok)
	w.textPasses(t, diaz, mallorys)
	unproven := w.beginText(t, diaz, "+12125550188")
	n := w.numberRow(t, diaz)
	put := n
	put.Enrols = false
	require.NoError(t, w.store.ApplyNumber(t.Context(), mfa.NumberChange{Was: n.Ref(), Version: n.Version, Put: &put}))
	_, err = w.VerifyText(t.Context(), clinic, diaz, unproven)
	require.ErrorIs(t, err, mfa.ErrUnavailable, "for confirming, not for signing in")
	plant(func(n *mfa.Number) { n.Phone = attacker.Phone })
	refused("to another number", lins)
	failed, found := w.rec.Last(mfa.ActionTextFailed)
	require.True(t, found)
	require.Equal(t, "unreadable", failed.Code)
	plant(func(*mfa.Number) {})
	w.textPasses(t, lin, lins)
}

// A stolen database has no number and nothing that a million guesses would turn into a code;
// events and errors have neither.
func TestTextNothingIsWrittenInClear(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	w.notices.fail = errBroken // so that messages stay
	w.number(t, lin, linsNumber)
	code := w.send(t, lin)
	w.textRefuses(t, lin, another(code))
	dump := fmt.Sprintf("%+v", w.numberRow(t, lin))
	messages, err := w.store.Claim(t.Context(), w.clock.Now().Add(time.Hour), w.clock.Now(), 100)
	require.NoError(t, err)
	require.NotEmpty(t, messages)
	dump += fmt.Sprintf("%+v %s %+v", messages, bodies(messages), w.rec.Events())
	n := w.numberRow(t, lin)
	dump += string(n.Phone) + string(n.Next) + string(n.Code)
	w.carrier.fail = fmt.Errorf("the carrier says no to %s about %s", linsNumber, code)
	w.clock.add(time.Hour)
	_, err = w.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrTextNotSent)
	dump += err.Error()
	dump = ids.ReplaceAllString(dump, "an id") // which may have the code's digits by chance
	for _, secret := range []string{linsNumber, linsNumber[1:], "5550123", code} {
		require.NotContains(t, dump, secret)
	}
	require.Contains(t, dump, "p-lin", "the search would find something")
	_, err = w.BeginText(w.anew(t.Context(), lin), clinic, lin, "415-555-0123")
	require.NotContains(t, err.Error(), "0123")
}

// E-mail is no second factor here (NIST SP 800-63B-4, section 3.1.3.1): there is nothing that
// takes an address.
func TestAttackNoCodesByMail(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	for _, address := range []string{"dr.lin@example.com", "mailto:dr.lin@example.com", "+14155550123@sms.example.com"} {
		_, err := w.BeginText(w.anew(t.Context(), lin), clinic, lin, address)
		require.ErrorIs(t, err, mfa.ErrNumber)
	}
	require.Zero(t, w.carrier.count())
}

func TestTextKeysOutOfReach(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	w.number(t, lin, linsNumber)
	code := w.send(t, lin)
	w.clock.add(phi.DefaultCacheTTL + time.Minute)
	n := w.numberRow(t, lin)
	w.kms.fail = errBroken
	_, err := w.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	_, err = w.TextHint(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	_, err = w.TextStatus(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	_, err = w.BeginText(w.anew(t.Context(), lin), clinic, lin, linsNumber)
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	methods, _ := w.VerifyText(t.Context(), clinic, lin, code)
	require.Nil(t, methods)
	require.Equal(t, 2, w.carrier.count())
	require.Equal(t, n, w.numberRow(t, lin))
}

// between is a store that does something else between a try and what follows it.
type between struct {
	mfa.Store
	once func()
}

func (b *between) TryText(ctx context.Context, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error) {
	n, err := b.Store.TryText(ctx, r, code, tries, failures, now)
	if b.once != nil {
		b.once()
		b.once = nil
	}
	return n, err
}

// A right code of a number that was locked, replaced by another code, or ended between the try
// and the write confirms nothing and passes nothing.
func TestAttackOvertakenTextCodes(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(n *mfa.Number){
		"locked":       func(n *mfa.Number) { n.Locked = start },
		"another code": func(n *mfa.Number) { n.CodeID = "c-other" },
		"burnt":        func(n *mfa.Number) { n.CodeID, n.Code = "", nil },
	} {
		for _, enrols := range []bool{true, false} {
			store := &between{Store: mfa.NewMemory()}
			w := newTexting(t, store, nil)
			w.number(t, lin, linsNumber)
			code := ""
			if enrols {
				code = w.beginText(t, lin, "+12125550188")
			} else {
				code = w.send(t, lin)
			}
			store.once = func() {
				n := w.numberRow(t, lin)
				put := n
				edit(&put)
				require.NoError(t, store.ApplyNumber(t.Context(), mfa.NumberChange{Was: n.Ref(), Version: n.Version, Put: &put}))
			}
			if enrols {
				ok, err := w.ConfirmText(w.anew(t.Context(), lin), clinic, lin, code)
				require.False(t, ok, name)
				require.NoError(t, err, name)
			} else {
				methods, err := w.VerifyText(t.Context(), clinic, lin, code)
				require.Nil(t, methods, name)
				require.Equal(t, name == "locked", errors.Is(err, mfa.ErrTextLocked), name)
			}
			hint, err := w.TextHint(t.Context(), clinic, lin)
			require.NoError(t, err)
			require.Equal(t, "•• 23", hint, name)
		}
	}
}

// Not the whole row of somebody else either, with the time of confirmation that makes it valid.
func TestAttackAMovedNumber(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	w.number(t, lin, linsNumber)
	w.number(t, diaz, "+12125550187")
	mallorys := w.send(t, diaz)
	moved, victim := w.numberRow(t, diaz), w.numberRow(t, lin)
	moved.Tenant, moved.Person = victim.Tenant, victim.Person
	require.NoError(t, w.store.ApplyNumber(t.Context(), mfa.NumberChange{Was: victim.Ref(), Version: victim.Version, Put: &moved}))
	head := w.row(t, lin)
	head.Texted = moved.Confirmed
	w.overwrite(t, head)
	methods, err := w.VerifyText(t.Context(), clinic, lin, mallorys)
	require.ErrorIs(t, err, phi.ErrTampered)
	require.Nil(t, methods)
	w.clock.add(time.Hour)
	_, err = w.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, phi.ErrTampered)
	moved = w.numberRow(t, lin)
	moved.Phone = victim.Phone
	w.beginText(t, diaz, "+12125550188")
	next := w.numberRow(t, diaz)
	moved.Next, moved.Code, moved.CodeID, moved.Enrols, moved.Expires, moved.Tries = next.Next, next.Code, next.CodeID, true, next.Expires, 0
	now := w.numberRow(t, lin)
	require.NoError(t, w.store.ApplyNumber(t.Context(), mfa.NumberChange{Was: now.Ref(), Version: now.Version, Put: &moved}))
	ok, err := w.ConfirmText(w.anew(t.Context(), lin), clinic, lin, w.carrier.last(t))
	require.ErrorIs(t, err, phi.ErrTampered)
	require.False(t, ok)
	require.Equal(t, 4, w.carrier.count())
}

// A number that was never confirmed is forgotten with the next code.
func TestAnUnconfirmedNumberIsForgotten(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	w.number(t, lin, linsNumber)
	w.beginText(t, lin, "+12125550188")
	require.NotEmpty(t, w.numberRow(t, lin).Next)
	w.clock.add(time.Hour)
	w.send(t, lin)
	require.Empty(t, w.numberRow(t, lin).Next)
}
