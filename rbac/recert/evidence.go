package recert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// ActionEvidence is the action under which a bundle is handed out; Detail has its digest.
const ActionEvidence audit.Action = "recert.evidence"

// Bundle is the evidence of a campaign for an auditor: what was frozen, who decided what about each
// access and when, how it was handed on, what became of it and how soon, what nobody reviewed, and who
// signed. Of a campaign that was signed off it is always the same, byte by byte.
type Bundle struct {
	// JSON is the bundle itself, a record on a line, each chained to the one before by SHA-256:
	// VerifyBundle checks it offline.
	JSON []byte
	// CSV is the same for people and spreadsheets (RFC 4180, with a header), an access on a line. The
	// JSON has its digest, and Verified.VerifyTable compares.
	CSV []byte
	// Digest is the end of the chain, in lower-case hexadecimal digits. It is in the event
	// ActionEvidence, which the log keeps.
	Digest string
}

// Evidence returns the bundle of a campaign of the actor's tenant, and records that it was handed out
// before it returns it. An open campaign has one too; it says that nobody has signed.
//
// It returns ErrNotFound, ErrActor, ErrUnavailable, ErrConflict where others kept changing the campaign,
// and ErrDamaged where what is stored is not what was frozen, or signed.
func (r *Campaigns) Evidence(ctx context.Context, id string) (Bundle, error) {
	a, err := person(ctx)
	if err != nil {
		return Bundle{}, err
	}
	c, items, err := r.moment(ctx, a.Tenant, id)
	if err != nil {
		return Bundle{}, err
	}
	if err := proven(&c, items); err != nil {
		return Bundle{}, err
	}
	b, err := bundle(c, items)
	if err != nil {
		return Bundle{}, err
	}
	err = r.record(ctx, []audit.Event{{
		Tenant: c.Tenant, Action: ActionEvidence, Verb: audit.Execute,
		Objects: []audit.Object{{Type: ObjectCampaign, ID: c.ID}},
		Detail:  map[string]string{"digest": b.Digest, "count": strconv.Itoa(len(items)), "state": string(c.State)},
	}})
	if err != nil {
		return Bundle{}, err
	}
	return b, nil
}

// moment reads a campaign and all its items as of one moment.
func (r *Campaigns) moment(ctx context.Context, t audit.Tenant, id string) (Campaign, []Item, error) {
	for n := range attempts {
		c, err := r.store.Get(ctx, t, id)
		if err != nil {
			return c, nil, unavailable("reading a campaign", err)
		}
		if c.Tenant != t || c.ID != id {
			return c, nil, ErrDamaged
		}
		items, err := r.items(ctx, &c, ItemFilter{})
		if err != nil {
			return c, nil, err
		}
		again, err := r.store.Get(ctx, t, id)
		if err != nil {
			return c, nil, unavailable("reading a campaign", err)
		}
		if again.Version == c.Version {
			return c, items, nil
		}
		if err := pause(ctx, n); err != nil {
			return c, nil, unavailable("reading a campaign", err)
		}
	}
	return Campaign{}, nil, ErrConflict
}

// proven compares a campaign with the digests that were taken of it.
func proven(c *Campaign, items []Item) error {
	frozen, count, err := FrozenDigest(sequence(items))
	if err != nil {
		return err
	}
	if frozen != c.Snapshot.Digest || count != c.Snapshot.Count {
		return ErrDamaged
	}
	if c.State != Signed {
		return nil
	}
	content, err := ContentDigest(*c, sequence(items))
	if err == nil && (content != c.SignOff.Digest || whole(c, items) != nil) {
		err = ErrDamaged
	}
	return err
}

// bundleFormat is how records of a bundle look. It is final: another one has another name.
const bundleFormat = "wardkit recert evidence v1"

// The kinds of records, in the order in which they stand: one campaign, its items, one summary, one
// sign-off if somebody signed, one end.
const (
	recordCampaign = "campaign"
	recordItem     = "item"
	recordSummary  = "summary"
	recordSignOff  = "sign_off"
	recordEnd      = "end"
)

type campaignRecord struct {
	Kind   string `json:"kind"`
	Format string `json:"format"`
	// Generated says by what the population was made: a program, from where decisions are made.
	Generated string   `json:"generated_by"`
	Campaign  Campaign `json:"campaign"` // as ContentDigest takes it, without who signed: that is a record of its own
}

type itemRecord struct {
	Kind string `json:"kind"`
	Item Item   `json:"item"`
}

type summaryRecord struct {
	Kind string `json:"kind"`
	Summary
}

type signOffRecord struct {
	Kind    string  `json:"kind"`
	SignOff SignOff `json:"sign_off"`
}

type endRecord struct {
	Kind    string `json:"kind"`
	Records int    `json:"records"` // before this one
	CSV     string `json:"csv"`     // SHA-256 of Bundle.CSV
}

// Summary counts what a campaign came to. A bundle has it so that nobody has to count, and VerifyBundle
// counts all the same.
type Summary struct {
	Outcomes    map[Outcome]int   `json:"outcomes"`
	NotReviewed []int64           `json:"not_reviewed"` // Seq of the items that no person decided about
	Exceptions  []ExceptionOf     `json:"exceptions"`
	Effects     int               `json:"effects"`     // that were ordered
	Confirmed   int               `json:"confirmed"`   // of which the access was asked about afterwards
	Slowest     int64             `json:"slowest_us"`  // the longest time to effect, microseconds
	Others      int               `json:"others"`      // items that were ended while other accesses of the subject give some of the same
	Late        int               `json:"late"`        // accesses that came after the snapshot, for the next campaign
	Recommended map[Recommend]int `json:"recommended"` // what the facts suggested
	Risks       map[Risk]int      `json:"risks"`
}

// ExceptionOf is an item that needed somebody's attention.
type ExceptionOf struct {
	Seq       int64     `json:"seq"`
	Exception Exception `json:"exception"`
	Since     time.Time `json:"since"`
}

// summarize counts.
func summarize(c *Campaign, items []Item) Summary {
	s := Summary{
		Outcomes: map[Outcome]int{}, NotReviewed: []int64{}, Exceptions: []ExceptionOf{}, Late: c.Late.Count,
		Recommended: map[Recommend]int{}, Risks: map[Risk]int{},
	}
	for n := range items {
		i := &items[n]
		if i.Outcome != "" {
			s.Outcomes[i.Outcome]++
		}
		if !i.reviewed() {
			s.NotReviewed = append(s.NotReviewed, i.Seq)
		}
		if i.Exception != "" {
			s.Exceptions = append(s.Exceptions, ExceptionOf{i.Seq, i.Exception, i.Since})
		}
		if i.Access.Context.Recommend != "" {
			s.Recommended[i.Access.Context.Recommend]++
		}
		s.Risks[i.Risk]++
		if e := i.last(); i.Outcome == Revoked && e != nil && len(e.Others) > 0 {
			s.Others++
		}
		for _, e := range i.Effects {
			s.Effects++
			if e.Done() {
				s.Confirmed++
				s.Slowest = max(s.Slowest, e.Took)
			}
		}
	}
	return s
}

// reviewed reports whether a person decided about i.
func (i *Item) reviewed() bool { return !i.Decision.IsZero() && i.Decision.By != itself }

// bundle writes the evidence of a campaign.
func bundle(c Campaign, items []Item) (Bundle, error) {
	w := newChain()
	records := []any{campaignRecord{recordCampaign, bundleFormat, "system", c.content()}}
	for _, i := range items {
		records = append(records, itemRecord{recordItem, i})
	}
	records = append(records, summaryRecord{recordSummary, summarize(&c, items)})
	if !c.SignOff.IsZero() {
		records = append(records, signOffRecord{recordSignOff, c.SignOff})
	}
	csv := table(&c, items)
	records = append(records, endRecord{recordEnd, len(records), sum(csv)})
	for _, one := range records {
		if err := w.add(one); err != nil {
			return Bundle{}, err
		}
	}
	return Bundle{JSON: bytes.Clone(w.out.Bytes()), CSV: csv, Digest: w.digest()}, nil
}

// content is what ContentDigest takes of a campaign, before somebody signs it.
func (c Campaign) content() Campaign {
	c.Version, c.Active, c.State, c.Next, c.Told, c.SignOff = 0, false, "", time.Time{}, nil, SignOff{}
	return c
}

func sum(b []byte) string {
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])
}
