package incident

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// LinkKind says what a piece of evidence is.
type LinkKind string

// The kinds of evidence.
const (
	LinkEvent   LinkKind = "event"   // of the audit log; its leaf hash is read from there
	LinkExport  LinkKind = "export"  // of the audit log; Digest is the SHA-256 of its manifest
	LinkFinding LinkKind = "finding" // of a review
	LinkFile    LinkKind = "file"    // kept elsewhere; Digest is the SHA-256 of its bytes
)

// Link is a piece of evidence. It can be checked later: nobody exchanges what it points to unnoticed.
type Link struct {
	Kind   LinkKind      `json:"kind"`
	ID     string        `json:"id"`
	Digest string        `json:"digest,omitempty"` // 64 lower-case hexadecimal digits
	Index  int64         `json:"index,omitempty"`  // of an event: its place in the tenant's order and 1; 0 where it had none yet
	By     audit.ActorID `json:"by"`
	At     time.Time     `json:"at"`
}

// Link adds evidence: the ID of an event, export or finding, or of a file, with its SHA-256 for exports
// and files. An event that is not in the tenant's log is ErrNotFound. What is there already: *InputError.
func (d *Desk) Link(ctx context.Context, id string, version int64, kind LinkKind, target string, digest []byte, why string) (Case, error) {
	by, err := staff(ctx, true)
	if err != nil {
		return Case{}, err
	}
	l := Link{Kind: kind, ID: target, By: by.ID, At: d.now()}
	switch {
	case !isID(target):
		return Case{}, wrong("target")
	case kind == LinkEvent:
		if l, err = d.eventLink(ctx, by, target, l.At); err != nil {
			return Case{}, err
		}
	case kind == LinkExport || kind == LinkFile:
		if len(digest) != 32 {
			return Case{}, wrong("digest")
		}
		l.Digest = hex.EncodeToString(digest)
	case kind != LinkFinding:
		return Case{}, wrong("kind")
	}
	o := op{action: ActionLink, text: why, detail: target, codes: map[string]string{"link": string(kind), "target": target}}
	return d.work(ctx, id, version, o, func(c *Case, _ *op) (err error) {
		c.Links, err = added(c.Links, l)
		return err
	})
}

func added(list []Link, l Link) ([]Link, error) {
	switch {
	case slices.ContainsFunc(list, func(have Link) bool { return have.Kind == l.Kind && have.ID == l.ID }):
		return nil, wrong("target")
	case len(list) >= MaxLinks:
		return nil, ErrFull
	}
	return append(list, l), nil
}

// eventLink reads an event and points to it.
func (d *Desk) eventLink(ctx context.Context, by audit.Actor, id string, now time.Time) (Link, error) {
	e, err := d.p.Events.Get(ctx, by.Tenant, id)
	switch {
	case errors.Is(err, audit.ErrNotFound):
		return Link{}, ErrNotFound
	case err != nil:
		return Link{}, unavailable("reading an event", err)
	case e.Tenant != by.Tenant || e.ID != id || audit.Leaf(e.Body) != e.Leaf:
		return Link{}, ErrDamaged
	}
	return Link{Kind: LinkEvent, ID: id, Digest: hex.EncodeToString(e.Leaf[:]), Index: e.Index + 1, By: by.ID, At: now}, nil
}

// LinkState is what became of a piece of evidence.
type LinkState string

// The states of evidence.
const (
	LinkWhole     LinkState = "whole"     // the log has these very bytes
	LinkAltered   LinkState = "altered"   // it has others
	LinkPurged    LinkState = "purged"    // its bytes were destroyed
	LinkMissing   LinkState = "missing"   // it is not there
	LinkElsewhere LinkState = "elsewhere" // it is kept where this package does not look
)

// check looks at a piece of evidence again.
func (d *Desk) check(ctx context.Context, t audit.Tenant, l Link) (LinkState, error) {
	if l.Kind != LinkEvent {
		return LinkElsewhere, nil
	}
	e, lost, err := d.entry(ctx, t, l.ID)
	if err != nil || lost != "" {
		return lost, err
	}
	if leaf := audit.Leaf(e.Body); hex.EncodeToString(leaf[:]) != l.Digest {
		return LinkAltered, nil
	}
	return LinkWhole, nil
}

// entry reads an event, or says how it was lost.
func (d *Desk) entry(ctx context.Context, t audit.Tenant, id string) (audit.Entry, LinkState, error) {
	e, err := d.p.Events.Get(ctx, t, id)
	switch {
	case errors.Is(err, audit.ErrPurged):
		return e, LinkPurged, nil
	case errors.Is(err, audit.ErrNotFound):
		return e, LinkMissing, nil
	case err != nil:
		return e, "", unavailable("reading an event", err)
	}
	return e, "", nil
}
