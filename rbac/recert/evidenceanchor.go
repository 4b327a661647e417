package recert

import (
	"time"

	"github.com/wardkit/wardkit/audit"
)

const (
	// signedWithin is how far the log's clock may be from SignOff.At.
	signedWithin = 5 * time.Minute
	// startedWithin is how far it may be from Campaign.Started: a population is read in between, which
	// can take long.
	startedWithin = day
)

// Anchor returns the ID of the event of the audit log that Anchored compares with: that of the sign-off,
// or of the start while nobody has signed.
func (v *Verified) Anchor() string {
	if v.SignOff.IsZero() {
		return v.Campaign.Snapshot.Event
	}
	return v.SignOff.Event
}

// Anchored compares the bundle with the event of the audit log that Anchor names, read back from the
// log. Another ID, action, outcome, campaign, actor, time or digest is ErrBundle: the bundle tells of
// something else than what was recorded.
//
// A signed bundle is proven whole by it: who had what, what was decided, who signed, and when. The event
// of the start proves who had what when the campaign began, and nothing of what was decided since.
func (v *Verified) Anchored(e audit.Event) error {
	want := anchor{ActionSignOff, v.SignOff.By, v.SignOff.At, v.SignOff.Digest, signedWithin}
	if v.SignOff.IsZero() {
		c := &v.Campaign
		want = anchor{ActionStart, c.StartedBy, c.Started, c.Snapshot.Digest, startedWithin}
	}
	switch why := want.differs(&e); {
	case e.ID == "" || e.ID != v.Anchor() || e.Tenant != v.Campaign.Tenant || !isAbout(&e, v.Campaign.ID):
		return &BundleError{Why: "the log has no such event of this campaign"}
	case why != "":
		return &BundleError{Why: why}
	}
	return nil
}

// anchor is what the log has to say of a bundle.
type anchor struct {
	action audit.Action
	by     audit.ActorID
	at     time.Time
	digest string
	within time.Duration
}

// differs says in what e is not what it has to be, "" in nothing.
func (w *anchor) differs(e *audit.Event) string {
	switch {
	case e.Action != w.action || e.Outcome != audit.Success:
		return "the log says that something else happened"
	case e.Actor.ID != w.by:
		return "the log names somebody else"
	case e.Recorded.Sub(w.at).Abs() > w.within:
		return "the log says another time"
	case w.digest == "" || e.Detail["digest"] != w.digest:
		return "the log has another digest"
	}
	return ""
}

// isAbout reports whether a campaign is the first object of e.
func isAbout(e *audit.Event, campaign string) bool {
	return len(e.Objects) > 0 && e.Objects[0].Type == ObjectCampaign && e.Objects[0].ID == campaign
}
