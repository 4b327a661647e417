package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// begins lets a person of a tenant, new to it, ask for a code to a number, and returns what came
// of it.
func (w *texting) begins(t testing.TB, tenant audit.Tenant, person, number string) error {
	t.Helper()
	ctx := audit.WithActor(t.Context(), audit.Actor{ID: audit.ActorID(person), Kind: audit.KindStaff, Tenant: tenant, AuthTime: w.clock.Now()})
	_, err := w.BeginText(ctx, tenant, audit.ActorID(person), number)
	return err
}

// confirms answers the last code.
func (w *texting) confirms(t testing.TB, tenant audit.Tenant, person string) {
	t.Helper()
	ctx := audit.WithActor(t.Context(), audit.Actor{ID: audit.ActorID(person), Kind: audit.KindStaff, Tenant: tenant, AuthTime: w.clock.Now()})
	ok, err := w.ConfirmText(ctx, tenant, audit.ActorID(person), w.carrier.last(t))
	require.NoError(t, err)
	require.True(t, ok)
}

// refusals returns the codes of the recorded refusals.
func (w *texting) refusals() (codes []string) {
	for _, e := range w.rec.Find(mfa.ActionTextRefused) {
		codes = append(codes, e.Code)
	}
	return codes
}

func TestTextBudgets(t *testing.T) {
	t.Parallel()
	two := mfa.TextBudget{Hour: 2}
	for code, c := range map[string]struct {
		set     func(*mfa.TextOptions)
		allowed []string // tenant, person, number
		refused string
		free    string // goes all the same
	}{
		"person": {
			func(o *mfa.TextOptions) { o.Person = two },
			[]string{"clinic p-1 +14155550101", "clinic p-1 +12125550102"},
			"clinic p-1 +13125550103", "clinic p-2 +13125550103",
		},
		"number": {
			func(o *mfa.TextOptions) { o.Number = two },
			[]string{"clinic p-1 +14155550101", "clinic p-2 +14155550101"},
			"clinic p-3 +14155550101", "clinic p-3 +14155550102",
		},
		"prefix": {
			func(o *mfa.TextOptions) { o.Prefix = two },
			[]string{"clinic p-1 +14155550101", "clinic p-2 +14155550102"},
			"clinic p-3 +14155550103", "clinic p-3 +12125550103",
		},
		"tenant": {
			func(o *mfa.TextOptions) { o.Tenant = two },
			[]string{"clinic p-1 +14155550101", "clinic p-2 +12125550102"},
			"clinic p-3 +13125550103", "other p-3 +13125550103",
		},
		"all": {
			func(o *mfa.TextOptions) { o.All = two },
			[]string{"clinic p-1 +14155550101", "other p-2 +12125550102"},
			"third p-3 +13125550103", "",
		},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newTexting(t, mfa.NewMemory(), func(o *mfa.Options) { c.set(o.Texts) })
			try := func(who string) error {
				parts := strings.Fields(who)
				return w.begins(t, audit.Tenant(parts[0]), parts[1], parts[2])
			}
			for _, who := range c.allowed {
				require.NoError(t, try(who))
				w.clock.add(5 * time.Minute)
			}
			for range 3 {
				limited(t, try(c.refused), 50*time.Minute)
			}
			require.Equal(t, len(c.allowed), w.carrier.count())
			require.Equal(t, []string{code}, w.refusals(), "of a flood the first is recorded")
			if c.free != "" {
				require.NoError(t, try(c.free), "others have their own")
			}
			w.clock.add(50 * time.Minute)
			require.NoError(t, try(c.refused), "the hour is over")
		})
	}
}

func TestTextBudgetOfADay(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), func(o *mfa.Options) { o.Texts.Person = mfa.TextBudget{Day: 3} })
	w.number(t, lin, linsNumber)
	for range 2 {
		w.clock.add(time.Hour)
		w.textPasses(t, lin, w.send(t, lin))
	}
	w.clock.add(time.Hour)
	_, err := w.SendText(t.Context(), clinic, lin)
	limited(t, err, 21*time.Hour)
	w.clock.add(21 * time.Hour)
	w.textPasses(t, lin, w.send(t, lin))
}

// Somebody who has an account of the clinic and knows a colleague's number has codes sent to it, as
// if it were their own, as often as they may. The colleague, who has nothing else, signs in.
func TestAttackATypedNumberKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	w.number(t, lin, linsNumber)
	w.clock.add(time.Hour)
	for range 12 {
		for range 23 {
			err := w.begins(t, clinic, "p-mallory", linsNumber)
			require.True(t, err == nil || errors.Is(err, mfa.ErrTextLimit), "%v", err)
			w.clock.add(5 * time.Minute)
		}
		w.textPasses(t, lin, w.send(t, lin))
		w.clock.add(5 * time.Minute)
	}
	require.LessOrEqual(t, w.carrier.count(), 1+12+20, "and the colleague gets no more than a day's budget of them")
}

// Budgets draw from narrow to wide: what one person may not do takes nothing from the tenant.
func TestARefusalTakesNothingFromOthers(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), func(o *mfa.Options) {
		o.Texts.Person, o.Texts.Tenant = mfa.TextBudget{Hour: 1}, mfa.TextBudget{Hour: 3}
	})
	require.NoError(t, w.begins(t, clinic, "p-1", "+14155550101"))
	for range 20 {
		w.clock.add(time.Minute)
		require.ErrorIs(t, w.begins(t, clinic, "p-1", "+14155550101"), mfa.ErrTextLimit)
	}
	require.NoError(t, w.begins(t, clinic, "p-2", "+14155550102"))
	require.NoError(t, w.begins(t, clinic, "p-3", "+14155550103"))
	require.ErrorIs(t, w.begins(t, clinic, "p-4", "+14155550104"), mfa.ErrTextLimit)
}

func TestTextRegions(t *testing.T) {
	t.Parallel()
	islands := strings.Fields("242 246 264 268 284 340 345 441 473 649 658 664 670 671 684 721 758 767 784 787 809 829 849 868 869 876 939")
	w := newTexting(t, mfa.NewMemory(), nil)
	for i, area := range islands {
		require.ErrorIs(t, w.begins(t, clinic, fmt.Sprintf("p-%d", i), "+1"+area+"5550123"), mfa.ErrRegion, area)
	}
	for _, number := range []string{"+442079460958", "+4915223433333", "+33612345678", "+79261234567"} {
		require.ErrorIs(t, w.begins(t, clinic, "p-1", number), mfa.ErrRegion, number)
	}
	require.Zero(t, w.carrier.count())
	require.Equal(t, "region", w.refusals()[0])
	for i, number := range []string{linsNumber, "+16045550123", "+19075550123", "+18085550123"} { // with Canada, Alaska and Hawaii
		require.NoError(t, w.begins(t, clinic, fmt.Sprintf("q-%d", i), number), number)
	}

	w = newTexting(t, mfa.NewMemory(), func(o *mfa.Options) { o.Texts.Regions = []string{"+1787", "+44", "+4915"} })
	for number, ok := range map[string]bool{
		"+17875550123": true, "+442079460958": true, "+4915223433333": true,
		"+19395550123": false, linsNumber: false, "+4930901820": false,
	} {
		err := w.begins(t, clinic, "p-"+number, number)
		require.Equal(t, ok, err == nil, "%s: %v", number, err)
	}
	w = newTexting(t, mfa.NewMemory(), func(o *mfa.Options) { o.Texts.Regions = []string{} })
	require.ErrorIs(t, w.begins(t, clinic, "p-1", linsNumber), mfa.ErrRegion, "nowhere is nowhere")
}

// A region that is taken off the list gets nothing any more, also by people who have a number
// there.
func TestARegionThatIsGone(t *testing.T) {
	t.Parallel()
	store := mfa.NewMemory()
	w := newTexting(t, store, func(o *mfa.Options) { o.Texts.Regions = []string{"+44"} })
	w.number(t, lin, "+442079460958")
	o := w.options
	o.Texts = &mfa.TextOptions{Sender: w.carrier, Windows: w.windows}
	narrowed, err := mfa.New(store, w.vault, w.rec, "Example Clinic", &o)
	require.NoError(t, err)
	_, err = narrowed.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrRegion)
	require.Equal(t, 1, w.carrier.count())
}

func TestNumbersAtRisk(t *testing.T) {
	t.Parallel()
	var risky bool
	var fail error
	var asked []string
	w := newTexting(t, mfa.NewMemory(), func(o *mfa.Options) {
		o.Texts.Person = mfa.TextBudget{Hour: 4}
		o.Texts.Risk = func(_ context.Context, _ audit.Tenant, _ audit.ActorID, p mfa.Phone) (bool, error) {
			asked = append(asked, p.Reveal())
			return risky, fail
		}
	})
	w.number(t, lin, linsNumber)
	risky = true
	_, err := w.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrTextRisk)
	require.Equal(t, []string{"risk"}, w.refusals())
	risky, fail = false, fmt.Errorf("no answer about %s", linsNumber)
	_, err = w.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	require.NotContains(t, err.Error(), "5550123")
	require.Equal(t, 1, w.carrier.count())
	fail = nil
	w.textPasses(t, lin, w.send(t, lin))
	_, err = w.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrTextLimit)
	require.Len(t, asked, 4, "asked last: a message that may not be sent anyway asks nobody")
}

// Beyond Unverified messages at least every second code must come back.
func TestSendToVerifyAlarm(t *testing.T) {
	t.Parallel()
	var alarms []mfa.TextAlarm
	w := newTexting(t, mfa.NewMemory(), func(o *mfa.Options) {
		o.Texts.Unverified = 4
		o.Texts.Alarm = func(_ context.Context, a mfa.TextAlarm) { alarms = append(alarms, a) }
	})
	next := 0
	send := func(confirm bool) error {
		next++
		person := fmt.Sprintf("p-%d", next)
		err := w.begins(t, clinic, person, fmt.Sprintf("+1415555%04d", 100+next))
		if err == nil && confirm {
			w.confirms(t, clinic, person)
		}
		return err
	}
	for range 6 { // six that come back make room for twelve more
		require.NoError(t, send(true))
	}
	for range 4 + 12 - 6 {
		require.NoError(t, send(false))
	}
	require.Empty(t, alarms)
	for range 3 {
		limited(t, send(false), time.Hour-15*time.Second)
	}
	require.Equal(t, 16, w.carrier.count())
	require.Equal(t, []mfa.TextAlarm{{Tenant: clinic, Prefix: "+1415", Purpose: mfa.TextEnrol, Until: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}}, alarms)
	recorded := w.rec.Find(mfa.ActionTextAlarm)
	require.Len(t, recorded, 1)
	require.Equal(t, map[string]string{"method": "sms", "prefix": "+1415", "purpose": "enrol"}, recorded[0].Detail)
	require.Equal(t, audit.MajorFailure, recorded[0].Outcome)

	_, err := w.SendText(t.Context(), clinic, "p-1")
	require.NoError(t, err, "signing in goes on")
	require.NoError(t, w.begins(t, clinic, "p-other", "+12125550123"), "another range goes on")
	require.NoError(t, w.begins(t, "other", "p-other", "+14155550123"), "another tenant goes on")
	w.clock.add(time.Hour)
	require.NoError(t, send(false), "the hour is over")
}

// An alarm that cannot be recorded sends nothing and says so.
func TestAnAlarmThatIsNotRecorded(t *testing.T) {
	t.Parallel()
	alarmed := false
	w := newTexting(t, mfa.NewMemory(), func(o *mfa.Options) {
		o.Texts.Unverified = 1
		o.Texts.Alarm = func(context.Context, mfa.TextAlarm) { alarmed = true }
	})
	require.NoError(t, w.begins(t, clinic, "p-1", "+14155550101"))
	w.rec.FailWith(errBroken)
	require.ErrorIs(t, w.begins(t, clinic, "p-2", "+14155550102"), mfa.ErrUnavailable)
	require.False(t, alarmed)
	require.Equal(t, 1, w.carrier.count())
}

// Toll fraud: somebody with hundreds of accounts of one clinic, patients' for instance, earns by
// each message to a range of numbers whose revenue they share. For a day they ask every five
// minutes, account after account, and wait when they are refused. With the presets they get 30
// messages an hour, however many accounts they have; every alarm names the range; nothing goes to
// premium numbers and islands. Staff get all of theirs, also with numbers of the same range.
func TestTollFraud(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	w.number(t, lin, linsNumber)
	w.number(t, diaz, "+17125550199")
	account, attempts, honest := 0, 0, 0
	for minute := 0; minute < 24*60; minute += 5 {
		w.clock.add(5 * time.Minute)
		for refused := 0; refused < 3; account++ {
			person := fmt.Sprintf("fraud-%d", account)
			attempts += 3
			require.ErrorIs(t, w.begins(t, clinic, person, fmt.Sprintf("+1900555%04d", account%1e4)), mfa.ErrNumber)
			require.ErrorIs(t, w.begins(t, clinic, person, fmt.Sprintf("+1876555%04d", account%1e4)), mfa.ErrRegion)
			if err := w.begins(t, clinic, person, fmt.Sprintf("+1712555%04d", account%1e4)); err != nil {
				require.ErrorIs(t, err, mfa.ErrTextLimit)
				refused++
			}
		}
		if minute%120 == 0 {
			w.textPasses(t, lin, w.send(t, lin))
			w.textPasses(t, diaz, w.send(t, diaz))
			honest += 2
		}
	}
	taken := w.carrier.count() - honest - 2
	alarms := w.rec.Find(mfa.ActionTextAlarm)
	t.Logf("%d accounts, %d attempts: %d messages, %d alarms; %d of 24 honest sign-ins", account, attempts, taken, len(alarms), honest)
	require.LessOrEqual(t, taken, 25*30+1, "p-diaz took one place and opened two")
	require.Positive(t, taken)
	require.Equal(t, 24, honest)
	require.GreaterOrEqual(t, len(alarms), 24)
	for _, e := range alarms {
		require.Equal(t, "+1712", e.Detail["prefix"])
	}
}

// The same by somebody who answers every code, so that no ratio shows it: the range's budget ends
// it at 200 an hour and 1,000 a day, and over many ranges the clinic's at 500 and 2,500.
func TestTollFraudThatAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ranges, hourly, want int }{{1, 220, 1000}, {8, 520, 2500}} {
		w := newTexting(t, mfa.NewMemory(), nil)
		for hour := range 6 {
			for i := range c.hourly {
				person := fmt.Sprintf("fraud-%d-%d", hour, i)
				err := w.begins(t, clinic, person, fmt.Sprintf("+1%d20555%04d", 2+i%c.ranges, i))
				if errors.Is(err, mfa.ErrTextLimit) {
					continue
				}
				require.NoError(t, err)
				w.confirms(t, clinic, person)
			}
			w.clock.add(time.Hour)
		}
		t.Logf("%d ranges: %d attempts, %d messages", c.ranges, 6*c.hourly, w.carrier.count())
		require.Equal(t, c.want, w.carrier.count())
	}
}
