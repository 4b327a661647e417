package machine_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/machine"
)

// model is what a program should be, in the plainest words.
type model struct {
	agent   bool
	state   machine.State
	expires time.Time
	scopes  []audit.Action
	creds   []modelCredential
}

type modelCredential struct {
	secret  authn.Secret
	key     string
	revoked bool
	expires time.Time      // of the key
	token   bool           // made for the key
	ends    time.Time      // of the token
	scopes  []audit.Action // of the token
}

// walk takes random steps and compares, after each, every credential there ever was.
type walk struct {
	*house
	r     *rand.Rand
	all   []*machine.Manager
	id    audit.ActorID
	model model
	left  []audit.ActorID
}

func TestModel(t *testing.T) {
	t.Parallel()
	seeds, steps := uint64(60), 40
	if testing.Short() {
		seeds = 30
	}
	taken := map[string]int{}
	for seed := range seeds {
		w := &walk{r: rand.New(rand.NewPCG(seed, 8))}
		store := machine.NewMemory()
		w.house, w.all = crew(t, func() machine.Store { return store }, func(o *machine.Options) { o.ServiceRate, o.AgentRate, o.BadKeys = 1<<30, 1<<30, 1<<30 })
		w.begin()
		for range steps {
			taken[w.step()]++
			w.compare()
		}
	}
	for name, n := range taken {
		require.Positive(t, n, name)
	}
	require.Len(t, taken, 18, "every kind of step was taken, and refused: %v", taken)
}

func (w *walk) server() *machine.Manager { return w.all[w.r.IntN(len(w.all))] }

func (w *walk) begin() {
	w.model.agent = w.r.IntN(2) == 0
	spec := w.service()
	if w.model.agent {
		spec = w.agent()
	}
	p, key := w.make(spec)
	w.id = p.ID
	w.model.state, w.model.expires, w.model.scopes = machine.Active, p.Expires, p.Scopes
	w.model.creds = []modelCredential{{secret: key, key: p.Keys[0].ID, expires: p.Expires}}
}

// result names a step and whether it was carried out, as the model expects it.
func (w *walk) result(name string, want bool, err error) string {
	w.t.Helper()
	require.Equal(w.t, want, err == nil, "%s: %v", name, err)
	if want {
		return name
	}
	return name + " refused"
}

func (w *walk) keys() (live int) {
	for _, c := range w.model.creds {
		if !c.token && !c.revoked && w.clock.Now().Before(c.expires) {
			live++
		}
	}
	return live
}

// possible says whether the principal as it is may be granted anew.
func (w *walk) possible() bool {
	now := w.clock.Now()
	return now.Before(w.model.expires) && len(w.left) == 0
}

func (w *walk) step() string {
	m, now, s := w.server(), w.clock.Now(), &w.model
	switch w.r.IntN(10) {
	case 0:
		want := s.state == machine.Active && w.possible() && w.keys() < 3
		k, key, err := m.Issue(w.as(ada), w.id, time.Time{})
		if want && err == nil {
			s.creds = append(s.creds, modelCredential{secret: key, key: k.ID, expires: k.Expires})
		}
		return w.result("issue", want, err)
	case 1:
		overlap := time.Duration(w.r.IntN(2)) * time.Hour
		want := s.state == machine.Active && w.possible() && (overlap == 0 || w.keys() < 3)
		k, key, err := m.Rotate(w.as(ada), w.id, overlap)
		if want && err == nil {
			w.shorten(now.Add(overlap))
			s.creds = append(s.creds, modelCredential{secret: key, key: k.ID, expires: s.expires})
		}
		return w.result("rotate", want, err)
	case 2:
		c := s.creds[w.r.IntN(len(s.creds))]
		for i := range s.creds {
			s.creds[i].revoked = s.creds[i].revoked || s.creds[i].key == c.key
		}
		return w.result("revoke", true, m.Revoke(w.as(ada), w.id, c.key, ""))
	case 3:
		want := s.state == machine.Active
		if want {
			s.state = machine.Suspended
		}
		return w.result("suspend", want, m.Suspend(w.as(ada), w.id, ""))
	case 4:
		want := s.state == machine.Suspended && w.possible()
		if want {
			s.state = machine.Active
		}
		return w.result("resume", want, m.Resume(w.as(ada), w.id, ""))
	case 5:
		return w.grant(m)
	case 6:
		return w.change(m)
	case 7:
		w.clock.Add([]time.Duration{time.Minute, 11 * time.Minute, time.Hour, 24 * time.Hour}[w.r.IntN(4)])
		return "time"
	case 8:
		w.left = [][]audit.ActorID{nil, nil, {ada}}[w.r.IntN(3)]
		w.world.leave(w.left...)
		return "people"
	}
	if w.r.IntN(5) > 0 {
		return "nothing"
	}
	want := s.state != machine.Removed
	s.state = machine.Removed
	for i := range s.creds {
		s.creds[i].revoked = s.creds[i].revoked || want
	}
	return w.result("remove", want, m.Remove(w.as(ada), w.id, ""))
}

func (w *walk) shorten(t time.Time) {
	for i, c := range w.model.creds {
		if t.Before(c.expires) {
			w.model.creds[i].expires = t
		}
	}
}

func (w *walk) grant(m *machine.Manager) string {
	c := w.model.creds[w.r.IntN(len(w.model.creds))]
	want := w.lives(c) && !c.token
	var scopes []audit.Action
	if w.r.IntN(2) == 0 {
		scopes = w.model.scopes[:1]
	}
	a, err := m.Grant(w.t.Context(), string(w.id), c.secret, scopes, office)
	if want && err == nil {
		w.model.creds = append(w.model.creds, modelCredential{
			secret: a.Token, key: c.key, expires: c.expires, token: true, ends: a.Expires, scopes: a.Scopes,
		})
	}
	return w.result("grant", want, err)
}

func (w *walk) change(m *machine.Manager) string {
	p, err := m.Get(w.as(ada), w.id)
	require.NoError(w.t, err)
	scopes := [][]audit.Action{{read}, {claims, read}, {claims}, {notes, read}}[w.r.IntN(4)]
	ends := w.clock.Now().Add(time.Duration(1+w.r.IntN(60)) * 24 * time.Hour)
	want := w.model.state == machine.Active && len(w.left) == 0
	_, err = m.Change(w.as(ada), w.id, p.Version, machine.Edit{Scopes: scopes, Expires: ends})
	if want && err == nil {
		w.model.scopes, w.model.expires = scopes, ends
		w.shorten(ends)
	}
	return w.result("change", want, err)
}

// lives reports whether a credential should let in.
func (w *walk) lives(c modelCredential) bool {
	now, s := w.clock.Now(), w.model
	return s.state == machine.Active && now.Before(s.expires) && !c.revoked && now.Before(c.expires) &&
		(!c.token || now.Before(c.ends)) && len(w.left) == 0
}

func (w *walk) compare() {
	for _, c := range w.model.creds {
		a, err := w.server().Enter(w.t.Context(), c.secret, office)
		require.Equal(w.t, w.lives(c), err == nil, "%v", err)
		if err != nil {
			require.ErrorIs(w.t, err, machine.ErrInvalid)
			continue
		}
		want := slices.Clone(w.model.scopes)
		if c.token {
			want = slices.DeleteFunc(want, func(s audit.Action) bool { return !slices.Contains(c.scopes, s) })
		}
		require.ElementsMatch(w.t, want, a.Scopes())
		require.Equal(w.t, c.key, a.Session)
	}
}
