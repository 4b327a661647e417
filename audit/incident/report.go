package incident

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Report is what somebody noticed.
type Report struct {
	Kind string // a code of the host's choices; required
	Text string // in their own words, MaxText bytes at most; required
	// About is the member of staff whom it is about, where the reporter says so. That person
	// cannot see the case.
	About audit.ActorID
}

// Receipt is what a reporter is told.
type Receipt struct {
	Number int64 // of the case
	At     time.Time
}

const reportWindow = time.Hour

// Report makes a case of what the person in ctx, staff, patient or proxy, noticed. It is an
// incident discovered today, until somebody says that it was known earlier.
//
// Errors: ErrNoActor; *InputError; *LimitedError; ErrUnavailable: it may have been taken in, and
// reporting it again makes another case.
func (d *Desk) Report(ctx context.Context, r Report) (Receipt, error) {
	by, err := person(ctx)
	if err != nil {
		return Receipt{}, err
	}
	if err := clean(&r.Text, "text", true); err != nil {
		return Receipt{}, err
	}
	if !isCode(r.Kind) {
		return Receipt{}, wrong("kind")
	}
	if r.About != "" && (!isID(string(r.About)) || r.About == by.ID) {
		return Receipt{}, wrong("about")
	}
	now := d.now()
	n, ends, err := d.p.Limits.Hit(ctx, by.Tenant, "incident.report/"+string(by.ID), reportWindow, now)
	switch {
	case err != nil:
		return Receipt{}, unavailable("counting reports", err)
	case n > d.o.MaxReports:
		return Receipt{}, &LimitedError{max(time.Second, ends.Sub(now).Round(time.Second))}
	}
	c := Case{Tenant: by.Tenant, ID: audit.NewID(now), Kind: r.Kind, Text: r.Text, Source: Source{By: by.ID, Kind: by.Kind}}
	if r.About != "" {
		c.About = []audit.ActorID{r.About}
	}
	c, err = d.create(ctx, c, op{action: ActionReport, by: by, text: r.Text, codes: map[string]string{"kind": r.Kind}})
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{c.Number, c.Opened}, nil
}

// Finding is what a review of the audit log found.
type Finding struct {
	ID         string          // of the finding; required
	Kind       string          // a code, such as the rule's name; required
	Text       string          // what it says; required
	About      []audit.ActorID // whose doing it is
	Discovered Day             // when it was found, where that was before today
	Events     []string        // IDs of events that show it
}

// Open makes a case of a finding, for the member of staff in ctx or the host's system. A finding is
// one case: made again, by anybody, it is the same one and nothing changes. What somebody is the
// subject of, they do not make a case of: ErrSubject.
//
// Errors: ErrNoActor, ErrAssurance, *InputError, ErrSubject, ErrNotFound if an event does not exist,
// ErrUnavailable.
func (d *Desk) Open(ctx context.Context, f Finding) (Case, error) {
	by, ok := audit.ActorFrom(ctx)
	if !ok || by.Kind != audit.KindSystem || by.Tenant == "" {
		var err error
		if by, err = staff(ctx, true); err != nil {
			return Case{}, err
		}
	}
	c, err := d.ofFinding(ctx, by, f)
	if err != nil {
		return Case{}, err
	}
	made, err := d.create(ctx, c, op{
		action: ActionOpen, by: by, text: c.Text, detail: f.ID,
		codes: map[string]string{"kind": f.Kind, "finding": f.ID},
	})
	if errors.Is(err, ErrConflict) {
		return d.get(ctx, by, c.ID) // somebody else was faster
	}
	return made, err
}

// ofFinding returns the case that a finding becomes; one that is there already stops it.
func (d *Desk) ofFinding(ctx context.Context, by audit.Actor, f Finding) (Case, error) {
	now := d.now()
	if err := clean(&f.Text, "text", true); err != nil {
		return Case{}, err
	}
	switch {
	case !isCode(f.Kind):
		return Case{}, wrong("kind")
	case !isID(f.ID):
		return Case{}, wrong("finding")
	case len(f.Events) > MaxLinks:
		return Case{}, ErrFull
	}
	c := Case{
		Tenant: by.Tenant, ID: findingCase(by.Tenant, f.ID), Kind: f.Kind, Text: f.Text, Discovered: f.Discovered,
		Source: Source{By: by.ID, Kind: by.Kind, Finding: f.ID},
	}
	var err error
	if c.About, err = subjects(f.About); err != nil {
		return Case{}, err
	}
	if c.hidden(by) {
		return Case{}, ErrSubject
	}
	c.Links = append(c.Links, Link{Kind: LinkFinding, ID: f.ID, By: by.ID, At: now})
	for _, id := range f.Events {
		l, err := d.eventLink(ctx, by, id, now)
		if err != nil {
			return Case{}, err
		}
		if c.Links, err = added(c.Links, l); err != nil {
			return Case{}, err
		}
	}
	return c, nil
}

// findingCase is the ID of the case of a finding, a UUID of version 8 (RFC 9562, section 5.8).
func findingCase(t audit.Tenant, finding string) string {
	sum := sha256.Sum256([]byte("wardkit incident finding\n" + strconv.Itoa(len(t)) + ":" + string(t) + finding))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// create writes a new case, and then tries to place its hold: a report counts even where that fails,
// and Tick places it later.
func (d *Desk) create(ctx context.Context, c Case, o op) (Case, error) {
	law, err := d.law(ctx, c.Tenant)
	if err != nil {
		return Case{}, err
	}
	if _, err := d.p.Store.Get(ctx, c.Tenant, c.ID); err == nil {
		return Case{}, ErrConflict
	} else if !errors.Is(err, ErrNotFound) {
		return Case{}, unavailable("reading a case", err)
	}
	c.Opened = d.now()
	today := DayOf(c.Opened, law.Zone)
	if c.Discovered == 0 {
		c.Discovered = today
	}
	if c.Discovered < 0 || c.Discovered > today {
		return Case{}, wrong("discovered")
	}
	c.State, c.seals = Reported, newSeals()
	c, err = d.write(ctx, c, 0, o)
	if err != nil {
		return Case{}, err
	}
	return d.settleHold(ctx, c), nil
}

// subjects checks a list of actors and returns each once.
func subjects(list []audit.ActorID) ([]audit.ActorID, error) {
	var out []audit.ActorID
	seen := map[audit.ActorID]bool{}
	for _, a := range list {
		if !isID(string(a)) {
			return nil, wrong("about")
		}
		if !seen[a] {
			seen[a], out = true, append(out, a)
		}
	}
	if len(out) > MaxAbout {
		return nil, ErrFull
	}
	return out, nil
}
