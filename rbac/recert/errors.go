package recert

import (
	"errors"
	"fmt"
)

// What callers can act on. Each has a method HTTPStatus for hosts' tables, authn.Status among them: 401,
// 403, 404, 409 or 422, and 503 where it is nobody's fault who asked. No text has an ID or a name.
var (
	// ErrUnavailable: a store, the log, the population or another part failed; nothing that was
	// asked for is certain to have happened. Try again.
	ErrUnavailable = fmt.Errorf("%w: unavailable", refusal(503))
	// ErrNotFound: no such campaign or item in this tenant.
	ErrNotFound = fmt.Errorf("%w: not found", refusal(404))
	// ErrConflict: the campaign changed meanwhile, or its ID is taken. Read it again.
	ErrConflict = fmt.Errorf("%w: changed meanwhile", refusal(409))
	// ErrDamaged: what is stored is not what was frozen, or breaks a rule that every change obeys.
	ErrDamaged = errors.New("recert: damaged")
	// ErrSpec: the specification of a campaign cannot be used; the text names the field.
	ErrSpec = fmt.Errorf("%w: specification refused", refusal(422))
	// ErrEmpty: nobody has what the campaign is about. A review of nothing is no evidence.
	ErrEmpty = fmt.Errorf("%w: a campaign without items", refusal(422))
	// ErrNoReviewer: for some item nobody is left who may review it; name another person.
	ErrNoReviewer = fmt.Errorf("%w: an item that nobody may review", refusal(422))
	// ErrState: the campaign or the item is past what was asked for.
	ErrState = fmt.Errorf("%w: not in this state", refusal(409))
	// ErrGone: the access ended meanwhile, by itself or by somebody else. Nobody certifies it, and
	// nothing is given in its place; Tick closes the item.
	ErrGone = fmt.Errorf("%w: the access ended meanwhile", ErrState)
	// ErrSigned: the campaign was signed off. It does not change any more.
	ErrSigned = fmt.Errorf("%w: signed off", ErrState)
	// ErrOpen: an item is open, pending or suspended, so the campaign cannot be signed off. Suspended
	// access is decided about, given back, or revoked when Item.Hold is over.
	ErrOpen = fmt.Errorf("%w: an item is open, pending or suspended", ErrState)
	// ErrVerdict: a decision that makes no sense for the item; the text names what is wrong.
	ErrVerdict = fmt.Errorf("%w: decision refused", refusal(422))
	// ErrReason: words are missing, or fewer than MinWhy: for PHI, for administrators, for whoever hands
	// an item on, and for Resume.
	ErrReason = fmt.Errorf("%w: it has to be justified in words, of at least 8 letters and digits", ErrVerdict)
	// ErrBulk: what reaches PHI or administers is certified one by one.
	ErrBulk = fmt.Errorf("%w: not for several at once", ErrVerdict)
	// ErrActor: no person of the tenant is signed in with a second factor: a program, somebody's
	// delegate, an emergency grant, or a proof that is too weak.
	ErrActor = fmt.Errorf("%w: not a person of this tenant", refusal(401))
	// ErrStepUp: signing off needs a fresh proof of who signs.
	ErrStepUp = fmt.Errorf("%w: a fresh proof is needed", refusal(401))
	// ErrReviewer: the person in ctx, or whom an item is handed to, may not decide about it.
	ErrReviewer = fmt.Errorf("%w: not the reviewer", refusal(403))
	// ErrSelf: nobody reviews their own access, nor that of what acts for them.
	ErrSelf = fmt.Errorf("%w: one's own access", ErrReviewer)
	// ErrGrantor: who gave an administrator their role, or a program its access, does not review it.
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
	ErrLastAdmin = fmt.Errorf("%w: the last administrator", refusal(409))
	// ErrRefused: a rule refuses the change, such as separation of duties when access is given back.
	ErrRefused = fmt.Errorf("%w: a rule refuses the change", refusal(409))
)

// refusal is an HTTP status for hosts' tables, which find it by its method.
type refusal int

// Error begins the text of every error that has one.
func (refusal) Error() string { return "recert" }

// HTTPStatus returns the status.
func (r refusal) HTTPStatus() int { return int(r) }

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
