package recert

import (
	"errors"
	"fmt"
)

var (
	// ErrUnavailable: a store, the log, the population or another part failed; nothing that was
	// asked for is certain to have happened. Try again.
	ErrUnavailable = errors.New("recert: unavailable")
	// ErrNotFound: no such campaign or item in this tenant.
	ErrNotFound = errors.New("recert: not found")
	// ErrConflict: the campaign changed meanwhile, or its ID is taken. Read it again.
	ErrConflict = errors.New("recert: changed meanwhile")
	// ErrDamaged: what is stored is not what was frozen, or breaks a rule that every change obeys.
	ErrDamaged = errors.New("recert: damaged")
	// ErrSpec: the specification of a campaign cannot be used; the text names the field.
	ErrSpec = errors.New("recert: specification refused")
	// ErrEmpty: nobody has what the campaign is about. A review of nothing is no evidence.
	ErrEmpty = errors.New("recert: a campaign without items")
	// ErrNoReviewer: for some item nobody is left who may review it; name another person.
	ErrNoReviewer = errors.New("recert: an item that nobody may review")
	// ErrState: the campaign or the item is past what was asked for.
	ErrState = errors.New("recert: not in this state")
	// ErrSigned: the campaign was signed off. It does not change any more.
	ErrSigned = fmt.Errorf("%w: signed off", ErrState)
	// ErrOpen: something is still open, so the campaign cannot be signed off.
	ErrOpen = fmt.Errorf("%w: something is still open", ErrState)
	// ErrVerdict: a decision that makes no sense for the item; the text names what is wrong.
	ErrVerdict = errors.New("recert: decision refused")
	// ErrReason: words are missing: for PHI, for administrators, and for whoever hands an item on.
	ErrReason = fmt.Errorf("%w: it has to be justified in words", ErrVerdict)
	// ErrBulk: what reaches PHI or administers is certified one by one.
	ErrBulk = fmt.Errorf("%w: not for several at once", ErrVerdict)
	// ErrActor: no person of the tenant is signed in with a second factor: a program, somebody's
	// delegate, an emergency grant, or a proof that is too weak.
	ErrActor = errors.New("recert: not a person of this tenant")
	// ErrStepUp: signing off needs a fresh proof of who signs.
	ErrStepUp = errors.New("recert: a fresh proof is needed")
	// ErrReviewer: the person in ctx, or whom an item is handed to, may not decide about it.
	ErrReviewer = errors.New("recert: not the reviewer")
	// ErrSelf: nobody reviews their own access, nor that of what acts for them.
	ErrSelf = fmt.Errorf("%w: one's own access", ErrReviewer)
	// ErrGrantor: who gave an administrator their role does not review it.
	ErrGrantor = fmt.Errorf("%w: the grantor", ErrReviewer)
	// ErrMutual: two people do not review each other in one campaign.
	ErrMutual = fmt.Errorf("%w: a mutual review", ErrReviewer)
	// ErrNotRunning: Run is not running on this server.
	ErrNotRunning = errors.New("recert: not running")
	// ErrDelegated: an item is delegated once.
	ErrDelegated = fmt.Errorf("%w: delegated before", ErrVerdict)
)

// What an Effects says of an order that it cannot carry out now. The item stays open and is tried
// again; anything else is a failure like any other.
var (
	// ErrLastAdmin: nobody would be left who administers the tenant.
	ErrLastAdmin = errors.New("recert: the last administrator")
	// ErrRefused: a rule refuses the change, such as separation of duties when access is given back.
	ErrRefused = errors.New("recert: a rule refuses the change")
)

// unavailable says that a part failed.
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
