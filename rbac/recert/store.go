package recert

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Store keeps campaigns and their items. Memory and recertsql.Store implement it;
// recerttest.TestStore proves somebody else's. It has no way to delete: a review is documentation
// that is kept for six years (45 CFR 164.316(b)(2)(i)).
//
// Every method may be called at once from many goroutines and processes, and shares no memory with
// its callers, lists and maps included. A method whose context has ended is an error, never an empty
// answer; one that ends half-way has taken effect wholly or not at all. Nothing is cached: once Apply
// has returned nil, every read of every process that begins afterwards sees it. Stores read no clock
// and decide nothing. Times come back as they were given, in UTC and to the microsecond.
type Store interface {
	// Get returns the campaign. Not there, or another tenant's: ErrNotFound.
	Get(ctx context.Context, t audit.Tenant, id string) (Campaign, error)

	// List yields the tenant's campaigns whose ID comes before below by bytes ("" for the start), the
	// highest ID first, so the latest. None: nothing. An error is the last thing yielded; breaking off
	// the loop is allowed. What is added meanwhile may or may not be among them, nothing twice.
	List(ctx context.Context, t audit.Tenant, below string) iter.Seq2[Campaign, error]

	// Active yields the campaigns of all tenants that are Active, in no order, each once; errors and
	// breaking off as with List. It is for maintenance.
	Active(ctx context.Context) iter.Seq2[Campaign, error]

	// Items yields the items of a campaign that f selects, in order of Seq. No such campaign, or
	// another tenant's: nothing. Errors and breaking off as with List. Of one Apply that happens
	// meanwhile, a loop may see some items before and others after it; who needs all of one moment
	// compares Campaign.Version before and after.
	Items(ctx context.Context, t audit.Tenant, campaign string, f ItemFilter) iter.Seq2[Item, error]

	// Apply makes one change, all of it or nothing. Another version than c.Expect, a new campaign
	// whose ID is taken by any tenant, or a campaign with Expect above 0 that is not there or is another
	// tenant's: ErrConflict, and nothing changes. Of several at once with the same Expect one succeeds.
	// Nil means that it survives a crash. A cancelled call that returned an error may have taken
	// effect; Get tells.
	Apply(ctx context.Context, c Write) error
}

// ItemFilter selects items. An empty field does not restrict; all that is set must match.
type ItemFilter struct {
	After    int64         // items with a higher Seq
	Reviewer audit.ActorID // whose Reviewer it is
	States   []ItemState   // in one of these states
	Limit    int           // at most so many; 0: all
}

// Matches reports whether f selects i, Limit aside.
func (f *ItemFilter) Matches(i *Item) bool {
	if i.Seq <= f.After || f.Reviewer != "" && i.Reviewer != f.Reviewer {
		return false
	}
	for _, s := range f.States {
		if s == i.State {
			return true
		}
	}
	return len(f.States) == 0
}

// Write is one change of one campaign.
type Write struct {
	// Campaign is the campaign as it shall be, with the Version Expect+1 whatever it says.
	Campaign Campaign
	// Expect is the version that it must have, 0 for one that must not exist.
	Expect int64
	// Items are stored under their Seq: new ones, which are all the items of the campaign if it is new,
	// and in place of those that are there. Tenant and Campaign are those of the campaign whatever they say.
	Items []Item
}
