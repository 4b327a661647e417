package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// wireReview makes what looks through the audit for what somebody should look at.
func (a *app) wireReview(s *stores) (err error) {
	hours := review.Standard()
	hours.Zone = a.config.zone.String()
	o := &review.Options{Ties: newKinship(a), Standard: &hours, Logger: a.logger}
	if a.config.demo {
		o.Every = 2 * time.Second // somebody is waiting to see it
	}
	a.reviewer, err = review.New(s.audit, s.review, a.log, phi.NewSealer(a.vault), o)
	return err
}

// kinship knows how the team and the patients stand to each other: who cares for whom, who is a
// patient here too (by the e-mail address, through its index), and who has whose surname. Patients'
// names are sealed: one is opened, under a full sight and recorded, the first time that somebody who does not care
// for the patient looks at the record; what is kept then, in this process, is a keyed digest.
type kinship struct {
	*app
	key [32]byte

	mu       sync.Mutex
	surnames map[audit.Patient][32]byte
}

// maxSurnames is how many patients' digests are kept.
const maxSurnames = 10_000

func newKinship(a *app) *kinship {
	k := &kinship{app: a, surnames: map[audit.Patient][32]byte{}}
	rand.Read(k.key[:]) // never fails (crypto/rand)
	return k
}

// Ties satisfies review.Ties.
func (k *kinship) Ties(ctx context.Context, t audit.Tenant, pairs []review.Pair) ([]review.Tie, error) {
	ctx = audit.WithActor(ctx, audit.System(t, "review"))
	team, err := k.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	workers, err := k.workers(ctx, team)
	if err != nil {
		return nil, err
	}
	out := make([]review.Tie, len(pairs))
	for i, p := range pairs {
		m, known := team[p.Person]
		if !known {
			out[i].Unknown = true
			continue
		}
		care, err := k.patients.careTeam(ctx, string(p.Patient))
		if err != nil {
			return nil, err
		}
		out[i] = review.Tie{
			Care: slices.Contains(care, p.Person), Self: workers[p.Patient] == p.Person,
			Worker: workers[p.Patient] != "" && workers[p.Patient] != p.Person,
		}
		if !out[i].Care {
			if out[i].Surname, err = k.related(ctx, m, p.Patient); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// workers are the patients who are of the team.
func (k *kinship) workers(ctx context.Context, team map[audit.ActorID]member) (map[audit.Patient]audit.ActorID, error) {
	all := map[audit.Patient]audit.ActorID{}
	for id, m := range team {
		found, err := k.patients.find(ctx, m.Email)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			all[audit.Patient(p)] = id
		}
	}
	return all, nil
}

// related reports whether a patient has somebody's surname.
func (k *kinship) related(ctx context.Context, m member, id audit.Patient) (bool, error) {
	k.mu.Lock()
	digest, kept := k.surnames[id]
	k.mu.Unlock()
	if !kept {
		p, err := k.patients.get(ctx, string(id))
		if errors.Is(err, rbac.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		full, err := phi.InsecureFullSight(ctx, k.log, "review: surname")
		if err != nil {
			return false, err
		}
		name, err := p.Name.Reveal(full)
		if err != nil {
			return false, err
		}
		digest = k.surname(name)
		k.keep(id, digest)
	}
	return digest == k.surname(m.Name), nil
}

func (k *kinship) keep(id audit.Patient, digest [32]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.surnames) >= maxSurnames {
		clear(k.surnames)
	}
	k.surnames[id] = digest
}

// surname digests the last word of a name.
func (k *kinship) surname(name string) (digest [32]byte) {
	words := strings.Fields(strings.ToLower(name))
	if len(words) == 0 {
		rand.Read(digest[:]) // nobody has it
		return digest
	}
	h := hmac.New(sha256.New, k.key[:])
	h.Write([]byte(words[len(words)-1]))
	copy(digest[:], h.Sum(nil))
	return digest
}
