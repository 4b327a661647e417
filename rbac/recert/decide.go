package recert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// MinWhy is how many letters and digits a justification has at least, where one is required.
const MinWhy = 8

// maxWords is how long a justification can be, in bytes.
const maxWords = 3500

// Decide decides about one item, for the person in ctx, who is its reviewer. The decision is
// recorded, stored, and then carried out at once; what fails then stays pending and Tick tries it
// again, so look at the State of the item that is returned. A decision is final: who erred opens the
// matter where access is given.
//
// Suspended access can be decided about too, until Item.Hold: Certify gives it back.
//
// Errors: ErrActor, ErrNotFound, ErrReviewer (ErrSelf, ErrGrantor, ErrMutual), ErrVerdict (ErrReason, ErrDelegated),
// ErrState (ErrSigned, ErrGone), ErrLastAdmin and ErrRefused if the decision could not be carried out, ErrConflict,
// ErrUnavailable. Attempts to review what is not one's own are recorded.
func (r *Campaigns) Decide(ctx context.Context, campaign string, seq int64, v Verdict) (Item, error) {
	by, err := person(ctx)
	if err != nil {
		return Item{}, err
	}
	now := r.now()
	id := audit.NewID(now)
	i, err := r.change(ctx, by.Tenant, campaign, seq, func(c *Campaign, i *Item) (audit.Event, error) {
		switch v.Do {
		case Delegate:
			return r.delegate(ctx, c, i, by, v, now, id)
		case Abstain:
			return r.abstain(ctx, c, i, by, v, now, id)
		}
		return r.decide(ctx, i, by, v, now, id)
	})
	if err != nil {
		return Item{}, r.refuse(ctx, by, campaign, seq, v.Do, err)
	}
	return r.settled(ctx, i), nil
}

// settled carries out what is pending of an item. Failures stay with the item.
func (r *Campaigns) settled(ctx context.Context, i Item) Item {
	if i.State != ItemPending {
		return i
	}
	ctx = context.WithoutCancel(ctx)
	_ = r.carry(ctx, i.Tenant, i.Campaign, i.Seq, nil)
	if now, err := r.item(ctx, i.Tenant, i.Campaign, i.Seq); err == nil {
		return now
	}
	return i
}

// Bulk decides the same about several items, one after the other, and returns how many were decided
// before an error. What needs words cannot be certified in bulk: ErrBulk, before anything is decided.
func (r *Campaigns) Bulk(ctx context.Context, campaign string, seqs []int64, v Verdict) (int, error) {
	by, err := person(ctx)
	if err != nil {
		return 0, err
	}
	for _, seq := range seqs {
		i, err := r.item(ctx, by.Tenant, campaign, seq)
		if err != nil {
			return 0, err
		}
		if i.Access.Justify() && v.Do != RevokeIt && v.Do != Delegate && v.Do != Abstain {
			return 0, ErrBulk
		}
	}
	for n, seq := range seqs {
		if _, err := r.Decide(ctx, campaign, seq, v); err != nil {
			return n, err
		}
	}
	return len(seqs), nil
}

// mine reports why by may not decide about i.
func (i *Item) mine(by audit.Actor) error {
	if err := i.Access.excluded(by.ID); err != nil {
		return err
	}
	if i.Reviewer != by.ID {
		return ErrReviewer
	}
	return nil
}

// decide writes down a decision and orders its effect.
func (r *Campaigns) decide(ctx context.Context, i *Item, by audit.Actor, v Verdict, now time.Time, id string) (audit.Event, error) {
	if err := i.mine(by); err != nil {
		return audit.Event{}, err
	}
	if err := i.decidable(v, now); err != nil {
		return audit.Event{}, err
	}
	if err := v.check(i, now); err != nil {
		return audit.Event{}, err
	}
	i.Decision = Decision{Do: v.Do, By: by.ID, At: now, Code: v.Code, Justified: v.Why != "", Until: moment(v.Until), Reach: v.Reach.tidy(), Event: id}
	i.clear()
	do, outcome := i.consequence()
	if do == "" {
		is, err := r.there(ctx, i)
		if err != nil {
			return audit.Event{}, err
		}
		if !is {
			return audit.Event{}, ErrGone
		}
		i.close(outcome, now)
	} else {
		i.order(do, now)
		if err := r.allowed(ctx, i); err != nil {
			return audit.Event{}, err
		}
	}
	e := event(ActionDecide, i, id)
	e.Why = audit.NewPrivate(v.Why)
	note(&e, "do", string(v.Do))
	note(&e, "code", v.Code)
	if !i.Decision.Until.IsZero() {
		note(&e, "until", i.Decision.Until.Format(time.RFC3339))
	}
	note(&e, "practices", audit.FitID(strings.Join(i.Decision.Reach.Practices, " ")))
	note(&e, "locations", audit.FitID(strings.Join(i.Decision.Reach.Locations, " ")))
	note(&e, "queues", audit.FitID(strings.Join(i.Decision.Reach.Queues, " ")))
	return e, nil
}

// decidable reports whether somebody can still decide.
func (i *Item) decidable(v Verdict, now time.Time) error {
	switch i.State {
	case ItemOpen:
		return nil
	case ItemSuspended:
		if now.Before(i.Hold) {
			return nil
		}
	case ItemPending: // giving it back, or less of it, was refused: it can end
		if e := i.last(); v.Do == RevokeIt && e != nil && e.Failed == ExceptionRefused && e.Do != ChangeRevoke && e.Do != ChangeSuspend {
			return nil
		}
	}
	return ErrState
}

// consequence is what a decision leads to: an effect, or an outcome.
func (i *Item) consequence() (Change, Outcome) {
	switch i.Decision.Do {
	case Certify:
		if i.State == ItemSuspended {
			return ChangeResume, ""
		}
		return "", Certified
	case CertifyUntil:
		return ChangeLimit, ""
	case Reduce:
		return ChangeReduce, ""
	}
	return ChangeRevoke, ""
}

// check says what is wrong with a verdict about i.
func (v *Verdict) check(i *Item, now time.Time) error {
	switch {
	case v.Code != "" && !isCode(v.Code):
		return fmt.Errorf("%w: a code is lower-case letters, digits and underscores", ErrVerdict)
	case v.Do != CertifyUntil && !v.Until.IsZero() || v.Do != Reduce && !v.Reach.empty() || v.Do != Delegate && v.To != "":
		return fmt.Errorf("%w: more is said than the decision takes", ErrVerdict)
	}
	if err := v.words(i.Access.Justify() && v.Do != Abstain || v.Do == Delegate); err != nil {
		return err
	}
	switch v.Do {
	case Certify, RevokeIt, Delegate, Abstain:
		return nil
	case CertifyUntil:
		if until := moment(v.Until); !until.After(now) || !until.After(i.Access.From) || !i.Access.Until.IsZero() && !until.Before(i.Access.Until) {
			return fmt.Errorf("%w: the end lies in the future, and before the one that there is", ErrVerdict)
		}
		return nil
	case Reduce:
		if !v.Reach.tidy().less(i.Access.Reach.tidy()) {
			return fmt.Errorf("%w: what stays is part of what there is, and something of each kind", ErrVerdict)
		}
		return nil
	}
	return fmt.Errorf("%w: unknown", ErrVerdict)
}

// words refuses a justification that is missing, or is none.
func (v *Verdict) words(needed bool) error {
	n := 0
	for _, c := range v.Why {
		if unicode.IsLetter(c) || unicode.IsNumber(c) {
			n++
		}
	}
	switch {
	case len(v.Why) > maxWords || !utf8.ValidString(v.Why):
		return fmt.Errorf("%w: the words are too long, or no text", ErrVerdict)
	case needed && n < MinWhy:
		return ErrReason
	}
	return nil
}

// tidy returns the lists sorted and without repeats.
func (r Reach) tidy() Reach {
	set := func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
	return Reach{set(r.Practices), set(r.Locations), set(r.Queues)}
}

func (r Reach) empty() bool { return len(r.Practices)+len(r.Locations)+len(r.Queues) == 0 }

// less reports whether r is part of of and smaller, with something left in each dimension: a list
// without its last entry would widen.
func (r Reach) less(of Reach) bool {
	smaller := false
	for _, d := range [][2][]string{{r.Practices, of.Practices}, {r.Locations, of.Locations}, {r.Queues, of.Queues}} {
		part, whole := d[0], d[1]
		if (len(part) == 0) != (len(whole) == 0) || slices.ContainsFunc(part, func(id string) bool { return !slices.Contains(whole, id) }) {
			return false
		}
		smaller = smaller || len(part) < len(whole)
	}
	return smaller
}

// refuse records that somebody tried to review what they may not, or what is signed off.
func (r *Campaigns) refuse(ctx context.Context, by audit.Actor, campaign string, seq int64, do Do, why error) error {
	code := ""
	for _, k := range []struct {
		err  error
		code string
	}{{ErrSelf, "self"}, {ErrGrantor, "grantor"}, {ErrMutual, "mutual"}, {ErrReviewer, "not_reviewer"}, {ErrSigned, "signed"}, {ErrLastAdmin, "last_admin"}, {ErrRefused, "refused"}} {
		if errors.Is(why, k.err) {
			code = k.code
			break
		}
	}
	if code == "" {
		return why
	}
	e := audit.Event{
		Tenant: by.Tenant, Action: ActionDecide, Verb: audit.Update, Outcome: audit.Failure, Code: code,
		Objects: []audit.Object{
			{Type: ObjectCampaign, ID: audit.FitID(campaign)},
			{Type: ObjectItem, ID: audit.FitID(fmt.Sprintf("%s/%d", campaign, seq))},
		},
		Detail: map[string]string{},
	}
	if isCode(string(do)) {
		note(&e, "do", string(do))
	}
	if err := r.record(ctx, []audit.Event{e}); err != nil {
		return errors.Join(why, err)
	}
	return why
}
