package recerttest

import (
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/recert"
)

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other-clinic")
)

// id is the n-th ID of a campaign; they ascend by bytes.
func id(n int) string { return fmt.Sprintf("0190b7a8-0000-7000-8000-%012d", n) }

// at is a time with microseconds.
func at(n int) time.Time { return time.Date(2026, 3, 2, 9, 0, n, 123456000, time.UTC) }

// plain is a campaign that says what it has to.
func plain(t audit.Tenant, n int) recert.Campaign {
	return recert.Campaign{
		Tenant: t, ID: id(n), Active: true, State: recert.Open, Series: id(n), Round: 1, Started: at(1), StartedBy: "ann", Due: at(30),
		Spec: recert.Spec{Name: "Spring", Days: 30, Owner: "ann", Hold: 14},
	}
}

// full is a campaign with something in every field.
func full(t audit.Tenant, n int) recert.Campaign {
	c := plain(t, n)
	c.Version = 77 // nobody asks
	c.Trigger = recert.Trigger{Kind: recert.TriggerUnused, ID: "t-1", Subject: "eve", Access: "g-1", At: at(1)}
	c.Next = at(60)
	c.Spec.Kinds, c.Spec.Roles, c.Spec.Every = []recert.Kind{recert.KindGrant, recert.KindProxy}, []string{"therapist"}, 12
	c.Spec.Rule, c.Spec.Named = "lead", []audit.ActorID{"bob", "cy"}
	c.Spec.OnDue, c.Spec.KeepWhy = map[recert.Risk]recert.OnDue{recert.RiskAdmin: recert.Keep, recert.RiskPHI: recert.Revoke}, "audit_running"
	c.Snapshot = recert.Snapshot{At: at(1), Policy: "p1", Query: "kind in (grant)", Count: 3, Digest: "d1"}
	c.Counts = recert.Counts{Open: 1, Pending: 2, Suspended: 3, Closed: 4, Exception: 5}
	c.Late = recert.Late{At: at(2), Count: 6, Accesses: []string{"grant/g-7"}}
	c.SignOff = recert.SignOff{By: "ann", At: at(50), Event: "e-1", Digest: "d2"}
	c.Told = map[string]string{"reminder/bob": "7"}
	c.Anchor, c.Snapshot.Event = at(1), "e-0"
	return c
}

// item is an item with something in every field, <, & and " among it.
func item(seq int64) recert.Item {
	reach := recert.Reach{Practices: []string{"north", "south"}, Locations: []string{"hall"}, Queues: []string{"inbox"}}
	return recert.Item{
		Tenant: "nobody's", Campaign: "none", Seq: seq, // whatever they say
		Access: recert.Access{
			Kind: recert.KindGrant, ID: fmt.Sprint("g-", seq), Subject: "eve", For: "mallory", Role: `<&"ü`, Reach: reach,
			From: at(1), Until: at(2), Granted: at(3), By: "bob", Why: "new_hire", Source: "direct", Admin: true, PHI: true,
			Context: recert.Context{Looked: at(4), LastUsed: at(5), Emergencies: 1, Conflicts: []string{"four_eyes"}, Peers: 2, Recommend: recert.RecommendRevoke},
		},
		Risk: recert.RiskAdmin, State: recert.ItemOpen, Reviewer: "ann", Fallback: []audit.ActorID{"bob", "cy"},
		Steps: []recert.Step{{At: at(6), Do: recert.Delegate, By: "ann", To: "bob", Code: "leave", Event: "e-1"}},
		Due:   at(30), Hold: at(31), Resumed: at(32),
		Decision: recert.Decision{Do: recert.Reduce, By: "bob", At: at(7), Code: "moved", Justified: true, Until: at(33), Reach: reach, Event: "e-2"},
		Effects: []recert.Effect{{
			ID: "x-1", Do: recert.ChangeReduce, Ordered: at(7), Tries: 2, Failed: recert.ExceptionFailed, Made: at(8), Grant: "g-9",
			Checked: at(9), Denied: true, Asked: 3, Others: []string{"g-7"}, Took: 1500,
		}},
		Outcome: recert.Reduced, Closed: at(10), Exception: recert.ExceptionRegranted, Since: at(11), Regrant: "g-10",
	}
}

// some are items 1 to n, small ones.
func some(n int) []recert.Item {
	out := make([]recert.Item, n)
	for i := range out {
		out[i] = small(int64(i + 1))
	}
	return out
}

// small is an open item of ann's.
func small(seq int64) recert.Item {
	return recert.Item{
		Seq: seq, Access: recert.Access{Kind: recert.KindGrant, ID: fmt.Sprint("g-", seq), Subject: "eve"},
		Risk: recert.RiskOther, State: recert.ItemOpen, Reviewer: "ann", Due: at(30),
	}
}

// sorted is items by what is looked for.
func sorted() []recert.Item {
	list := some(6)
	list[1].Reviewer, list[3].Reviewer = "bob", "bob"
	list[2].State, list[3].State, list[5].State = recert.ItemClosed, recert.ItemClosed, recert.ItemSuspended
	list[5].Reviewer = ""
	return list
}
