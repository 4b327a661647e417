package recert_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

func TestWhoIsNoReviewer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	seq := h.of(t, c.ID, "dora").Seq
	for name, change := range map[string]func(*audit.Actor){
		"a program":             func(a *audit.Actor) { a.Kind = audit.KindService },
		"an agent":              func(a *audit.Actor) { a.Kind = audit.KindAgent },
		"the system":            func(a *audit.Actor) { a.Kind = audit.KindSystem },
		"a patient":             func(a *audit.Actor) { a.Kind = audit.KindPatient },
		"on somebody's behalf":  func(a *audit.Actor) { a.OnBehalfOf = "ada" },
		"an emergency":          func(a *audit.Actor) { a.Emergency = "e1" },
		"a visitor":             func(a *audit.Actor) { a.Organization = "platform" },
		"one factor":            func(a *audit.Actor) { a.Assurance = audit.AAL1 },
		"nobody":                func(a *audit.Actor) { a.ID = "" },
		"somebody of no tenant": func(a *audit.Actor) { a.Tenant = "" },
	} {
		a := h.staff("olga")
		change(&a)
		ctx := audit.WithActor(t.Context(), a)
		_, err := h.r.Decide(ctx, c.ID, seq, recert.Verdict{Do: recert.Certify})
		require.ErrorIs(t, err, recert.ErrActor, name)
		_, err = h.r.Resume(ctx, c.ID, seq, words)
		require.ErrorIs(t, err, recert.ErrActor, name)
		_, err = h.r.Bulk(ctx, c.ID, []int64{seq}, recert.Verdict{Do: recert.Certify})
		require.ErrorIs(t, err, recert.ErrActor, name)
		_, err = h.r.SignOff(ctx, c.ID, "")
		require.ErrorIs(t, err, recert.ErrActor, name)
		_, err = h.r.Start(ctx, spec())
		require.ErrorIs(t, err, recert.ErrActor, name)
	}
	_, err := h.r.Decide(t.Context(), c.ID, seq, recert.Verdict{Do: recert.Certify})
	require.ErrorIs(t, err, recert.ErrActor)
	require.Equal(t, recert.ItemOpen, h.of(t, c.ID, "dora").State)
}

func TestNobodyReviewsThemselves(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.give(t, "theo", "officer") // a second role makes nobody else of him
	s := spec()
	s.Named = []audit.ActorID{"theo", "olga", "adam"}
	c := h.start(t, s)
	for _, i := range h.items(t, c.ID) {
		require.NotEqual(t, i.Access.Subject, i.Reviewer)
		require.NotContains(t, i.Fallback, i.Access.Subject)
		if i.Access.Subject == "theo" {
			_, err := h.r.Decide(h.as("theo"), c.ID, i.Seq, recert.Verdict{Do: recert.Certify, Why: words})
			require.ErrorIs(t, err, recert.ErrSelf)
			_, err = h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.Delegate, To: "theo", Why: words})
			require.ErrorIs(t, err, recert.ErrSelf)
		}
	}
	refused := h.rec.of(recert.ActionDecide)
	require.Len(t, refused, 4, "each attempt is on record")
	for _, e := range refused {
		require.Equal(t, audit.Failure, e.Outcome)
		require.Equal(t, "self", e.Code)
	}
}

func TestNobodyReviewsWhomTheyAppointedOrWhoReviewsThem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	_, err := h.z.Grant(h.as("adam"), rbac.Grant{Person: "anna", Role: "admin"})
	require.NoError(t, err)
	c := h.start(t, spec())
	anna := h.of(t, c.ID, "anna")
	require.Equal(t, audit.ActorID("olga"), anna.Reviewer)
	require.NotContains(t, anna.Fallback, audit.ActorID("adam"))
	_, err = h.r.Decide(h.as("olga"), c.ID, anna.Seq, recert.Verdict{Do: recert.Delegate, To: "adam", Why: words})
	require.ErrorIs(t, err, recert.ErrGrantor)

	// Narrowed by a review, it is still adam's doing.
	_, err = h.r.Decide(h.as("olga"), c.ID, anna.Seq, recert.Verdict{Do: recert.CertifyUntil, Until: h.now.AddDate(1, 0, 0), Why: words})
	require.NoError(t, err)
	next := h.start(t, spec())
	require.Equal(t, audit.ActorID("adam"), h.of(t, next.ID, "anna").Access.By)

	// Adam reviews olga, ada reviews adam, olga reviews ada.
	olga, adam := h.of(t, c.ID, "olga"), h.of(t, c.ID, "adam")
	require.Equal(t, audit.ActorID("adam"), olga.Reviewer)
	_, err = h.r.Decide(h.as(adam.Reviewer), c.ID, adam.Seq, recert.Verdict{Do: recert.Delegate, To: "olga", Why: words})
	require.ErrorIs(t, err, recert.ErrMutual)
	_, err = h.r.Decide(h.as("ada"), c.ID, olga.Seq, recert.Verdict{Do: recert.Delegate, To: "ada", Why: words})
	require.ErrorIs(t, err, recert.ErrMutual, "the owner is held to it as well")
	_, err = h.r.Decide(h.as("adam"), c.ID, olga.Seq, recert.Verdict{Do: recert.Abstain})
	require.NoError(t, err)
	require.Empty(t, h.of(t, c.ID, "olga").Reviewer, "ada is next, whom olga reviews")
}

func TestWhoAnswersForAProgramDoesNotReviewIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.parts.Population = population(func(yield func(recert.Access, error) bool) {
		yield(recert.Access{Kind: recert.KindMachine, ID: "key-1", Subject: "svc-lab", For: "olga", Role: "lab_feed", PHI: true}, nil)
	})
	h.parts.Effects[recert.KindMachine] = h.effects
	h.open(t)
	c := h.start(t, spec())
	i := h.of(t, c.ID, "svc-lab")
	require.Equal(t, audit.ActorID("adam"), i.Reviewer)
	_, err := h.r.Decide(h.as("adam"), c.ID, i.Seq, recert.Verdict{Do: recert.Delegate, To: "olga", Why: words})
	require.ErrorIs(t, err, recert.ErrSelf)

	h.parts.Effects = map[recert.Kind]recert.Effects{recert.KindGrant: h.effects}
	h.open(t)
	_, err = h.r.Start(h.as("ada"), spec())
	require.ErrorIs(t, err, recert.ErrSpec, "what cannot be ended is not put before anybody")
}

func TestForgedNumbersAndOtherTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	for _, seq := range []int64{0, -1, 7, 1 << 62, -1 << 63} {
		_, err := h.r.Decide(h.as("olga"), c.ID, seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
		require.ErrorIs(t, err, recert.ErrNotFound, seq)
	}
	for _, id := range []string{"", "x", c.ID + "0", "\x00\xff", c.ID[:35]} {
		_, err := h.r.Decide(h.as("olga"), id, 1, recert.Verdict{Do: recert.RevokeIt, Why: words})
		require.ErrorIs(t, err, recert.ErrNotFound, id)
	}
	stranger := h.staff("olga")
	stranger.Tenant = other
	ctx := audit.WithActor(t.Context(), stranger)
	_, err := h.r.Decide(ctx, c.ID, h.of(t, c.ID, "dora").Seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
	require.ErrorIs(t, err, recert.ErrNotFound)
	_, err = h.r.Get(ctx, c.ID)
	require.ErrorIs(t, err, recert.ErrNotFound)
	_, err = h.r.SignOff(ctx, c.ID, "")
	require.ErrorIs(t, err, recert.ErrNotFound)
	mine, err := h.r.Mine(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, mine)
	for range h.r.List(ctx, "") {
		t.Fatal("another tenant's campaign")
	}
	for range h.r.Items(ctx, c.ID, recert.ItemFilter{}) {
		t.Fatal("another tenant's item")
	}
	require.True(t, h.holds(t, "dora", "desk"))
}

// Whoever writes into the tables behind the engine's back cannot have it signed.
func TestChangedRowsAreNotSigned(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*recert.Item){
		"another subject":        func(i *recert.Item) { i.Access.Subject = "mallory" },
		"another risk":           func(i *recert.Item) { i.Risk = recert.RiskOther },
		"decided by the subject": func(i *recert.Item) { i.Decision.By = i.Access.Subject },
		"decided by a stranger":  func(i *recert.Item) { i.Decision.By = "mallory" },
		"closed without outcome": func(i *recert.Item) { i.Outcome = "" },
		"an exception hidden":    func(i *recert.Item) { i.Exception = recert.ExceptionRegranted },
	} {
		h := newHouse(t)
		h.staffed(t)
		c := h.start(t, spec())
		h.rest(t, c.ID)
		now, err := h.store.Get(t.Context(), clinic, c.ID)
		require.NoError(t, err)
		i := h.of(t, c.ID, "theo")
		change(&i)
		require.NoError(t, h.store.Apply(t.Context(), recert.Write{Campaign: now, Expect: now.Version, Items: []recert.Item{i}}))
		_, err = h.r.SignOff(h.as("ada"), c.ID, "")
		require.ErrorIs(t, err, recert.ErrDamaged, name)
	}
}

func TestARevocationThatDoesNotHold(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	dora := h.of(t, c.ID, "dora")
	h.effects.check = func(c recert.Checked, err error) (recert.Checked, error) {
		c.Denied = false
		return c, err
	}
	i, err := h.r.Decide(h.as(dora.Reviewer), c.ID, dora.Seq, recert.Verdict{Do: recert.RevokeIt})
	require.NoError(t, err, "it is decided")
	require.Equal(t, recert.ItemPending, i.State)
	require.Equal(t, recert.ExceptionNotDenied, i.Exception)
	h.tick(t)
	i = h.of(t, c.ID, "dora")
	require.Equal(t, 2, i.Effects[0].Tries)
	h.effects.check = nil
	h.days(1)
	rep := h.tick(t)
	require.Len(t, rep.Effects, 1)
	i = h.of(t, c.ID, "dora")
	require.Equal(t, recert.ItemClosed, i.State)
	require.Equal(t, (24 * time.Hour).Microseconds(), i.Effects[0].Took, "until it was true")
	require.Empty(t, i.Exception)
}

// The real question is asked: another grant of the same role is found, and does not count as the one
// that was ended.
func TestWhatElseGivesTheSameIsNamed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	second := h.give(t, "dora", "officer")
	c := h.start(t, spec())
	var desk recert.Item
	for _, i := range h.items(t, c.ID) {
		if i.Access.Subject == "dora" && i.Access.Role == "desk" {
			desk = i
		}
	}
	i, err := h.r.Decide(h.as(desk.Reviewer), c.ID, desk.Seq, recert.Verdict{Do: recert.RevokeIt})
	require.NoError(t, err)
	require.True(t, i.Effects[0].Denied)
	require.Equal(t, []string{second.ID}, i.Effects[0].Others)
}

// The grant ends, or another server carries the order out, while this one is about to.
func TestLateRevocationRaces(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	setup := audit.WithActor(context.Background(), audit.System(clinic, "setup"))
	dora, tina := h.of(t, c.ID, "dora"), h.of(t, c.ID, "tina")
	h.effects.hook = func(o recert.Order) { _ = h.z.Revoke(setup, o.Access.Subject, o.Access.ID) }
	i, err := h.r.Decide(h.as(dora.Reviewer), c.ID, dora.Seq, recert.Verdict{Do: recert.RevokeIt})
	require.NoError(t, err)
	require.Equal(t, recert.Revoked, i.Outcome)

	h.effects.hook = func(o recert.Order) {
		_ = h.desk.Apply(audit.WithActor(context.Background(), audit.System(clinic, "recert")), o)
	}
	i, err = h.r.Decide(h.as(tina.Reviewer), c.ID, tina.Seq, recert.Verdict{Do: recert.Reduce, Reach: recert.Reach{Practices: []string{"south"}}, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Reduced, i.Outcome)
	grants, err := h.grants.Grants(t.Context(), clinic, "tina")
	require.NoError(t, err)
	require.Len(t, grants, 1, "given once")
}

func TestManyServersTickAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	for _, who := range []audit.ActorID{"d1", "d2", "d3", "d4", "d5"} {
		h.give(t, who, "desk")
	}
	s := spec()
	s.Every = 1
	s.Days = 20
	c := h.start(t, s)
	h.days(35)
	var all sync.WaitGroup
	started := make([]int, 6)
	for n := range started {
		r, err := recert.New(h.parts, &recert.Options{Now: h.clock})
		require.NoError(t, err)
		all.Go(func() {
			rep, _ := r.Tick(context.Background(), h.clock())
			started[n] = len(rep.Started)
		})
	}
	all.Wait()
	h.tick(t)
	total := 0
	for _, n := range started {
		total += n
	}
	require.Equal(t, 1, total, "one round")
	campaigns := 0
	for _, err := range h.store.List(t.Context(), clinic, "") {
		require.NoError(t, err)
		campaigns++
	}
	require.Equal(t, 2, campaigns)
	exceptions := 0
	for _, i := range h.items(t, c.ID) {
		if i.Exception != "" {
			exceptions++
		}
		if i.State == recert.ItemOpen {
			require.Equal(t, recert.ExceptionLastAdmin, i.Exception)
			continue
		}
		require.Equal(t, recert.ItemSuspended, i.State)
		require.Len(t, i.Effects, 1, "one order each")
		// Whether a server looked for other reviewers after these were suspended is a matter of time.
		require.Contains(t, []recert.Exception{"", recert.ExceptionNoReviewer}, i.Exception)
	}
	got, err := h.store.Get(t.Context(), clinic, c.ID)
	require.NoError(t, err)
	require.Equal(t, recert.Counts{Open: 1, Suspended: 10, Exception: exceptions}, got.Counts, "one administrator is left")
	sent := map[string]int{}
	for _, m := range h.mail.take() {
		sent[m.ID]++
		require.Equal(t, 1, sent[m.ID])
	}
}

// A decision and the due date at the same moment: one of them counts, and the access is what it says.
func TestDecisionsRaceWithTheDueDate(t *testing.T) {
	t.Parallel()
	for range 20 {
		h := newHouse(t)
		h.staffed(t)
		c := h.start(t, spec())
		h.days(30)
		dora := h.of(t, c.ID, "dora")
		var both sync.WaitGroup
		var derr error
		both.Go(func() {
			_, derr = h.r.Decide(h.as(dora.Reviewer), c.ID, dora.Seq, recert.Verdict{Do: recert.Certify})
		})
		both.Go(func() { _, _ = h.r.Tick(context.Background(), h.clock()) })
		both.Wait()
		h.tick(t)
		i := h.of(t, c.ID, "dora")
		if derr == nil {
			require.Equal(t, recert.Certified, i.Outcome)
			require.True(t, h.holds(t, "dora", "desk"))
		} else {
			require.True(t, errors.Is(derr, recert.ErrState), derr)
			require.Equal(t, recert.ItemSuspended, i.State)
			require.False(t, h.holds(t, "dora", "desk"))
		}
	}
}

func TestSignOffRacesWithATick(t *testing.T) {
	t.Parallel()
	for range 20 {
		h := newHouse(t)
		h.staffed(t)
		c := h.start(t, spec())
		h.rest(t, c.ID)
		h.give(t, "nora", "desk")
		var both sync.WaitGroup
		both.Go(func() { _, _ = h.r.Tick(context.Background(), h.clock()) })
		both.Go(func() { _, _ = h.r.SignOff(h.as("ada"), c.ID, "") })
		both.Wait()
		got, err := h.store.Get(t.Context(), clinic, c.ID)
		require.NoError(t, err)
		if got.State != recert.Signed {
			continue
		}
		digest, err := recert.ContentDigest(got, h.store.Items(t.Context(), clinic, c.ID, recert.ItemFilter{}))
		require.NoError(t, err)
		require.Equal(t, got.SignOff.Digest, digest)
		said := h.rec.of(recert.ActionSignOff)
		n := slices.IndexFunc(said, func(e audit.Event) bool { return e.ID == got.SignOff.Event })
		require.GreaterOrEqual(t, n, 0)
		require.Equal(t, digest, said[n].Detail["digest"])
	}
}

func TestTheClockGoesBack(t *testing.T) {
	t.Parallel()
	h, c := overdue(t, spec())
	h.tick(t)
	was := h.items(t, c.ID)
	h.days(-400)
	h.tick(t)
	require.Equal(t, was, h.items(t, c.ID))
}

// Support access ends like any other, and is asked for again instead of being given back.
func TestSupportAccessIsEndedOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	setup := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	visit, err := h.z.Grant(setup, rbac.Grant{Person: "support:vic", Role: "desk", Source: rbac.SourceSupport, Until: h.now.Add(20 * time.Hour)})
	require.NoError(t, err)
	s := spec()
	s.Named = append(s.Named, "support:vic")
	c := h.start(t, s)
	i := h.of(t, c.ID, "support:vic")
	require.Equal(t, recert.KindSupport, i.Access.Kind)
	for _, other := range h.items(t, c.ID) {
		require.NotContains(t, append(other.Fallback, other.Reviewer), audit.ActorID("support:vic"))
	}
	_, err = h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.CertifyUntil, Until: h.now.Add(time.Hour)})
	require.ErrorIs(t, err, recert.ErrRefused)
	i, err = h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.RevokeIt})
	require.NoError(t, err)
	require.Equal(t, recert.Revoked, i.Outcome)
	left, err := h.grants.Grants(t.Context(), clinic, visit.Person)
	require.NoError(t, err)
	require.Empty(t, left)
}
