package main

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/phi"
)

// indexVersion is the version of what patients are found by. Rows with an older one get their terms
// anew, see fillTerms: 1 has the words of the name, 0 is what releases to 0.4 wrote.
const indexVersion = 1

// plannedPatients is for how many patients the index of names is laid out. A clinic that outgrows it
// ships larger frequencies (Frequencies.Grow); nothing has to be written again.
const plannedPatients = 20_000

// commonNames are the shares of frequent words of names, in percent of a clinic's patients, rounded
// up. Family names follow the ranking of the US Census of 2010 and, where it is larger, that of the Spanish statistics
// office (INE); given names the ranking of the US Census of 1990, halved, because each
// sex is half. They are upper bounds for an index, no statistics: too large a share costs a few more
// terms in a question, and too small a one shows which rows may share a frequent name.
func commonNames() map[string]float64 {
	shares := map[string]float64{}
	for _, group := range []struct {
		percent float64
		names   string
	}{
		{3, "garcia"},
		{2, "rodriguez gonzalez fernandez lopez martinez sanchez perez"},
		{1, "smith gomez martin"},
		{0.7, "johnson williams"},
		{0.5, "brown jones miller davis hernandez"},
		{0.4, "wilson anderson taylor moore jackson lee thompson white harris clark ramirez lewis robinson"},
		{2, "james john robert"},
		{1.5, "michael william david mary"},
		{1, "thomas richard charles joseph"},
		{0.6, "patricia linda barbara elizabeth jennifer maria susan margaret dorothy"},
	} {
		for _, name := range strings.Fields(group.names) {
			shares[name] = max(shares[name], group.percent/100)
		}
	}
	return shares
}

// nameFrequencies returns over how many terms each word is spread. The demo invents its names from two
// short lists, so it counts them.
func nameFrequencies(demo bool) (*phi.Frequencies, error) {
	f, err := phi.NewFrequencies(plannedPatients, commonNames())
	if err != nil || !demo {
		return f, err
	}
	invented := phi.NewHistogram(phi.Name(), true)
	for n := range demoPatients {
		if err := invented.Add(demoPatient(n).Name); err != nil {
			return nil, err
		}
	}
	g, err := invented.Frequencies(plannedPatients)
	if err != nil {
		return nil, err
	}
	return f.Grow(g), nil
}

// search returns the ids of the patients with this phone number, e-mail address or record number, and
// of those whose name has all these words. Only what the sight shows in full is looked at: who sees the last four digits
// of a number, or nothing of a name, does not learn the rest by guessing. Whether the asker may see the
// patients is for the filter to say.
func (s *patients) search(ctx context.Context, sight phi.Sight, text string) ([]string, error) {
	ids, err := s.findIn(ctx, sight, text)
	if err != nil || strings.Contains(text, "@") || sight.Level(phi.ClassName) < phi.Full {
		return ids, err
	}
	words, err := s.codec.LookupWords(ctx, tenant, "name.words", text)
	if errors.Is(err, phi.ErrNotNormal) {
		return ids, nil
	}
	if err != nil {
		return nil, err
	}
	named, err := phi.Every(ctx, s.terms, tenant, words)
	ids = append(ids, named...)
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// fillTerms gives patients of an earlier release the terms of this one, until ctx ends. Each row says which it
// has, so that it goes on where it was after a crash, and several servers may be at it. A
// server of the release before that still registers patients is why it looks again.
func (s *patients) fillTerms(ctx context.Context) error {
	const soon, rarely = 2 * time.Second, time.Minute
	for {
		wait := rarely
		if left, err := s.fillSome(ctx); left || err != nil {
			wait = soon
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// fillSome goes once through the rows that are behind. It reports whether one was left, because somebody
// was writing it, its keys are being renewed or it is damaged.
func (s *patients) fillSome(ctx context.Context) (left bool, err error) {
	after := ""
	for {
		found, last, err := s.page(ctx, "p.tenant = ? AND p.terms < ? AND p.id > ? ORDER BY p.id LIMIT ?", []any{s.now().UnixMicro(), string(tenant), indexVersion, after, pageSize})
		if err != nil || last == "" {
			return left, err
		}
		for _, p := range found {
			err := s.fillOne(ctx, p)
			switch {
			case errors.Is(err, errChanged), errors.Is(err, phi.ErrStaleTerms), errors.Is(err, phi.ErrTampered):
				left = true // nobody waits for a damaged row
			case err != nil:
				return true, err
			}
		}
		after = last
	}
}

// fillOne writes a patient's terms, if the record is still the one that they were made of.
func (s *patients) fillOne(ctx context.Context, p *Patient) error {
	terms, err := s.codec.Terms(ctx, tenant, p)
	if err != nil {
		return err
	}
	return s.db.inTx(ctx, func(tx *sql.Tx) error {
		err := touched(tx.ExecContext(ctx, s.db.q(`UPDATE clinic_patient SET terms = ? WHERE tenant = ? AND id = ? AND version = ?`),
			indexVersion, string(tenant), p.ID, p.Version))
		if err != nil {
			return err
		}
		return s.terms.WithTx(tx).SaveTerms(ctx, tenant, terms)
	})
}
