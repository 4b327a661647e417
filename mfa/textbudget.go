package mfa

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// affordable says why a message may not be sent now; nil: it may. It asks from narrow to wide and
// stops at the first no, so that what one person, number or range may not do takes nothing from
// the others. What cannot be counted is not sent. What confirms a number is apart from what signs
// in with it: anybody can type the number of a colleague, who must not be kept out by that.
func (f *Factors) affordable(ctx context.Context, n Number, phone Phone) error {
	o := f.o.Texts
	if !phone.in(o.Regions) {
		return f.refusedText(ctx, n, "region", ErrRegion)
	}
	term, err := f.vault.Term(ctx, n.Tenant, "mfa.text.number", phone.Reveal())
	if err != nil {
		return unavailable("counting text messages", err)
	}
	prefix := phone.prefix()
	for _, step := range []func() error{
		func() error { return f.spendText(ctx, n, n.Tenant, "person", string(n.Person), o.Person) },
		func() error {
			return f.spendText(ctx, n, n.Tenant, "number", purposeOf(n)+"."+hex.EncodeToString(term), o.Number)
		},
		func() error { return f.roomFor(ctx, n, prefix) },
		func() error { return f.spendText(ctx, n, n.Tenant, "prefix", prefix, o.Prefix) },
		func() error { return f.spendText(ctx, n, n.Tenant, "tenant", "", o.Tenant) },
		func() error { return f.spendText(ctx, n, "", "all", "", o.All) },
		func() error { return f.trusted(ctx, n, phone) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// spendText takes one message from a budget of tenant t.
func (f *Factors) spendText(ctx context.Context, n Number, t audit.Tenant, code, key string, b TextBudget) error {
	for _, w := range []struct {
		name   string
		length time.Duration
		limit  int
	}{{"hour", time.Hour, b.Hour}, {"day", 24 * time.Hour, b.Day}} {
		count, ends, err := f.hitText(ctx, t, code+"."+w.name+"."+key, w.length)
		switch {
		case err != nil:
			return err
		case count == w.limit+1: // of a flood of refusals the first is recorded
			return f.refusedText(ctx, n, code, limitedUntil(ends, f.now()))
		case count > w.limit:
			return f.exempted(ctx, "recorded with the first refusal of this window", limitedUntil(ends, f.now()))
		}
	}
	return nil
}

func (f *Factors) hitText(ctx context.Context, t audit.Tenant, key string, length time.Duration) (int, time.Time, error) {
	count, ends, err := f.o.Texts.Windows.Hit(ctx, t, "mfa.text."+key, length, f.now())
	if err != nil {
		return 0, time.Time{}, unavailable("counting text messages", err)
	}
	return count, ends, nil
}

// ratioWindow is how long the counts of one hour are kept: an answer comes within maxLifetime of
// its end.
const ratioWindow = 2 * time.Hour

// roomKey names what a message was for, to which range of numbers, and in which hour. Those for
// confirming numbers are apart, because there the numbers are chosen by whoever asks: whom they
// are refused still gets the codes for signing in.
func roomKey(n Number, prefix string) string {
	return purposeOf(n) + "." + prefix + "." + strconv.FormatInt(n.Sent.Truncate(time.Hour).Unix(), 10)
}

// roomFor takes a place for one message to this range. The places are numbered: there are
// Unverified in each hour, and each code that comes back opens two more. A message gets the next
// number, whether or not its place is open, and goes only where it is; so one that found its
// place closed leaves the range behind for the rest of the hour. Windows can only count up, by
// one key each: that is why a place is a key, and open is one that was hit before.
func (f *Factors) roomFor(ctx context.Context, n Number, prefix string) error {
	key := roomKey(n, prefix)
	place, _, err := f.hitText(ctx, n.Tenant, "sent."+key, ratioWindow)
	if err != nil || place <= f.o.Texts.Unverified {
		return err
	}
	hits, _, err := f.hitText(ctx, n.Tenant, "place."+key+"."+strconv.Itoa(place), ratioWindow)
	if err != nil || hits > 1 {
		return err
	}
	return f.pause(ctx, n, prefix)
}

// pause refuses a message to a range whose codes do not come back. It never returns nil. The
// first one of an hour is an alarm.
func (f *Factors) pause(ctx context.Context, n Number, prefix string) error {
	until := n.Sent.Truncate(time.Hour).Add(time.Hour)
	answer := limitedUntil(until, f.now())
	count, _, err := f.hitText(ctx, n.Tenant, "alarm."+roomKey(n, prefix), ratioWindow)
	if err != nil {
		return err
	}
	if count > 1 {
		return f.refusedText(ctx, n, "paused", answer)
	}
	e := event(ctx, n.Tenant, n.Person, f.now(), ActionTextAlarm)
	e.Outcome, e.Code = audit.MajorFailure, "paused"
	e.Detail["prefix"], e.Detail["purpose"] = prefix, purposeOf(n)
	if err := f.record(ctx, e); err != nil {
		return err
	}
	if alarm := f.o.Texts.Alarm; alarm != nil {
		alarm(ctx, TextAlarm{Tenant: n.Tenant, Prefix: prefix, Purpose: purposeOf(n), Until: until})
	}
	return answer
}

// cameBack notes that a code was answered. Where that cannot be counted less is sent, so its
// errors do not matter.
func (f *Factors) cameBack(ctx context.Context, n Number, phone Phone) {
	key := roomKey(n, phone.prefix())
	back, _, err := f.hitText(ctx, n.Tenant, "back."+key, ratioWindow)
	for i := range 2 {
		if err == nil {
			place := f.o.Texts.Unverified + 2*back - i
			_, _, err = f.hitText(ctx, n.Tenant, "place."+key+"."+strconv.Itoa(place), ratioWindow)
		}
	}
}

// trusted asks the host whether the number can be trusted now. It comes last, because such
// questions cost money too.
func (f *Factors) trusted(ctx context.Context, n Number, phone Phone) error {
	if f.o.Texts.Risk == nil {
		return nil
	}
	risky, err := f.o.Texts.Risk(ctx, n.Tenant, n.Person, phone)
	switch {
	case err != nil: // its text may hold the number
		return unavailable("asking whether a number can be trusted", errors.New("mfa: TextOptions.Risk failed"))
	case risky:
		return f.refusedText(ctx, n, "risk", ErrTextRisk)
	}
	return nil
}

// refusedText records that no message was sent, and returns err.
func (f *Factors) refusedText(ctx context.Context, n Number, why string, err error) error {
	if e := f.note(ctx, n.Tenant, n.Person, ActionTextRefused, audit.Failure, why); e != nil {
		return e
	}
	return err
}
