package recert_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

func TestStartFreezesWhoHasWhat(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.give(t, "nina", rbac.Suspended) // takes away, and is no access
	c := h.start(t, spec())
	require.Equal(t, recert.Open, c.State)
	require.Equal(t, int64(1), c.Version)
	require.Equal(t, recert.Counts{Open: 6}, c.Counts)
	require.Equal(t, h.now.AddDate(0, 0, 30), c.Due)
	require.Equal(t, audit.ActorID("ada"), c.StartedBy)
	require.Equal(t, h.z.Policy().Digest(), c.Snapshot.Policy)
	require.Equal(t, 6, c.Snapshot.Count)
	require.Contains(t, c.Snapshot.Query, "kinds: all; roles: all")

	items := h.items(t, c.ID)
	digest, n, err := recert.FrozenDigest(h.store.Items(t.Context(), clinic, c.ID, recert.ItemFilter{}))
	require.NoError(t, err)
	require.Equal(t, c.Snapshot.Digest, digest)
	require.Equal(t, 6, n)
	for _, i := range items {
		require.NotEqual(t, i.Access.Subject, i.Reviewer)
		require.Equal(t, recert.ItemOpen, i.State)
	}
	require.Equal(t, audit.ActorID("olga"), h.of(t, c.ID, "ada").Reviewer)
	require.Equal(t, audit.ActorID("ada"), h.of(t, c.ID, "adam").Reviewer, "olga reviews ada, so adam is left to review olga")
	require.Equal(t, audit.ActorID("adam"), h.of(t, c.ID, "olga").Reviewer)
	tina := h.of(t, c.ID, "tina")
	require.Equal(t, recert.RiskPHI, tina.Risk)
	require.Equal(t, []string{"north", "south"}, tina.Access.Reach.Practices)
	require.Equal(t, 1, tina.Access.Context.Peers)
	require.Equal(t, audit.ActorID("founder"), tina.Access.By)
	require.Equal(t, recert.RiskAdmin, h.of(t, c.ID, "adam").Risk)
	require.Equal(t, recert.RiskOther, h.of(t, c.ID, "dora").Risk)

	events := h.rec.of(recert.ActionStart)
	require.Len(t, events, 1)
	require.Equal(t, digest, events[0].Detail["digest"])
	require.Equal(t, c.Snapshot.Event, events[0].ID)
}

// Two people would have to review each other: a third one has to be named.
func TestStartFindsNoMutualReviewer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	s := spec()
	s.Named = nil
	s.Rule = "admins"
	_, err := h.r.Start(h.as("ada"), s)
	require.ErrorIs(t, err, recert.ErrNoReviewer)
	require.Empty(t, h.rec.of(recert.ActionStart))

	s.Named = []audit.ActorID{"olga"}
	c := h.start(t, s)
	reviews := map[[2]audit.ActorID]bool{}
	for _, i := range h.items(t, c.ID) {
		reviews[[2]audit.ActorID{i.Reviewer, i.Access.Subject}] = true
	}
	for pair := range reviews {
		require.False(t, reviews[[2]audit.ActorID{pair[1], pair[0]}])
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	for name, change := range map[string]func(*recert.Spec){
		"Name":    func(s *recert.Spec) { s.Name = " " },
		"Days":    func(s *recert.Spec) { s.Days = 400 },
		"Every":   func(s *recert.Spec) { s.Every = 2 },
		"Owner":   func(s *recert.Spec) { s.Owner = "" },
		"Named":   func(s *recert.Spec) { s.Named = []audit.ActorID{"olga", "olga"} },
		"OnDue":   func(s *recert.Spec) { s.OnDue = map[recert.Risk]recert.OnDue{"none": recert.Revoke} },
		"KeepWhy": func(s *recert.Spec) { s.OnDue = map[recert.Risk]recert.OnDue{recert.RiskPHI: recert.Keep} },
		"Hold":    func(s *recert.Spec) { s.Hold = 91 },
		"Rule":    func(s *recert.Spec) { s.Rule = "unknown" },
	} {
		s := spec()
		change(&s)
		_, err := h.r.Start(h.as("ada"), s)
		require.ErrorIs(t, err, recert.ErrSpec, name)
		require.ErrorContains(t, err, name)
	}
	s := spec()
	s.Roles = []string{"parent"}
	_, err := h.r.Start(h.as("ada"), s)
	require.ErrorIs(t, err, recert.ErrEmpty, "nobody has it")
}

func TestAReviewFromStartToSignOff(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	olga := h.as("olga")

	// Certified.
	i, err := h.r.Decide(olga, c.ID, h.of(t, c.ID, "theo").Seq, recert.Verdict{Do: recert.Certify, Why: words, Code: "still_needed"})
	require.NoError(t, err)
	require.Equal(t, recert.Certified, i.Outcome)
	require.True(t, i.Decision.Justified)

	// Revoked, and asked about.
	h.days(1)
	i, err = h.r.Decide(olga, c.ID, h.of(t, c.ID, "dora").Seq, recert.Verdict{Do: recert.RevokeIt})
	require.NoError(t, err)
	require.Equal(t, recert.ItemClosed, i.State)
	require.Equal(t, recert.Revoked, i.Outcome)
	require.Len(t, i.Effects, 1)
	require.True(t, i.Effects[0].Denied)
	require.Equal(t, 3, i.Effects[0].Asked, "every action of the policy")
	require.False(t, h.holds(t, "dora", "desk"))

	// Reduced.
	i, err = h.r.Decide(olga, c.ID, h.of(t, c.ID, "tina").Seq, recert.Verdict{Do: recert.Reduce, Reach: recert.Reach{Practices: []string{"south"}}, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Reduced, i.Outcome)
	tina := audit.WithActor(context.Background(), h.staff("tina"))
	dec, err := rbac.Explain(tina, h.z, h.staff("tina"), h.chart, chart{"c", "south"})
	require.NoError(t, err)
	require.True(t, dec.Allowed)
	dec, err = rbac.Explain(tina, h.z, h.staff("tina"), h.chart, chart{"c", "north"})
	require.NoError(t, err)
	require.False(t, dec.Allowed)
	grants, err := h.grants.Grants(t.Context(), clinic, "tina")
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("founder"), grants[0].By, "narrowing makes nobody else the grantor")
	require.Equal(t, i.Effects[0].Grant, grants[0].ID)

	// With an end.
	until := h.now.AddDate(0, 3, 0)
	i, err = h.r.Decide(h.as("ada"), c.ID, h.of(t, c.ID, "adam").Seq, recert.Verdict{Do: recert.CertifyUntil, Until: until, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Limited, i.Outcome)
	grants, err = h.grants.Grants(t.Context(), clinic, "adam")
	require.NoError(t, err)
	require.Equal(t, until, grants[0].Until)

	_, err = h.r.SignOff(h.as("ada"), c.ID, "")
	require.ErrorIs(t, err, recert.ErrOpen)
	h.rest(t, c.ID)

	old := h.staff("ada")
	old.AuthTime = h.now.Add(-time.Hour)
	_, err = h.r.SignOff(audit.WithActor(t.Context(), old), c.ID, "")
	require.ErrorIs(t, err, recert.ErrStepUp)
	signed, err := h.r.SignOff(h.as("ada"), c.ID, "complete")
	require.NoError(t, err)
	require.Equal(t, recert.Signed, signed.State)
	require.False(t, signed.Active)
	digest, err := recert.ContentDigest(signed, h.store.Items(t.Context(), clinic, c.ID, recert.ItemFilter{}))
	require.NoError(t, err)
	require.Equal(t, digest, signed.SignOff.Digest)
	events := h.rec.of(recert.ActionSignOff)
	require.Equal(t, digest, events[len(events)-1].Detail["digest"])
	for _, e := range h.rec.events {
		for k, v := range e.Detail {
			require.NotContains(t, v, "phone", k)
		}
	}
	_, err = h.r.SignOff(h.as("ada"), c.ID, "")
	require.ErrorIs(t, err, recert.ErrSigned)
	_, err = h.r.Decide(olga, c.ID, 1, recert.Verdict{Do: recert.RevokeIt, Why: words})
	require.ErrorIs(t, err, recert.ErrSigned)
	h.days(100)
	h.tick(t)
	after, err := h.store.Get(t.Context(), clinic, c.ID)
	require.NoError(t, err)
	require.Equal(t, signed, after)
}

func TestVerdictsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	tina, dora := h.of(t, c.ID, "tina").Seq, h.of(t, c.ID, "dora").Seq
	for name, v := range map[string]recert.Verdict{
		"nothing":         {Why: words},
		"unknown":         {Do: "keep", Why: words},
		"code":            {Do: recert.Certify, Code: "Asked Ana", Why: words},
		"past":            {Do: recert.CertifyUntil, Until: h.now, Why: words},
		"no end":          {Do: recert.CertifyUntil, Why: words},
		"end of certify":  {Do: recert.Certify, Until: h.now.Add(time.Hour), Why: words},
		"more reach":      {Do: recert.Reduce, Reach: recert.Reach{Practices: []string{"north", "west"}}, Why: words},
		"all of it":       {Do: recert.Reduce, Reach: recert.Reach{Practices: []string{"north", "south"}}, Why: words},
		"none of it":      {Do: recert.Reduce, Why: words},
		"other dimension": {Do: recert.Reduce, Reach: recert.Reach{Practices: []string{"north"}, Queues: []string{"q"}}, Why: words},
		"reach of revoke": {Do: recert.RevokeIt, Reach: recert.Reach{Practices: []string{"north"}}, Why: words},
		"to of certify":   {Do: recert.Certify, To: "theo", Why: words},
		"long":            {Do: recert.Certify, Why: strings.Repeat("a", 4000)},
		"give back":       {Do: recert.GiveBack, Why: words},
	} {
		_, err := h.r.Decide(h.as("olga"), c.ID, tina, v)
		require.ErrorIs(t, err, recert.ErrVerdict, name)
	}
	for _, why := range []string{"", "ok", "            ", "........", "12-34-567"} {
		_, err := h.r.Decide(h.as("olga"), c.ID, tina, recert.Verdict{Do: recert.Certify, Why: why})
		require.ErrorIs(t, err, recert.ErrReason)
	}
	_, err := h.r.Decide(h.as("olga"), c.ID, dora, recert.Verdict{Do: recert.Certify})
	require.NoError(t, err, "neither PHI nor an administrator")
	_, err = h.r.Decide(h.as("olga"), c.ID, dora, recert.Verdict{Do: recert.RevokeIt})
	require.ErrorIs(t, err, recert.ErrState, "a decision is final")
	_, err = h.r.Bulk(h.as("olga"), c.ID, []int64{tina}, recert.Verdict{Do: recert.Certify, Why: words})
	require.ErrorIs(t, err, recert.ErrBulk)
}

func TestAnEndIsNotMovedBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	until := h.now.AddDate(0, 2, 0)
	_, err := h.z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: "lena", Role: "desk", Until: until})
	require.NoError(t, err)
	c := h.start(t, spec())
	i := h.of(t, c.ID, "lena")
	for _, at := range []time.Time{until, until.AddDate(0, 0, 1)} {
		_, err = h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.CertifyUntil, Until: at})
		require.ErrorIs(t, err, recert.ErrVerdict)
	}
	_, err = h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.CertifyUntil, Until: until.AddDate(0, 0, -1)})
	require.NoError(t, err)
}

func TestBulkIsForWhatNeedsNoWords(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.give(t, "dana", "desk")
	c := h.start(t, spec())
	n, err := h.r.Bulk(h.as("olga"), c.ID, []int64{h.of(t, c.ID, "dora").Seq, h.of(t, c.ID, "dana").Seq}, recert.Verdict{Do: recert.Certify})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Len(t, h.rec.of(recert.ActionDecide), 2, "one event each")
}

func TestDelegationAndAbstention(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	seq := h.of(t, c.ID, "theo").Seq
	_, err := h.r.Decide(h.as("olga"), c.ID, seq, recert.Verdict{Do: recert.Delegate, To: "dora"})
	require.ErrorIs(t, err, recert.ErrReason)
	i, err := h.r.Decide(h.as("olga"), c.ID, seq, recert.Verdict{Do: recert.Delegate, To: "dora", Why: words})
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("dora"), i.Reviewer)
	_, err = h.r.Decide(h.as("dora"), c.ID, seq, recert.Verdict{Do: recert.Delegate, To: "tina", Why: words})
	require.ErrorIs(t, err, recert.ErrDelegated)
	_, err = h.r.Decide(h.as("olga"), c.ID, seq, recert.Verdict{Do: recert.Certify, Why: words})
	require.ErrorIs(t, err, recert.ErrReviewer, "it is dora's now")

	i, err = h.r.Decide(h.as("dora"), c.ID, seq, recert.Verdict{Do: recert.Abstain})
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("adam"), i.Reviewer, "the next of the chain")
	_, err = h.r.Decide(h.as("adam"), c.ID, seq, recert.Verdict{Do: recert.Delegate, To: "dora", Why: words})
	require.NoError(t, err, "who comes next may delegate as well")
	i, err = h.r.Decide(h.as("dora"), c.ID, seq, recert.Verdict{Do: recert.Abstain})
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("ada"), i.Reviewer)
	i, err = h.r.Decide(h.as("ada"), c.ID, seq, recert.Verdict{Do: recert.Abstain})
	require.NoError(t, err)
	require.Empty(t, i.Reviewer)
	require.Equal(t, recert.ExceptionNoReviewer, i.Exception)
	rep := h.tick(t)
	require.Equal(t, []recert.Ref{{Tenant: clinic, Campaign: c.ID, Seq: seq, Exception: recert.ExceptionNoReviewer}}, rep.Exceptions)

	// The owner names somebody for what nobody reviews, and for what waits for somebody who is away.
	i, err = h.r.Decide(h.as("ada"), c.ID, seq, recert.Verdict{Do: recert.Delegate, To: "dora", Why: words})
	require.NoError(t, err)
	require.Empty(t, i.Exception)
	_, err = h.r.Decide(h.as("ada"), c.ID, seq, recert.Verdict{Do: recert.Delegate, To: "tina", Why: words})
	require.NoError(t, err)
	i, err = h.r.Decide(h.as("tina"), c.ID, seq, recert.Verdict{Do: recert.Certify, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Certified, i.Outcome)
	var chain []string
	for _, s := range i.Steps {
		require.NotEmpty(t, s.Event)
		chain = append(chain, string(s.Do)+" "+string(s.By)+" "+string(s.To))
	}
	require.Equal(t, []string{
		"delegate olga dora", "abstain dora adam", "delegate adam dora", "abstain dora ada", "abstain ada ", "delegate ada dora", "delegate ada tina",
	}, chain)
}

func TestTheLastAdministratorIsNotRevoked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.give(t, "adam", "admin")
	h.give(t, "olga", "officer")
	h.give(t, "theo", "therapist", "north")
	s := spec()
	s.Named, s.Owner = []audit.ActorID{"olga", "adam"}, "theo"
	c, err := h.r.Start(h.as("olga"), s)
	require.NoError(t, err)
	seq := h.of(t, c.ID, "adam").Seq
	_, err = h.r.Decide(h.as("olga"), c.ID, seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
	require.ErrorIs(t, err, recert.ErrLastAdmin)
	_, err = h.r.Decide(h.as("olga"), c.ID, seq, recert.Verdict{Do: recert.CertifyUntil, Until: h.now.AddDate(0, 1, 0), Why: words})
	require.ErrorIs(t, err, recert.ErrLastAdmin, "nor is it given an end")
	require.Equal(t, recert.ItemOpen, h.of(t, c.ID, "adam").State)
	require.True(t, h.holds(t, "adam", "admin"))
}

func TestContextOfAnItem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.give(t, "adam", "therapist", "north")
	h.days(100)
	used := h.give(t, "uma", "desk")
	h.give(t, "newt", "desk")
	h.parts.Usage = usage{used.ID: h.now.Add(-time.Hour)}
	h.open(t)
	c := h.start(t, spec())
	uma, dora, adam := h.of(t, c.ID, "uma"), h.of(t, c.ID, "dora"), h.of(t, c.ID, "adam")
	require.Equal(t, h.now.Add(-time.Hour), uma.Access.Context.LastUsed)
	require.Empty(t, uma.Access.Context.Recommend)
	require.True(t, dora.Access.Context.LastUsed.IsZero())
	require.Equal(t, recert.RecommendRevoke, dora.Access.Context.Recommend, "there for 100 days and never used")
	require.Empty(t, h.of(t, c.ID, "newt").Access.Context.Recommend, "there since today")
	require.Equal(t, []string{"admin_treats_nobody"}, adam.Access.Context.Conflicts)

	h.parts.Usage = partial{}
	h.open(t)
	c = h.start(t, spec())
	dora = h.of(t, c.ID, "dora")
	require.Empty(t, dora.Access.Context.Recommend, "nobody looked at all of it")
	require.True(t, dora.Access.Context.Looked.IsZero())
}

// partial knows nothing for certain.
type partial struct{}

func (partial) Used(context.Context, audit.Tenant, audit.ActorID, time.Time) (recert.Use, error) {
	return recert.Use{Partial: true}, nil
}

// usage knows when grants were used.
type usage map[string]time.Time

func (u usage) Used(context.Context, audit.Tenant, audit.ActorID, time.Time) (recert.Use, error) {
	return recert.Use{Last: u}, nil
}
