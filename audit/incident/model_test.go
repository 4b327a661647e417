package incident_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
)

// model is a case in the plainest words.
type model struct {
	state    incident.State
	phi      incident.Involved
	triager  audit.ActorID
	about    []audit.ActorID
	draft    string // "", "waiting", "declined", "signed"
	author   audit.ActorID
	breach   bool // what the latest assessment concludes
	counted  bool
	told     map[string]bool
	versions int64
}

func (m *model) presumed() bool {
	if m.state == incident.Dismissed {
		return false
	}
	return slices.Contains([]incident.State{incident.Reported, incident.Triaged, incident.Investigating}, m.state) || m.breach
}

type walk struct {
	*house
	r     *rand.Rand
	all   []*incident.Desk
	model model
	id    string
}

// TestModel takes random steps of random people on random servers and compares, after each, what the
// model says with what happened and with what is there.
func TestModel(t *testing.T) {
	t.Parallel()
	seeds, steps := uint64(120), 60
	if testing.Short() {
		seeds = 40
	}
	taken := map[string]int{}
	for seed := range seeds {
		w := &walk{house: newHouse(t), r: rand.New(rand.NewPCG(seed, 57))}
		w.all = []*incident.Desk{w.desk, w.another()}
		c := w.report()
		w.id = c.ID
		w.model = model{state: incident.Reported, told: map[string]bool{}}
		for range steps {
			taken[w.step()]++
			w.compare()
		}
	}
	for _, name := range []string{"triage", "start", "assess", "sign", "decline", "tell", "count", "dismiss", "close", "reopen", "assign", "note"} {
		require.Positive(t, taken[name], "%s: %v", name, taken)
		require.Positive(t, taken[name+" refused"], "%s refused: %v", name, taken)
	}
}

// people are who works; ada is never a subject, so that somebody can go on.
func people() []audit.ActorID { return []audit.ActorID{ada, ben, tess} }

func (w *walk) step() string {
	m, who := &w.model, people()[w.r.IntN(3)]
	ctx, d := w.as(who), w.all[w.r.IntN(2)]
	version := w.current()
	in := func(states ...incident.State) bool {
		return !slices.Contains(m.about, who) && slices.Contains(states, m.state)
	}
	open := in(incident.Reported, incident.Triaged, incident.Investigating, incident.Assessed, incident.Notifying)
	switch w.r.IntN(12) {
	case 0:
		return w.triage(ctx, d, who, version, in(incident.Reported, incident.Triaged, incident.Investigating))
	case 1:
		_, err := d.Start(ctx, w.id, version, "")
		return w.result("start", in(incident.Triaged), err, func() { m.state = incident.Investigating })
	case 2:
		a := lowProbability()
		breach := w.r.IntN(2) == 0
		if breach {
			a.Conclusion = incident.Breach
		}
		_, err := d.Assess(ctx, w.id, version, a, "")
		return w.result("assess", in(incident.Investigating, incident.Assessed, incident.Notifying), err, func() {
			m.state, m.draft, m.author, m.breach = incident.Investigating, "waiting", who, breach
		})
	case 3:
		want := in(incident.Investigating) && m.draft == "waiting" && m.author != who && !slices.Contains(m.about, m.author)
		_, err := d.Sign(ctx, w.id, version, true, "")
		return w.result("sign", want, err, func() { m.state, m.draft = incident.Assessed, "signed" })
	case 4:
		want := in(incident.Investigating) && m.draft == "waiting" && m.author != who && !slices.Contains(m.about, m.author)
		_, err := d.Sign(ctx, w.id, version, false, "")
		return w.result("decline", want, err, func() { m.draft = "declined" })
	case 5:
		name := []string{incident.Individuals, incident.HHS}[w.r.IntN(2)]
		_, err := d.Notify(ctx, w.id, version, incident.Notice{For: name, On: day(w.t, "2026-03-02"), How: "mail", All: true}, nil, "")
		return w.result("tell", open, err, func() {
			m.told[name] = true
			if m.state == incident.Assessed && m.breach {
				m.state = incident.Notifying
			}
		})
	case 6:
		_, err := d.Estimate(ctx, w.id, version, []incident.Count{{Region: "NY", N: 7}}, "")
		return w.result("count", open, err, func() { m.counted = true })
	case 7:
		want := in(incident.Triaged, incident.Investigating) && m.phi == incident.No && m.triager != who
		_, err := d.Dismiss(ctx, w.id, version, "Nothing.")
		return w.result("dismiss", want, err, func() { m.state = incident.Dismissed })
	case 8:
		want := in(incident.Assessed, incident.Notifying) && (!m.breach || m.counted && m.told[incident.Individuals] && m.told[incident.HHS])
		_, err := d.Close(ctx, w.id, version, "")
		return w.result("close", want, err, func() { m.state = incident.Closed })
	case 9:
		_, err := d.Reopen(ctx, w.id, version, "Again.")
		return w.result("reopen", in(incident.Closed, incident.Dismissed), err, func() { m.state, m.phi = incident.Investigating, incident.Unknown })
	case 10:
		owner := people()[w.r.IntN(3)]
		_, err := d.Assign(ctx, w.id, version, owner, "")
		return w.result("assign", open && !slices.Contains(m.about, owner), err, func() {})
	}
	stale := w.r.IntN(2)
	_, err := d.Note(ctx, w.id, version-int64(stale), "A note.")
	return w.result("note", open && stale == 0, err, func() {})
}

func (w *walk) triage(ctx context.Context, d *incident.Desk, who audit.ActorID, version int64, may bool) string {
	t := incident.Triage{Kind: "other", PHI: []incident.Involved{incident.No, incident.No, incident.Yes, incident.Unknown}[w.r.IntN(4)], Owner: people()[w.r.IntN(3)]}
	if w.r.IntN(4) == 0 {
		t.About = []audit.ActorID{people()[1+w.r.IntN(2)]}
	}
	_, err := d.Triage(ctx, w.id, version, t)
	want := may && !slices.Contains(t.About, who) && !slices.Contains(t.About, t.Owner)
	return w.result("triage", want, err, func() {
		m := &w.model
		m.phi, m.triager, m.about = t.PHI, who, t.About
		if m.state == incident.Reported {
			m.state = incident.Triaged
		}
	})
}

// current is the version that is stored.
func (w *walk) current() int64 {
	r, err := w.store.Get(w.t.Context(), clinic, w.id)
	require.NoError(w.t, err)
	return r.Version
}

// result names a step and whether it was carried out, as the model expects it.
func (w *walk) result(name string, want bool, err error, done func()) string {
	w.t.Helper()
	require.Equal(w.t, want, err == nil, "%s in %s: %v", name, w.model.state, err)
	if want {
		done()
		return name
	}
	require.False(w.t, errors.Is(err, incident.ErrUnavailable) || errors.Is(err, incident.ErrDamaged), "%s: %v", name, err)
	return name + " refused"
}

func (w *walk) compare() {
	c := w.must(w.all[w.r.IntN(2)].Get(w.as(ada), w.id))
	require.Equal(w.t, w.model.state, c.State)
	require.Equal(w.t, w.model.presumed(), c.Presumed())
	require.Equal(w.t, c.State.Open(), w.keeps(c.ID), "held as long as it is open")
	require.Equal(w.t, c.State.Open(), c.Closed.IsZero())
	moments, err := w.desk.Timeline(w.as(ada), w.id)
	require.NoError(w.t, err)
	require.EqualValues(w.t, c.Version, len(moments), "every version has its line")
	require.GreaterOrEqual(w.t, c.Version, w.model.versions)
	w.model.versions = c.Version
	d := w.law.Deadlines(&c)
	require.Equal(w.t, w.model.presumed(), len(d) > 0)
}
