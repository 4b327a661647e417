package main

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// reviewItem is an access under review, as pages show it.
type reviewItem struct {
	Campaign, Key                        string // Key is unique on a page
	Seq                                  int64
	Who, What, Where, Reviewer, Handed   string
	Given, Used, Until, Risk             string
	Conflicts                            []string
	Peers                                string
	Unused                               bool
	State, Tag, Decided, Effect, Problem string
	Due, Hold                            string
	Justify, Suspended                   bool
	Reach                                recert.Reach // of which less can stay
}

// reviewItem puts an item into words.
func (a *app) reviewItem(i recert.Item, team map[audit.ActorID]member) reviewItem {
	x := &i.Access
	row := reviewItem{
		Campaign: i.Campaign, Seq: i.Seq, Key: i.Campaign + "-" + strconv.FormatInt(i.Seq, 10),
		Who: a.holderOf(i, team), What: a.access.Policy().Label(rbac.RoleName(x.Role)), Reviewer: "nobody",
		Given: a.givenText(x, team), Used: a.usedText(&x.Context), Conflicts: x.Context.Conflicts, Peers: plural(x.Context.Peers, "other") + " with this role",
		Unused: x.Context.Recommend == recert.RecommendRevoke, Due: a.dayText(i.Due), Justify: x.Justify(),
		Where: strings.Join(append(append(append([]string(nil), x.Reach.Practices...), x.Reach.Locations...), x.Reach.Queues...), ", "),
		Until: a.dayText(x.Until), Reach: x.Reach, Hold: a.dayText(i.Hold), Suspended: i.State == recert.ItemSuspended,
		Risk: map[recert.Risk]string{recert.RiskAdmin: "gives rights to others", recert.RiskPHI: "reaches patients’ data"}[i.Risk],
	}
	if i.Reviewer != "" {
		row.Reviewer = nameOf(i.Reviewer, team)
	}
	if n := len(i.Steps); n > 0 {
		row.Handed = handedText(i.Steps[n-1].Do) + " by " + nameOf(i.Steps[n-1].By, team)
	}
	row.State, row.Tag = itemState(&i)
	if d := i.Decision; !d.IsZero() {
		by := nameOf(d.By, team)
		if kindOf(string(d.By)) == audit.KindSystem {
			by = "nobody in time"
		}
		row.Decided = a.config.when(d.At) + ", " + by
	}
	if n := len(i.Effects); n > 0 {
		row.Effect = effectText(&i.Effects[n-1])
	}
	row.Problem = exceptionText(i.Exception)
	return row
}

// holderOf is who has the access: somebody of the team, a program, or somebody of the platform.
func (a *app) holderOf(i recert.Item, team map[audit.ActorID]member) string {
	switch {
	case i.Access.Kind == recert.KindSupport:
		return "The platform’s support"
	case i.Access.Role == string(rbac.AIAgent), i.Access.Role == string(rbac.ServiceAccount):
		return "A program"
	}
	return nameOf(i.Access.Subject, team)
}

func (a *app) givenText(x *recert.Access, team map[audit.ActorID]member) string {
	if x.Granted.IsZero() {
		return "not known"
	}
	return a.dayText(x.Granted) + " by " + nameOf(x.By, team)
}

func (a *app) usedText(c *recert.Context) string {
	switch {
	case !c.LastUsed.IsZero():
		return a.dayText(c.LastUsed)
	case c.Looked.IsZero():
		return "not known"
	}
	return "not since " + a.dayText(c.Looked)
}

func (a *app) dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(a.config.zone).Format("2 Jan 2006")
}

func itemState(i *recert.Item) (text, tag string) {
	switch i.State {
	case recert.ItemOpen:
		return "Waits", "tag-warn"
	case recert.ItemPending:
		return "Being carried out", "tag-warn"
	case recert.ItemSuspended:
		return "Suspended", "tag-bad"
	}
	switch i.Outcome {
	case recert.Certified:
		return "Stays", "tag-good"
	case recert.Limited:
		return "Stays until " + i.Decision.Until.Format("2 Jan 2006"), "tag-good"
	case recert.Reduced:
		return "Less of it stays", "tag-good"
	case recert.Revoked:
		return "Taken away", "tag-bad"
	}
	return "Ended by itself", ""
}

func handedText(do recert.Do) string {
	return map[recert.Do]string{recert.Delegate: "handed on", recert.Abstain: "passed on", recert.PassOn: "passed on because its reviewer left", recert.GiveBack: "given back"}[do]
}

// effectText says what became of a change, and how soon it was true.
func effectText(e *recert.Effect) string {
	switch {
	case !e.Done():
		return "not confirmed yet"
	case e.Do == recert.ChangeResume, e.Do == recert.ChangeLimit, e.Do == recert.ChangeReduce:
		return "confirmed after " + tookText(e.Took)
	case e.Denied && len(e.Others) == 1:
		return "this one is really denied after " + tookText(e.Took) + "; another role still gives some of it"
	case e.Denied && len(e.Others) > 1:
		return "this one is really denied after " + tookText(e.Took) + "; " + strconv.Itoa(len(e.Others)) + " others still give some of it"
	case e.Denied:
		return "really denied after " + tookText(e.Took)
	}
	return "still there"
}

func tookText(us int64) string {
	d := time.Duration(us) * time.Microsecond
	if d < time.Second {
		return "less than a second"
	}
	return cmp.Or(d.Round(time.Second).String(), "no time")
}

func exceptionText(e recert.Exception) string {
	words := map[recert.Exception]string{
		"": "", recert.ExceptionLastAdmin: "Overdue. Nobody else administers the clinic, so it stays until somebody decides.",
		recert.ExceptionOnlyOne:    "Overdue. Some patients have nobody else, so it stays until somebody decides.",
		recert.ExceptionUnknown:    "Overdue. It could not be found out whether patients have somebody else, so it stays until somebody decides.",
		recert.ExceptionKept:       "Overdue, and kept.",
		recert.ExceptionNoReviewer: "Nobody is left who may review it. Whoever began the review has to hand it to somebody.",
		recert.ExceptionFailed:     "It could not be carried out yet and is tried again.",
		recert.ExceptionRefused:    "A rule of the clinic’s roles is against it.",
		recert.ExceptionNotDenied:  "It was taken away, and is still there.",
		recert.ExceptionRegranted:  "It was given again while the review is open.",
	}
	return cmp.Or(words[e], string(e))
}
