package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Span is the places From to To-1 of a tenant's order.
type Span struct{ From, To int64 }

// Purger destroys entries that need not be kept any longer, and keeps what the rest is proven
// with. Memory and auditsql.Store implement it; audittest.TestPurger proves somebody else's.
// Package purge decides what may be destroyed; nothing else calls Purge.
type Purger interface {
	// Purge destroys, for good, the placed entries of one tenant that lie in spans, which are not
	// empty, ascend and neither meet nor overlap: Body, Openings, Actor, Action, Outcome,
	// Patients, Objects, and all that they are found by. Index, ID, Recorded and Leaf stay. Then List,
	// Count and Get pass over them: Get returns ErrPurged, and an Append of the same ID with a Body of
	// the same Leaf counts as done and brings nothing back, with any other it is ErrConflict.
	//
	// Purged before: that is no error. A span that ends beyond the tenant's order, or begins below
	// 0: ErrNotFound, and nothing of the call is destroyed. Twice at once: both succeed. Cancelled
	// half-way, or killed: some may be destroyed, never one in part; the caller purges again. Nil means
	// that it survives a crash.
	Purge(ctx context.Context, tenant Tenant, spans []Span) error

	// Purged returns which of the places from to to-1 have no body any more, as spans that ascend
	// and neither meet nor overlap. It is what the store says, not a proof: whether it was
	// allowed is in the log (PurgeOf). None, or no such tenant: nil. Cancelled: an error.
	Purged(ctx context.Context, tenant Tenant, from, to int64) ([]Span, error)
}

// Purge is what an event of ActionPurgeExecuted says: which bodies may be missing from now on, and
// why. The event is recorded, and covered by a signed checkpoint, before the first of them is
// destroyed. A body that no such event covers was removed by somebody else.
type Purge struct {
	ID     string     // of the plan that two people agreed to
	Spans  []Span     // as Purger.Purge takes them, at most MaxSpans
	Newest time.Time  // Recorded of the latest event among them, UTC, microseconds
	Months int        // how long each of them was kept at least, 72 and up (45 CFR 164.316(b)(2)(i))
	Export [32]byte   // SHA-256 of the signed manifest of the export that holds them
	By     [2]ActorID // who proposed it and who, somebody else, agreed
}

// MaxSpans is how many spans one event can name, and maxPlace the highest To.
const (
	MaxSpans = 1000
	maxPlace = 1 << 40
)

const purgeTime = "2006-01-02T15:04:05.000000Z"

// PurgeObject is the type of the object of such an event; its ID is Purge.ID.
const PurgeObject = "audit_purge"

// Floor is how long an event is kept whatever else is decided: six years
// (45 CFR 164.316(b)(2)(i), 164.528(a)(1)).
const Floor = 72 // months

// ErrPurge: not a purge that could have been agreed to.
var ErrPurge = errors.New("audit: not a valid purge")

// Event returns the event to record. ErrPurge for anything that PurgeOf would refuse.
func (p Purge) Event(tenant Tenant) (Event, error) {
	if err := p.validate(); err != nil {
		return Event{}, err
	}
	d := map[string]string{
		"newest": p.Newest.UTC().Format(purgeTime), "months": strconv.Itoa(p.Months),
		"export": hex.EncodeToString(p.Export[:]), "proposed": string(p.By[0]), "approved": string(p.By[1]),
	}
	for i, text := range spanTexts(p.Spans) {
		d[fmt.Sprintf("spans.%02d", i)] = text
	}
	return Event{
		Tenant: tenant, Action: ActionPurgeExecuted, Verb: Delete, Detail: d,
		Objects: []Object{{Type: PurgeObject, ID: p.ID}},
	}, nil
}

// PurgeOf reads what a recorded event of ActionPurgeExecuted says. ErrPurge if it is another event,
// or names spans that are no spans or not before it, fewer months than Floor or events younger than
// that when it was recorded, or one person twice.
func PurgeOf(e Event, index int64) (Purge, error) {
	if e.Action != ActionPurgeExecuted || e.Outcome != Success || len(e.Objects) != 1 || e.Objects[0].Type != PurgeObject {
		return Purge{}, ErrPurge
	}
	p := Purge{ID: e.Objects[0].ID, By: [2]ActorID{ActorID(e.Detail["proposed"]), ActorID(e.Detail["approved"])}}
	var err, problems error
	p.Newest, err = time.Parse(purgeTime, e.Detail["newest"])
	problems = errors.Join(problems, err)
	p.Months, err = strconv.Atoi(e.Detail["months"])
	problems = errors.Join(problems, err)
	sum, err := hex.DecodeString(e.Detail["export"])
	if problems = errors.Join(problems, err); problems != nil || len(sum) != len(p.Export) {
		return Purge{}, ErrPurge
	}
	copy(p.Export[:], sum)
	for i := 0; ; i++ {
		text, ok := e.Detail[fmt.Sprintf("spans.%02d", i)]
		if !ok {
			break
		}
		if p.Spans, err = appendSpans(p.Spans, text); err != nil {
			return Purge{}, ErrPurge
		}
	}
	// Written again it has to be the same: nothing is in the event that was not read.
	again, err := p.Event(e.Tenant)
	if err != nil || !maps.Equal(again.Detail, e.Detail) || p.Spans[len(p.Spans)-1].To > index || e.Recorded.Before(p.Newest.AddDate(0, p.Months, 0)) {
		return Purge{}, ErrPurge
	}
	return p, nil
}

func (p *Purge) validate() error {
	if p.ID == "" || p.Newest.IsZero() || p.Months < Floor || p.By[0] == "" || p.By[1] == "" || p.By[0] == p.By[1] ||
		len(p.Spans) == 0 || len(p.Spans) > MaxSpans {
		return ErrPurge
	}
	end := int64(-1)
	for _, s := range p.Spans {
		if s.From <= end || s.To <= s.From || s.To > maxPlace {
			return ErrPurge
		}
		end = s.To
	}
	return nil
}

// spanTexts writes spans as "from+count", separated by commas, in texts that a detail can hold.
func spanTexts(spans []Span) []string {
	var (
		out  []string
		line []byte
	)
	for _, s := range spans {
		one := strconv.FormatInt(s.From, 10) + "+" + strconv.FormatInt(s.To-s.From, 10)
		if len(line)+1+len(one) > MaxText {
			out, line = append(out, string(line)), line[:0]
		}
		if len(line) > 0 {
			line = append(line, ',')
		}
		line = append(line, one...)
	}
	return append(out, string(line))
}

func appendSpans(spans []Span, text string) ([]Span, error) {
	for one := range strings.SplitSeq(text, ",") {
		from, count, _ := strings.Cut(one, "+")
		f, err := strconv.ParseInt(from, 10, 64)
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n > maxPlace {
			return nil, ErrPurge
		}
		spans = append(spans, Span{f, f + n})
	}
	return spans, nil
}
