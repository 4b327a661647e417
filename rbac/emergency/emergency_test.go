package emergency_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// TestTheWayOfAnEmergency: opened, read, ended, reviewed, on all stores; each step is recorded, and
// counts at once on the other server.
func TestTheWayOfAnEmergency(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, open func(testing.TB) backing) {
		h := newHouseOver(t, open(t))
		ctx := h.by("ana")
		form, err := h.desks[1].Form(ctx, "p1")
		require.NoError(t, err)
		require.True(t, form.Words)
		require.Equal(t, 10, form.Left)

		g, err := h.desks[0].Open(ctx, h.proof(ctx, patient("p1")), request())
		require.NoError(t, err)
		require.Equal(t, h.now().Add(4*time.Hour), g.Until)
		require.Equal(t, h.now().Add(72*time.Hour), g.Due)
		require.Equal(t, g, h.stored(g.ID))
		require.False(t, g.Told.IsZero())
		may, id := h.may("ana", h.notes, patient("p1"))
		require.True(t, may)
		require.Equal(t, g.ID, id)
		for _, no := range []struct {
			who audit.ActorID
			a   rbac.Action[chart]
			c   chart
		}{
			{"ana", h.notes, patient("p2")},
			{"ben", h.notes, patient("p1")},
			{"ana", h.write, patient("p1")},
			{"ana", h.notes, chart{"p1", clinic, rbac.LabelPart2}},
			{"ana", h.notes, chart{"p1", "other", 0}},
		} {
			may, _ := h.may(no.who, no.a, no.c)
			require.False(t, may, "%+v", no)
		}
		f, err := rbac.Visible(h.by("ana"), h.z, h.notes)
		require.NoError(t, err)
		match, err := f.Match(t.Context(), patient("p1"))
		require.NoError(t, err)
		require.True(t, match, "lists obey")

		e := h.rec.of(emergency.ActionOpen)[0]
		require.Equal(t, g.ID, e.ID)
		require.Equal(t, g.ID, e.Actor.Emergency)
		require.Equal(t, "ETREAT", e.Purpose)
		require.Equal(t, []audit.Patient{"p1"}, e.Patients)
		why, _ := e.Why.Reveal()
		require.Equal(t, words, why)
		require.Len(t, h.rec.told(emergency.Opened), 1)
		current, ok, err := h.desks[1].Current(h.by("ana"), "p1")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, g.ID, current.ID)

		_, err = h.desks[1].Review(h.by("officer"), g.ID, g.Version, emergency.Justified, "fine")
		require.ErrorIs(t, err, emergency.ErrOpen, "what is still read cannot have been reviewed")
		h.pass(time.Minute)
		g, err = h.desks[1].End(h.by("ana"), g.ID)
		require.NoError(t, err)
		require.Equal(t, h.now(), g.Ended)
		may, _ = h.may("ana", h.notes, patient("p1"))
		require.False(t, may, "at once")
		again, err := h.desks[0].End(h.by("ana"), g.ID)
		require.NoError(t, err)
		require.Equal(t, g, again)
		require.Len(t, h.rec.of(emergency.ActionEnd), 1)

		g, err = h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.FollowUp, "Ask the team.")
		require.NoError(t, err)
		g, err = h.desks[0].Review(h.by("second"), g.ID, g.Version, emergency.Justified, "The team agrees.")
		require.NoError(t, err)
		_, err = h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.NotJustified, "No.")
		require.ErrorIs(t, err, emergency.ErrOver)
		require.False(t, h.stored(g.ID).Pending())
		n := 0
		for used, err := range h.desks[0].Used(t.Context(), clinic, g.Opened) {
			require.NoError(t, err)
			require.Equal(t, g, used)
			n++
		}
		require.Equal(t, 1, n)
		require.Len(t, h.rec.of(emergency.ActionReview), 2)
	})
}

// TestWhatWasRead: pages and lists that showed the patient, and nothing else.
func TestWhatWasRead(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.opens("ana", "p1")
	require.Equal(t, audit.Query{Tenant: clinic, ResourceType: rbac.EmergencyObject, ResourceID: g.ID}, g.Query())
	ctx := h.by("ana")
	_, err := rbac.Authorize(ctx, h.z, h.notes, patient("p1"))
	require.NoError(t, err)
	require.NoError(t, audit.Flush(ctx))
	read := h.rec.of("chart.notes")[0]
	require.Contains(t, read.Objects, audit.Object{Type: rbac.EmergencyObject, ID: g.ID})
	read.Tenant, read.Actor.ID = clinic, "ana"
	require.True(t, g.Read(read))
	for name, other := range map[string]func(e *audit.Event){
		"another person":  func(e *audit.Event) { e.Actor.ID = "ben" },
		"another patient": func(e *audit.Event) { e.Patients = []audit.Patient{"p2"} },
		"another tenant":  func(e *audit.Event) { e.Tenant = "other" },
		"a refusal":       func(e *audit.Event) { e.Outcome = audit.Failure },
		"its own":         func(e *audit.Event) { e.Action = emergency.ActionOpen },
	} {
		e := read
		other(&e)
		require.False(t, g.Read(e), name)
	}
}

// TestTimeEnds: without anybody doing anything, at the instant, and whatever the clock says later.
func TestTimeEnds(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, open func(testing.TB) backing) {
		h := newHouseOver(t, open(t))
		g := h.opens("ana", "p1")
		h.pass(4*time.Hour - time.Microsecond)
		may, _ := h.may("ana", h.read, patient("p1"))
		require.True(t, may)
		h.pass(time.Microsecond)
		may, _ = h.may("ana", h.read, patient("p1"))
		require.False(t, may)
		require.NoError(t, h.desks[0].Tick(t.Context()))
		require.NoError(t, h.desks[1].Tick(t.Context()))
		require.Len(t, h.rec.of(emergency.ActionExpire), 1)
		require.Equal(t, g.Until, h.stored(g.ID).Ended)
		h.pass(-2 * time.Hour)
		may, _ = h.may("ana", h.read, patient("p1"))
		require.False(t, may, "a clock that is set back opens nothing that was written down as over")
		ctx := h.by("ana")
		second, err := h.desks[0].Open(ctx, h.proof(ctx, patient("p1")), request())
		require.NoError(t, err, "and keeps nobody from opening again")
		require.Equal(t, int64(2), second.Number)
	})
}

// TestWhoOpensNothing: everybody who is not a proven person at the page, and every patient for whom an
// emergency would change nothing.
func TestWhoOpensNothing(t *testing.T) {
	t.Parallel()
	weak, helper, foreign := staff("ana"), staff("ana"), staff("ana")
	weak.Assurance = audit.AAL1
	helper.OnBehalfOf = "ben"
	foreign.Tenant = "other"
	agent := audit.Actor{ID: "bot", Kind: audit.KindAgent, Tenant: clinic, Assurance: audit.AAL2, OnBehalfOf: "ana"}.Within("chart.open", "chart.read")
	for name, c := range map[string]struct {
		who  audit.Actor
		with func(h *house, ctx context.Context) rbac.Granted[chart]
		want error
	}{
		"nobody":              {audit.Actor{}, nil, emergency.ErrNoActor},
		"a patient":           {audit.Actor{ID: "ana", Kind: audit.KindPatient, Tenant: clinic, Assurance: audit.AAL2}, nil, emergency.ErrNoActor},
		"an agent":            {agent, nil, emergency.ErrNoActor},
		"the system":          {audit.System(clinic, "x"), nil, emergency.ErrNoActor},
		"for somebody":        {helper, nil, emergency.ErrNoActor},
		"a visitor":           {staff(rbac.VisitorPrefix + "ana"), nil, emergency.ErrNoActor},
		"one factor":          {weak, nil, emergency.ErrAssurance},
		"another tenant":      {foreign, nil, emergency.ErrProof},
		"no proof":            {staff("ana"), func(*house, context.Context) rbac.Granted[chart] { return rbac.Granted[chart]{} }, emergency.ErrProof},
		"somebody's proof":    {staff("bill"), nil, emergency.ErrProof},
		"a colleague's proof": {staff("ben"), nil, emergency.ErrProof},
		"a proof that was kept": {staff("ana"), func(h *house, ctx context.Context) rbac.Granted[chart] {
			proof := h.proof(ctx, patient("p1"))
			h.pass(emergency.MaxStepUp + time.Microsecond)
			return proof
		}, emergency.ErrProof},
		"another action": {staff("ana"), func(h *house, ctx context.Context) rbac.Granted[chart] {
			h.own.Link(clinic, "ana", "p2", time.Time{})
			g, err := rbac.Authorize(ctx, h.z, h.read, patient("p2"))
			require.NoError(h.t, err)
			return g
		}, emergency.ErrProof},
		"the treatment team": {staff("ana"), func(h *house, ctx context.Context) rbac.Granted[chart] {
			h.own.Link(clinic, "ana", "p1", time.Time{})
			return h.proof(ctx, patient("p1"))
		}, emergency.ErrNotNeeded},
		"what no emergency lifts": {staff("ana"), func(h *house, ctx context.Context) rbac.Granted[chart] {
			return h.closed(ctx)
		}, emergency.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			ctx := h.as(c.who)
			var proof rbac.Granted[chart]
			if c.with != nil {
				proof = c.with(h, ctx)
			} else {
				proof = h.proof(h.by("ana"), patient("p1"))
			}
			_, err := h.desks[0].Open(ctx, proof, request())
			require.ErrorIs(t, err, c.want)
			h.nothing(t)
		})
	}
}

// nothing expects that nobody has opened anything.
func (h *house) nothing(t *testing.T) {
	t.Helper()
	for g, err := range h.wire.Store.List(t.Context(), clinic, false, "") {
		require.NoError(t, err)
		require.Fail(t, "open", "%+v", g)
	}
	for _, e := range h.rec.of(emergency.ActionOpen) {
		require.NotEqual(t, audit.Success, e.Outcome)
	}
}

// closed is a proof for a patient whom a Forbid closes to everything but the opening.
func (h *house) closed(ctx context.Context) rbac.Granted[chart] {
	h.t.Helper()
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id", Labels: "labels"}
	open := rbac.Define[chart]("chart.open2", cols, rbac.StepUp(5*time.Minute))
	policy, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{open, h.read, h.notes},
		Relations: rbac.Relations{Emergency: emergency.NewMemory().Relation()},
		Roles: []rbac.Role{{Name: "therapist", Label: "T", Rank: 1, Allow: []rbac.Allow{
			rbac.In(rbac.Tenant, open), rbac.In(rbac.Emergency, h.read, h.notes),
		}}},
		Forbid: []rbac.Forbid{{Name: "part2", Labels: rbac.LabelPart2, Actions: []rbac.AnyAction{h.read, h.notes}}},
	})
	require.NoError(h.t, err)
	store := rbac.NewMemory()
	z, err := rbac.New(policy, store, h.rec, &rbac.Options{Now: h.now, StepUps: h})
	require.NoError(h.t, err)
	_, err = z.Grant(audit.WithActor(h.t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: "ana", Role: "therapist"})
	require.NoError(h.t, err)
	h.desks[0] = h.desk(func(p *emergency.Parts[chart], _ *emergency.Options) { p.Action, p.Authorizer = open, z })
	g, err := rbac.Authorize(ctx, z, open, chart{"p1", clinic, rbac.LabelPart2})
	require.NoError(h.t, err)
	return g
}

// TestAStepUpThatIsOwedIsNoProof: the guard hands over nothing.
func TestAStepUpThatIsOwedIsNoProof(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.owed = true
	ctx := h.by("ana")
	g, err := rbac.Authorize(ctx, h.z, h.open, patient("p1"))
	require.ErrorIs(t, err, rbac.ErrStepUp)
	_, err = h.desks[0].Open(ctx, g, request())
	require.ErrorIs(t, err, emergency.ErrProof)
	h.nothing(t)
}

// TestWhatPeopleSay is checked before anything is recorded.
func TestWhatPeopleSay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*emergency.Request)
		field  string
	}{
		"no reason":   {func(r *emergency.Request) { r.Reason = "" }, "reason"},
		"own reason":  {func(r *emergency.Request) { r.Reason = "curiosity" }, "reason"},
		"no words":    {func(r *emergency.Request) { r.Words = "" }, "words"},
		"short words": {func(r *emergency.Request) { r.Words = "  emergency, really " + strings.Repeat(" ", 40) }, "words"},
		"long words":  {func(r *emergency.Request) { r.Words = strings.Repeat("x", emergency.MaxWords+1) }, "words"},
		"nothing":     {func(r *emergency.Request) { r.Words = strings.Repeat("\u200b.", 40) }, "words"},
		"no letters":  {func(r *emergency.Request) { r.Words = words + "\x00" }, "words"},
		"no text":     {func(r *emergency.Request) { r.Words = words + "\xff" }, "words"},
		"too long":    {func(r *emergency.Request) { r.For = 4*time.Hour + time.Second }, "for"},
		"too short":   {func(r *emergency.Request) { r.For = 59 * time.Second }, "for"},
		"negative":    {func(r *emergency.Request) { r.For = -time.Hour }, "for"},
	} {
		h := newHouse(t)
		ctx := h.by("ana")
		r := request()
		c.change(&r)
		_, err := h.desks[0].Open(ctx, h.proof(ctx, patient("p1")), r)
		var input *emergency.InputError
		require.ErrorAs(t, err, &input, name)
		require.Equal(t, c.field, input.Field, name)
		require.NotContains(t, err.Error(), "curiosity")
		h.nothing(t)
	}
}

// TestWordsCountForAWhile: within the window the same patient needs no new ones, but a record, a
// proof and a notice; a verdict against it ends that, and so does the window, which is not moved.
func TestWordsCountForAWhile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.opens("ana", "p1")
	_, err := h.desks[0].End(h.by("ana"), first.ID)
	require.NoError(t, err)
	silent := func(who audit.ActorID, id string) (emergency.Grant, error) {
		ctx := h.by(who)
		return h.desks[1].Open(ctx, h.proof(ctx, patient(id)), emergency.Request{})
	}
	h.pass(6 * 24 * time.Hour)
	second, err := silent("ana", "p1")
	require.NoError(t, err)
	require.Equal(t, first.ID, second.Again)
	require.Equal(t, first.Reason, second.Reason)
	require.Len(t, h.rec.told(emergency.Opened), 2)
	require.Equal(t, first.ID, h.rec.of(emergency.ActionOpen)[1].Detail["again"])
	_, err = silent("ana", "p2")
	require.ErrorIs(t, err, emergency.ErrInput, "another patient")
	_, err = silent("ben", "p1")
	require.ErrorIs(t, err, emergency.ErrInput, "another person")
	_, err = silent("ana", "p1")
	require.ErrorIs(t, err, emergency.ErrOpen)
	h.pass(24 * time.Hour)
	_, err = silent("ana", "p1")
	require.ErrorIs(t, err, emergency.ErrInput, "the window counts from the words")

	h.pass(-12 * time.Hour)
	g := h.stored(second.ID)
	_, err = h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.NotJustified, "Curiosity.")
	require.NoError(t, err)
	_, err = silent("ana", "p1")
	require.ErrorIs(t, err, emergency.ErrInput, "found not justified")
	h.set.Reprompt = 0
	form, err := h.desks[0].Form(h.by("ana"), "p1")
	require.NoError(t, err)
	require.True(t, form.Words)
}

// TestTooManyOpenings: the limit holds, and somebody hears of it once.
func TestTooManyOpenings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.set.PerDay = 3
	for _, id := range []string{"p1", "p2", "p3"} {
		h.opens("ana", id)
		h.pass(time.Hour)
	}
	for range 3 {
		ctx := h.by("ana")
		_, err := h.desks[1].Open(ctx, h.proof(ctx, patient("p4")), request())
		require.ErrorIs(t, err, emergency.ErrLimited)
		var limited *emergency.LimitedError
		require.ErrorAs(t, err, &limited)
		require.Equal(t, 21*time.Hour+time.Second, limited.RetryAfter)
	}
	require.Len(t, h.rec.told(emergency.Limited), 1)
	refused := 0
	for _, e := range h.rec.of(emergency.ActionOpen) {
		if e.Code == emergency.CodeLimited {
			refused++
		}
	}
	require.Equal(t, 3, refused)
	h.opens("ben", "p4")
	h.pass(21 * time.Hour)
	h.opens("ana", "p4")
}

// TestAnAlarmThatFailsIsTriedAgain.
func TestAnAlarmThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.set.PerDay = 1
	h.rec.silent = true
	g := h.opens("ana", "p1")
	require.True(t, g.Told.IsZero(), "care does not wait for a mail server")
	may, _ := h.may("ana", h.notes, patient("p1"))
	require.True(t, may)
	ctx := h.by("ana")
	_, err := h.desks[0].Open(ctx, h.proof(ctx, patient("p2")), request())
	require.ErrorIs(t, err, emergency.ErrLimited)
	require.ErrorIs(t, h.desks[0].Tick(t.Context()), emergency.ErrUntold)
	require.ErrorIs(t, h.desks[0].Health(t.Context()), emergency.ErrUntold)
	h.rec.silent = false
	h.pass(time.Minute)
	require.NoError(t, h.desks[0].Tick(t.Context()))
	require.NoError(t, h.desks[0].Tick(t.Context()))
	require.Len(t, h.rec.told(emergency.Opened), 1)
	require.Len(t, h.rec.told(emergency.Limited), 1)
	require.ErrorIs(t, h.desks[0].Health(t.Context()), emergency.ErrNotRunning)
}

// TestANoticeThatHangsDelaysNobodyForLong.
func TestANoticeThatHangsDelaysNobodyForLong(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.desks[0] = h.desk(func(p *emergency.Parts[chart], o *emergency.Options) {
		p.Notices, o.TellWithin = hanging{}, 10*time.Millisecond
	})
	g := h.opens("ana", "p1")
	require.True(t, g.Told.IsZero())
}

type hanging struct{}

func (hanging) Tell(ctx context.Context, _ emergency.Notice) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestNobodyReviewsTheirOwn, whatever they act as, and the attempt is on record.
func TestNobodyReviewsTheirOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.opens("ana", "p1")
	helper, urgent, weak, foreign := staff("officer"), staff("officer"), staff("officer"), staff("officer")
	helper.OnBehalfOf, urgent.Emergency, weak.Assurance, foreign.Tenant = "ana", "e", audit.AAL1, "other"
	h.pass(5 * time.Hour)
	for name, c := range map[string]struct {
		who  audit.Actor
		want error
	}{
		"self": {staff("ana"), emergency.ErrOwn}, "for ana": {helper, emergency.ErrNoActor}, "in an emergency": {urgent, emergency.ErrNoActor},
		"one factor": {weak, emergency.ErrAssurance}, "another tenant": {foreign, emergency.ErrNotFound}, "nobody": {audit.Actor{}, emergency.ErrNoActor},
		"agent": {audit.Actor{ID: "bot", Kind: audit.KindAgent, Tenant: clinic, Assurance: audit.AAL2}, emergency.ErrNoActor},
	} {
		_, err := h.desks[0].Review(h.as(c.who), g.ID, g.Version, emergency.Justified, "fine")
		require.ErrorIs(t, err, c.want, name)
	}
	require.Empty(t, h.stored(g.ID).Verdict)
	events := h.rec.of(emergency.ActionReview)
	require.Len(t, events, 1)
	require.Equal(t, emergency.CodeOwn, events[0].Code)
	for name, bad := range map[string]error{
		"verdict": second(h.desks[0].Review(h.by("officer"), g.ID, g.Version, "fine", "x")),
		"words":   second(h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.Justified, "  ")),
		"version": second(h.desks[0].Review(h.by("officer"), g.ID, g.Version+1, emergency.Justified, "x")),
		"id":      second(h.desks[0].Review(h.by("officer"), "forged", g.Version, emergency.Justified, "x")),
	} {
		require.Error(t, bad, name)
	}
	g, err := h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.Justified, "fine")
	require.NoError(t, err)
	require.Equal(t, g.Until, g.Ended, "what was reviewed is over for good")
}

func second[T any](_ T, err error) error { return err }

// TestWhoEnds: the person, and whoever the host lets stop; nobody else's by End.
func TestWhoEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.opens("ana", "p1")
	for name, a := range map[string]audit.Actor{"ben": staff("ben"), "another tenant": {ID: "ana", Kind: audit.KindStaff, Tenant: "other"}} {
		_, err := h.desks[0].End(h.as(a), g.ID)
		require.ErrorIs(t, err, emergency.ErrNotFound, name)
	}
	_, err := h.desks[0].Stop(h.as(audit.Actor{ID: "eve", Kind: audit.KindStaff, Tenant: "other"}), g.ID, "")
	require.ErrorIs(t, err, emergency.ErrNotFound)
	weak := staff("ana")
	weak.Assurance = audit.AAL1
	stopped, err := h.desks[0].Stop(h.by("officer"), g.ID, "Called: not needed any more.")
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("officer"), stopped.By)
	_, err = h.desks[0].End(h.as(weak), h.opens("ana", "p1").ID)
	require.NoError(t, err, "leaving takes no second factor")
	require.Equal(t, "other", h.rec.of(emergency.ActionEnd)[0].Detail["by"])
}

// TestOverdueReviewsAreEscalated, again and again, once each.
func TestOverdueReviewsAreEscalated(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.opens("ana", "p1")
	tick := func() {
		for _, d := range h.desks {
			require.NoError(t, d.Tick(t.Context()))
		}
	}
	h.pass(72*time.Hour - time.Microsecond)
	tick()
	require.Empty(t, h.rec.told(emergency.Overdue))
	h.pass(time.Microsecond)
	tick()
	tick()
	require.Len(t, h.rec.told(emergency.Overdue), 1)
	h.pass(24 * time.Hour)
	tick()
	require.Len(t, h.rec.told(emergency.Overdue), 2)
	require.Equal(t, 1, h.rec.told(emergency.Overdue)[1].Times)
	require.NotEqual(t, h.rec.told(emergency.Overdue)[0].ID, h.rec.told(emergency.Overdue)[1].ID)
	require.Len(t, h.rec.of(emergency.ActionOverdue), 2)
	g = h.stored(g.ID)
	_, err := h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.Justified, "late")
	require.NoError(t, err)
	h.pass(48 * time.Hour)
	tick()
	require.Len(t, h.rec.told(emergency.Overdue), 2)
}

// TestADeskForWhomSomeReadsAreUsual: who reads the chart anyhow has an emergency for the notes.
func TestADeskForWhomSomeReadsAreUsual(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.opens("dora", "p1")
	may, id := h.may("dora", h.read, patient("p1"))
	require.True(t, may)
	require.Empty(t, id)
	may, id = h.may("dora", h.notes, patient("p1"))
	require.True(t, may)
	require.NotEmpty(t, id)
}

// TestNew refuses what could not work.
func TestNew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := emergency.New(emergency.Parts[chart]{}, nil)
	require.ErrorContains(t, err, "Store, Recorder, Authorizer, Notices, Action, Reads")
	good := emergency.Parts[chart]{Store: h.wire, Recorder: h.rec, Authorizer: h.z, Notices: h.rec, Action: h.open, Reads: []rbac.Action[chart]{h.read}}
	for name, bad := range map[string]func(*emergency.Parts[chart], *emergency.Options){
		"no step-up": func(p *emergency.Parts[chart], _ *emergency.Options) { p.Action = h.write },
		"old step-up": func(p *emergency.Parts[chart], _ *emergency.Options) {
			p.Action = rbac.Define[chart]("x.y", rbac.Columns{}, rbac.StepUp(time.Hour))
		},
		"zero read": func(p *emergency.Parts[chart], _ *emergency.Options) { p.Reads = []rbac.Action[chart]{{}} },
		"itself":    func(p *emergency.Parts[chart], _ *emergency.Options) { p.Reads = []rbac.Action[chart]{h.open} },
		"a read that no emergency opens": func(p *emergency.Parts[chart], _ *emergency.Options) {
			p.Reads = []rbac.Action[chart]{h.read, h.write}
		},
		"a read of another policy": func(p *emergency.Parts[chart], _ *emergency.Options) {
			p.Reads = []rbac.Action[chart]{rbac.Define[chart]("chart.read", rbac.Columns{}, rbac.Verb(audit.Read))}
		},
		"an action that reads": func(p *emergency.Parts[chart], _ *emergency.Options) {
			p.Action = rbac.Define[chart]("x.y", rbac.Columns{}, rbac.StepUp(time.Minute), rbac.Verb(audit.Read))
		},
		"no record": func(p *emergency.Parts[chart], _ *emergency.Options) { p.Recorder = audit.Discard{} },
		"no policy": func(p *emergency.Parts[chart], _ *emergency.Options) { p.Authorizer = &rbac.Authorizer{} },
		"every":     func(_ *emergency.Parts[chart], o *emergency.Options) { o.Every = 2 * time.Hour },
		"tell":      func(_ *emergency.Parts[chart], o *emergency.Options) { o.TellWithin = time.Minute },
		"remind":    func(_ *emergency.Parts[chart], o *emergency.Options) { o.Remind = time.Minute },
	} {
		p, o := good, emergency.Options{}
		bad(&p, &o)
		_, err := emergency.New(p, &o)
		require.Error(t, err, name)
	}
	_, err = emergency.New(good, nil)
	require.NoError(t, err)
}

// TestSettings: nothing beyond the ceilings, and settings that cannot be used open nothing.
func TestSettings(t *testing.T) {
	t.Parallel()
	require.NoError(t, emergency.Standard().Validate())
	for name, bad := range map[string]func(*emergency.Settings){
		"no reasons": func(s *emergency.Settings) { s.Reasons = nil },
		"a sentence": func(s *emergency.Settings) { s.Reasons = []string{"It was urgent"} },
		"twice":      func(s *emergency.Settings) { s.Reasons = []string{"a", "b", "a"} },
		"few words":  func(s *emergency.Settings) { s.MinWords = 9 },
		"long":       func(s *emergency.Settings) { s.Longest = emergency.MaxLongest + 1 },
		"no time":    func(s *emergency.Settings) { s.Longest = 0 },
		"review":     func(s *emergency.Settings) { s.Review = emergency.MaxReview + 1 },
		"early":      func(s *emergency.Settings) { s.Review = 3 * time.Hour },
		"reprompt":   func(s *emergency.Settings) { s.Reprompt = emergency.MaxReprompt + 1 },
		"many":       func(s *emergency.Settings) { s.PerDay = emergency.MaxPerDay + 1 },
		"none":       func(s *emergency.Settings) { s.PerDay = 0 },
	} {
		h := newHouse(t)
		bad(&h.set)
		require.ErrorIs(t, h.set.Validate(), emergency.ErrSettings, name)
		ctx := h.by("ana")
		_, err := h.desks[0].Open(ctx, h.proof(ctx, patient("p1")), request())
		require.ErrorIs(t, err, emergency.ErrUnavailable, name)
		h.nothing(t)
	}
}

// TestHealth: Run that nobody calls shows, and so does what it could not do.
func TestHealth(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.desks[0].Run(ctx) }()
	require.Eventually(t, func() bool { return h.desks[0].Health(ctx) == nil }, time.Minute, time.Millisecond)
	cancel()
	require.True(t, errors.Is(<-done, context.Canceled))
	require.ErrorIs(t, h.desks[0].Health(t.Context()), emergency.ErrNotRunning)
}
