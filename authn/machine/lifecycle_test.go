package machine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/machine"
)

var _ authn.Ender = (*machine.Manager)(nil)

func TestNewRefusesWhatIsMissingOrOutOfRange(t *testing.T) {
	t.Parallel()
	_, err := machine.New(machine.Parts{}, nil)
	require.EqualError(t, err, "machine: Parts lacks Store, Rights, People, Windows, Recorder")
	h := newHouse(t, nil)
	for what, o := range map[string]machine.Options{
		"Prefix":  {Prefix: "WK"},
		"short":   {Prefix: "w"},
		"digit":   {Prefix: "1k"},
		"bar":     {Prefix: "w_k"},
		"service": {MaxService: 366 * 24 * time.Hour},
		"agent":   {MaxAgent: -1},
		"keys":    {MaxKeys: 6},
		"one key": {MaxKeys: 1},
		"overlap": {MaxOverlap: 31 * 24 * time.Hour},
		"token":   {TokenLife: 16 * time.Minute},
		"rate":    {ServiceRate: -1},
		"agents":  {AgentRate: -1},
		"bad":     {BadKeys: -1},
		"timeout": {Timeout: time.Hour},
	} {
		_, err := machine.New(h.parts, &o)
		require.ErrorContains(t, err, "machine: Options.", what)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.agent())
	require.Equal(t, machine.Principal{
		Tenant: clinic, ID: p.ID, Version: 1, Kind: audit.KindAgent, Name: "Note helper", Owner: ada, OnBehalfOf: tess,
		Scopes: []audit.Action{notes, read}, State: machine.Active, Expires: h.agent().Expires,
		Created: h.clock.Now(), CreatedBy: ada, Keys: p.Keys,
	}, p)
	require.Len(t, p.Keys, 1)
	require.Equal(t, p.Expires, p.Keys[0].Expires)
	got, err := h.m.Get(h.as(ada), p.ID)
	require.NoError(t, err)
	require.Equal(t, p, got)

	e := h.last()
	require.Equal(t, machine.ActionCreate, e.Action)
	require.Equal(t, audit.Success, e.Outcome)
	require.Equal(t, ada, e.Actor.ID)
	require.Equal(t, []audit.Object{{Type: "machine", ID: string(p.ID)}, {Type: "machine_key", ID: p.Keys[0].ID}}, e.Objects)
	require.Equal(t, "note.read patient.read", e.Detail["scopes"])
	require.Equal(t, string(tess), e.Detail["on_behalf_of"])

	a := h.in(key)
	want := audit.Actor{
		ID: p.ID, Kind: audit.KindAgent, Tenant: clinic, OnBehalfOf: tess, Session: p.Keys[0].ID, Methods: []string{machine.MethodKey},
		Assurance: audit.AAL1, Origin: office.Addr, Device: office.Device,
	}
	require.Equal(t, want.Within(notes, read), a)
}

// Only a person with a second factor lets a program in, and only within their own rights.
func TestWhoMayCreate(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	_, _, err := h.m.Create(t.Context(), h.service())
	require.ErrorIs(t, err, machine.ErrNoActor)
	for what, a := range map[string]audit.Actor{
		"nobody":                audit.Anonymous(clinic, office.Addr),
		"a service":             {ID: ada, Kind: audit.KindService, Tenant: clinic, Assurance: audit.AAL3},
		"an agent for a person": {ID: "m-1", Kind: audit.KindAgent, Tenant: clinic, OnBehalfOf: ada, Assurance: audit.AAL3},
		"the system":            audit.System(clinic, "job"),
		"a person of nowhere":   {ID: ada, Kind: audit.KindStaff, Assurance: audit.AAL2},
	} {
		_, _, err := h.m.Create(audit.WithActor(t.Context(), a), h.service())
		require.ErrorIs(t, err, machine.ErrNoActor, what)
	}
	weak := audit.Actor{ID: ada, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL1}
	_, _, err = h.m.Create(audit.WithActor(t.Context(), weak), h.service())
	require.ErrorIs(t, err, machine.ErrAssurance)
	_, _, err = h.m.Create(h.as(tess), h.service())
	require.ErrorIs(t, err, machine.ErrScope, "she reads no claims herself")
	spec := h.service()
	spec.Scopes = []audit.Action{read}
	_, _, err = h.m.Create(h.as(tess), spec)
	require.ErrorIs(t, err, machine.ErrScope, "it would reach more than her own patients")
	spec = h.agent()
	spec.OnBehalfOf = ada
	_, _, err = h.m.Create(h.as(tess), spec)
	require.ErrorIs(t, err, machine.ErrScope, "and so would one that acts for an administrator")
	require.Zero(t, h.rec.Len(), "nothing happened")
	p, key, err := h.m.Create(h.as(tess), h.agent())
	require.NoError(t, err, "one that acts for herself does not")
	require.Equal(t, tess, p.Owner)
	require.Equal(t, tess, h.in(key).OnBehalfOf)
}

func TestSpec(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	now := h.clock.Now()
	h.world.left = []audit.ActorID{"p-ben"}
	many := make([]audit.Action, machine.MaxScopes+1)
	for i := range many {
		many[i] = audit.Action("a." + strings.Repeat("b", i+1))
	}
	for what, c := range map[string]struct {
		edit func(*machine.Spec)
		want machine.Reason
	}{
		"a person":                 {func(s *machine.Spec) { s.Kind = audit.KindStaff }, machine.BadKind},
		"no kind":                  {func(s *machine.Spec) { s.Kind = "" }, machine.BadKind},
		"no name":                  {func(s *machine.Spec) { s.Name = "" }, machine.BadName},
		"a long name":              {func(s *machine.Spec) { s.Name = strings.Repeat("n", machine.MaxName+1) }, machine.BadName},
		"a name with a line break": {func(s *machine.Spec) { s.Name = "a\nb" }, machine.BadName},
		"a name that is no text":   {func(s *machine.Spec) { s.Name = "\xff" }, machine.BadName},
		"an agent for nobody":      {func(s *machine.Spec) { s.Kind, s.OnBehalfOf = audit.KindAgent, "" }, machine.BadPerson},
		"for who left":             {func(s *machine.Spec) { s.OnBehalfOf = "p-ben" }, machine.BadPerson},
		"for a program":            {func(s *machine.Spec) { s.OnBehalfOf = "m-1" }, machine.BadPerson},
		"of who left":              {func(s *machine.Spec) { s.Owner = "p-ben" }, machine.BadOwner},
		"no scopes":                {func(s *machine.Spec) { s.Scopes = nil }, machine.BadScopes},
		"an empty scope":           {func(s *machine.Spec) { s.Scopes = []audit.Action{""} }, machine.BadScopes},
		"two scopes in one":        {func(s *machine.Spec) { s.Scopes = []audit.Action{"claim.read team.manage"} }, machine.BadScopes},
		"a quoted scope":           {func(s *machine.Spec) { s.Scopes = []audit.Action{`claim"read`} }, machine.BadScopes},
		"too many scopes":          {func(s *machine.Spec) { s.Scopes = many }, machine.BadScopes},
		"for ever":                 {func(s *machine.Spec) { s.Expires = time.Time{} }, machine.BadExpiry},
		"over already":             {func(s *machine.Spec) { s.Expires = now }, machine.BadExpiry},
		"for too long":             {func(s *machine.Spec) { s.Expires = now.Add(365*24*time.Hour + time.Microsecond) }, machine.BadExpiry},
		"an agent for too long": {func(s *machine.Spec) {
			s.Kind, s.OnBehalfOf, s.Expires = audit.KindAgent, tess, now.Add(91*24*time.Hour)
		}, machine.BadExpiry},
	} {
		s := h.service()
		c.edit(&s)
		_, _, err := h.m.Create(h.as(ada), s)
		var bad *machine.SpecError
		require.ErrorAs(t, err, &bad, what)
		require.Equal(t, c.want, bad.Reason, what)
	}
	require.Zero(t, h.rec.Len())
	s := h.service()
	s.Scopes = []audit.Action{claims, read, claims}
	p, _ := h.make(s)
	require.Equal(t, []audit.Action{claims, read}, p.Scopes, "each once")
}

func TestChange(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.agent())
	soon := h.clock.Now().Add(time.Hour)
	next, err := h.m.Change(h.as(ada), p.ID, p.Version, machine.Edit{Name: "Helper", Owner: tess, Scopes: []audit.Action{read}, Expires: soon})
	require.NoError(t, err)
	require.Equal(t, "Helper", next.Name)
	require.Equal(t, tess, next.Owner)
	require.Equal(t, soon, next.Keys[0].Expires, "no key outlives its principal")
	require.Equal(t, []audit.Action{read}, h.in(key).Scopes())
	e := h.last()
	require.Equal(t, machine.ActionChange, e.Action)
	require.Equal(t, "note.read patient.read", e.Detail["before_scopes"])
	require.Equal(t, "patient.read", e.Detail["scopes"])

	_, err = h.m.Change(h.as(ada), p.ID, p.Version, machine.Edit{Name: "Late"})
	require.ErrorIs(t, err, machine.ErrConflict, "read before somebody else changed it")
	_, err = h.m.Change(h.as(tess), p.ID, 2, machine.Edit{Owner: ada, Scopes: []audit.Action{claims}})
	require.ErrorIs(t, err, machine.ErrScope)
	_, err = h.m.Change(h.as(ada), p.ID, 2, machine.Edit{Scopes: []audit.Action{}})
	require.ErrorIs(t, err, machine.ErrSpec, "none is not all")
	_, err = h.m.Change(h.as(ada), "m-nobody", 1, machine.Edit{})
	require.ErrorIs(t, err, machine.ErrNotFound)
	foreign := audit.WithActor(t.Context(), audit.Actor{ID: ada, Kind: audit.KindStaff, Tenant: "other", Assurance: audit.AAL2})
	_, err = h.m.Change(foreign, p.ID, 2, machine.Edit{Name: "Mine"})
	require.ErrorIs(t, err, machine.ErrNotFound)
	h.clock.Add(time.Hour)
	h.out(key, machine.CodeExpired)
	_, err = h.m.Change(h.as(ada), p.ID, 2, machine.Edit{Expires: h.clock.Now().Add(time.Hour)})
	require.NoError(t, err)
	h.out(key, machine.CodeExpired) // a longer life of the principal revives no key
}

func TestSuspendResumeRemove(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	require.NoError(t, h.m.Suspend(h.as("p-ben"), p.ID, "odd requests at night"))
	h.out(key, machine.CodeState)
	require.ErrorIs(t, h.m.Suspend(h.as(ada), p.ID, ""), machine.ErrState)
	_, err := h.m.Change(h.as(ada), p.ID, 2, machine.Edit{Name: "x"})
	require.ErrorIs(t, err, machine.ErrState)
	_, _, err = h.m.Rotate(h.as(ada), p.ID, 0)
	require.ErrorIs(t, err, machine.ErrState)
	require.ErrorIs(t, h.m.Resume(h.as(tess), p.ID, ""), machine.ErrScope, "letting in again is granting again")
	require.NoError(t, h.m.Resume(h.as(ada), p.ID, "explained"))
	h.in(key)
	require.NoError(t, h.m.Remove(h.as("p-ben"), p.ID, "not needed"))
	h.out(key, machine.CodeRevoked)
	require.ErrorIs(t, h.m.Resume(h.as(ada), p.ID, ""), machine.ErrState)
	for _, program := range []audit.Kind{audit.KindService, audit.KindAgent, audit.KindAnonymous} {
		ctx := audit.WithActor(t.Context(), audit.Actor{ID: "m-2", Kind: program, Tenant: clinic, Assurance: audit.AAL3})
		require.ErrorIs(t, h.m.Suspend(ctx, p.ID, ""), machine.ErrNoActor)
	}
	for _, e := range h.rec.Events() {
		require.NoError(t, e.Validate())
	}
	got, err := h.m.Get(h.as(ada), p.ID)
	require.NoError(t, err)
	require.Equal(t, machine.Removed, got.State, "it stays as evidence")
}

// Who leaves takes their programs along: those they answer for, and those that act for them.
func TestEndAll(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	mine, mineKey := h.make(h.service())
	_, forTess := h.make(h.agent())
	spec := h.service()
	spec.Owner = tess
	_, owned := h.make(spec)
	require.NoError(t, h.m.EndAll(t.Context(), clinic, tess, "suspended"))
	require.NoError(t, h.m.EndAll(t.Context(), clinic, tess, "suspended"), "twice does no harm")
	h.out(forTess, machine.CodeState)
	h.out(owned, machine.CodeState)
	h.in(mineKey)
	events := h.rec.Find(machine.ActionSuspend)
	require.Len(t, events, 2)
	require.Equal(t, audit.KindSystem, events[0].Actor.Kind)
	require.Equal(t, "suspended", events[0].Detail["reason"])
	require.NoError(t, h.m.EndAll(t.Context(), "other", ada, "removed"))
	got, err := h.m.Get(h.as(ada), mine.ID)
	require.NoError(t, err)
	require.Equal(t, machine.Active, got.State)
}

// Even where nobody ends a program, it does not act for who may not act.
func TestAProgramStopsWithItsPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	_, agent := h.make(h.agent())
	_, service := h.make(h.service())
	h.world.leave(tess)
	h.out(agent, machine.CodePerson)
	h.in(service)
	h.world.leave(ada)
	h.out(agent, machine.CodePerson)
	h.out(service, machine.CodePerson)
	h.world.leave()
	h.in(agent)
}

func TestListsShowNoSecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	mine, _ := h.make(h.service())
	agent, _ := h.make(h.agent())
	names := func(ctx context.Context, list func(context.Context, audit.ActorID) func(func(machine.Principal, error) bool)) (out []audit.ActorID) {
		for p, err := range list(ctx, "") {
			require.NoError(t, err)
			for _, k := range p.Keys {
				require.Nil(t, k.Hash)
			}
			out = append(out, p.ID)
		}
		return out
	}
	every := func(ctx context.Context, after audit.ActorID) func(func(machine.Principal, error) bool) {
		return h.m.List(ctx, after)
	}
	own := func(ctx context.Context, after audit.ActorID) func(func(machine.Principal, error) bool) {
		return h.m.Owned(ctx, after)
	}
	require.ElementsMatch(t, []audit.ActorID{mine.ID, agent.ID}, names(h.as("p-ben"), every))
	require.Empty(t, names(h.as("p-ben"), own))
	require.Equal(t, []audit.ActorID{agent.ID}, names(h.as(tess), own), "what acts for her")
	for _, err := range h.m.List(t.Context(), "") {
		require.ErrorIs(t, err, machine.ErrNoActor)
	}
	_, err := h.m.Get(t.Context(), mine.ID)
	require.ErrorIs(t, err, machine.ErrNoActor)
}

func TestUnused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	get := func() machine.Principal {
		got, err := h.m.Get(h.as(ada), p.ID)
		require.NoError(t, err)
		return got
	}
	h.clock.Add(90*24*time.Hour - time.Second)
	require.False(t, get().Unused(h.clock.Now()))
	h.clock.Add(time.Second)
	require.True(t, get().Unused(h.clock.Now()), "never used")
	h.in(key)
	require.False(t, get().Unused(h.clock.Now()))
	require.Equal(t, h.clock.Now(), get().Used)
	h.clock.Add(59 * time.Second)
	h.in(key)
	require.Equal(t, h.clock.Now().Add(-59*time.Second), get().Used, "written once a minute")
	h.clock.Add(time.Second)
	h.in(key)
	require.Equal(t, h.clock.Now(), get().Keys[0].Used)
	h.clock.Add(90 * 24 * time.Hour)
	require.True(t, get().Unused(h.clock.Now()))
	require.NoError(t, h.m.Remove(h.as(ada), p.ID, ""))
	require.False(t, get().Unused(h.clock.Now()))
}

func TestRunAndHealth(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	require.ErrorIs(t, h.m.Health(t.Context()), machine.ErrNotRunning)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.m.Run(ctx) }()
	require.Eventually(t, func() bool { return h.m.Health(t.Context()) == nil }, 30*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.ErrorIs(t, h.m.Health(t.Context()), machine.ErrNotRunning)
	require.False(t, errors.Is(machine.ErrNotRunning, machine.ErrUnavailable))
}
