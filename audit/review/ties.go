package review

import (
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit"
)

// Ties knows how a tenant's people and patients stand to each other. The host implements it: names
// and employment are its own, and it answers yes or no. It is never asked while a request waits.
type Ties interface {
	// Ties answers for each pair, in their order; as many answers as pairs. An error, a panic, or
	// another number of answers is that nothing could be found out, which is a finding.
	Ties(ctx context.Context, tenant audit.Tenant, pairs []Pair) ([]Tie, error)
}

// Pair is a person and a patient whose record the person, or a program of theirs, opened.
type Pair struct {
	Person  audit.ActorID
	Patient audit.Patient
}

// Tie is how a person and a patient stand to each other.
type Tie struct {
	Unknown bool // it could not be found out; nothing else is looked at
	Care    bool // the person has to do with the patient: a care relation, an appointment, the desk
	Self    bool // they are the same person
	Surname bool // they have the same surname
	Worker  bool // the patient works for the tenant
	VIP     bool // the patient is of public interest
}

// maxPairs is how many pairs are asked about at once.
const maxPairs = 500

// ask asks the host about all pairs. A pair without an answer is left out of the map.
func (r *Reviewer) ask(ctx context.Context, t audit.Tenant, pairs []Pair) map[Pair]Tie {
	out := map[Pair]Tie{}
	if r.o.Ties == nil {
		return out
	}
	for len(pairs) > 0 && ctx.Err() == nil {
		some := pairs[:min(maxPairs, len(pairs))]
		pairs = pairs[len(some):]
		answers, err := r.askSome(ctx, t, some)
		if err != nil {
			r.o.Logger.WarnContext(ctx, "review: how people and patients stand to each other could not be asked")
			continue
		}
		for i, a := range answers {
			if !a.Unknown {
				out[some[i]] = a
			}
		}
	}
	return out
}

var errAnswer = errors.New("review: ties were not answered")

func (r *Reviewer) askSome(ctx context.Context, t audit.Tenant, pairs []Pair) (answers []Tie, err error) {
	defer func() {
		if recover() != nil {
			answers, err = nil, errAnswer
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, r.o.AskTimeout)
	defer cancel()
	answers, err = r.o.Ties.Ties(ctx, t, append([]Pair(nil), pairs...))
	if err == nil && len(answers) != len(pairs) {
		err = errAnswer
	}
	return answers, err
}
