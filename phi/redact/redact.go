package redact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// Finding is a piece of a text that may identify somebody.
type Finding struct {
	From, To int       // bytes of the text
	Class    phi.Class // 45 CFR 164.514(b)(2)(i)
	Rule     string    // what recognised it: "ssn", "npi", "known" …
}

// Detector finds identifiers in a text. Rules and Known are some; a host may have one that asks a
// language model. It is safe for concurrent use.
type Detector interface {
	// Detect returns findings within the text, in any order; they may overlap.
	Detect(ctx context.Context, text string) ([]Finding, error)
}

// ErrDetector: a detector failed, or found something outside the text. It also wraps the cause,
// which is not printed: it may quote the text.
var ErrDetector = errors.New("redact: a detector failed")

// Result is a text without what was found.
type Result struct {
	Text   string            // each finding replaced by its class in brackets: "[phone]"
	Counts map[phi.Class]int // findings of each class
}

// Scrub replaces what the detectors find. Findings that overlap become one, with the class of the
// longest. No detector is ErrDetector, and so is one that fails: then there is no text.
//
// What Scrub returns is not de-identified data: no program finds every name, and what is left may
// still tell who it is (45 CFR 164.514(b)(2)(ii)). Somebody reads it before it leaves.
func Scrub(ctx context.Context, text string, detectors ...Detector) (Result, error) {
	if len(detectors) == 0 {
		return Result{}, ErrDetector
	}
	var all []Finding
	for _, d := range detectors {
		found, err := d.Detect(ctx, text)
		if err != nil {
			return Result{}, hidden{err}
		}
		all = append(all, found...)
	}
	for _, f := range all {
		if f.From < 0 || f.From >= f.To || f.To > len(text) {
			return Result{}, ErrDetector
		}
	}
	r := Result{Counts: map[phi.Class]int{}}
	var b strings.Builder
	end := 0
	for _, f := range merge(all) {
		b.WriteString(text[end:f.From])
		b.WriteString(label(f.Class))
		r.Counts[f.Class]++
		end = f.To
	}
	b.WriteString(text[end:])
	r.Text = b.String()
	return r, nil
}

// label is what stands in the place of a finding.
func label(c phi.Class) string {
	if c == phi.Unclassified {
		c = phi.ClassOtherID
	}
	return "[" + string(c) + "]"
}

// merge sorts findings and joins those that overlap.
func merge(all []Finding) []Finding {
	slices.SortFunc(all, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To)) })
	out := all[:0]
	longest := 0
	for _, f := range all {
		if n := len(out); n > 0 && f.From < out[n-1].To {
			last := &out[n-1]
			if f.To-f.From > longest {
				last.Class, last.Rule, longest = f.Class, f.Rule, f.To-f.From
			}
			last.To = max(last.To, f.To)
			continue
		}
		out, longest = append(out, f), f.To-f.From
	}
	return out
}

// hidden wraps a detector's error without printing it.
type hidden struct{ cause error }

func (h hidden) Error() string   { return ErrDetector.Error() }
func (h hidden) Unwrap() []error { return []error{ErrDetector, h.cause} }

var _ fmt.Stringer = Finding{}

// String names class, rule and length, never the text.
func (f Finding) String() string {
	return fmt.Sprintf("%s by %s, %d bytes", f.Class, f.Rule, f.To-f.From)
}
