package mfa_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// textModel is what one person's codes by text message should be, written down a second time and
// without stores, seals and races.
type textModel struct {
	number, next string
	code         string // "" if none
	enrols       bool
	expires      time.Time
	tries        int
	failures     int
	row          bool // whether there is a row at all
}

const modelFailures = 12

func (m *textModel) locked() bool { return m.failures >= modelFailures }
func (m *textModel) live(now time.Time) bool {
	return m.code != "" && now.Before(m.expires) && m.tries < 5
}

// try returns what a try gives: "yes", "no", "none", "locked".
func (m *textModel) try(typed string, enrols bool, now time.Time) string {
	switch {
	case !m.row, !enrols && m.number == "":
		return "none"
	case m.locked():
		m.code = ""
		return "locked"
	case !m.live(now) || m.enrols != enrols:
		return "no"
	}
	m.tries++
	m.failures++
	if typed == m.code {
		if enrols {
			*m = textModel{number: m.next, row: true}
		} else {
			m.code, m.failures = "", 0
		}
		return "yes"
	}
	if m.locked() {
		m.code = ""
		return "locked"
	}
	return "no"
}

// send returns what asking for a code gives: "yes", "no", "none", "locked".
func (m *textModel) send(next string, now time.Time) string {
	enrols := next != ""
	switch {
	case !enrols && m.number == "":
		return "none"
	case m.number != "" && m.locked():
		m.code = ""
		return "locked"
	case m.live(now):
		return "no"
	}
	if m.number == "" && m.locked() {
		m.failures = 0
	}
	m.row, m.next, m.enrols, m.tries, m.expires = true, next, enrols, 0, now.Add(5*time.Minute)
	return "yes"
}

// outcome says what a call answered in the words of the model.
func outcome(ok bool, err error) string {
	switch {
	case err == nil && ok:
		return "yes"
	case err == nil, errors.Is(err, mfa.ErrTextLimit):
		return "no"
	case errors.Is(err, mfa.ErrNotEnrolled):
		return "none"
	case errors.Is(err, mfa.ErrTextLocked):
		return "locked"
	}
	return err.Error()
}

// Long random lives of two people agree with the model, step by step: who is let in, who gets a
// message, and to which number it goes.
func TestTextsAgreeWithTheirModel(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		store := open(t)
		lives := 4
		if _, ok := store.(*mfa.Memory); ok {
			lives = 60
		}
		var passed, sent int
		for life := range lives {
			p, s := modelLife(t, store, uint64(life))
			passed, sent = passed+p, sent+s
		}
		require.Greater(t, passed, lives/4, "the lives are worth living")
		require.Greater(t, sent, 5*lives)
	})
}

func modelLife(t *testing.T, store mfa.Store, seed uint64) (passed, sent int) {
	r := rand.New(rand.NewPCG(seed, 8)) //nolint:gosec // a test's dice
	plenty := mfa.TextBudget{Hour: 1e6, Day: 1e6}
	w := newTexting(t, store, func(o *mfa.Options) {
		o.MaxFailures = modelFailures
		o.Texts.Person, o.Texts.Number, o.Texts.Prefix, o.Texts.Tenant, o.Texts.Unverified = plenty, plenty, plenty, plenty, 1e6
	})
	people := []audit.ActorID{audit.ActorID(fmt.Sprintf("a-%d", seed)), audit.ActorID(fmt.Sprintf("b-%d", seed))}
	models := map[audit.ActorID]*textModel{people[0]: {}, people[1]: {}}
	for step := range 120 {
		w.clock.add(time.Duration(r.IntN(100)) * time.Second)
		person := people[r.IntN(2)]
		m, now := models[person], w.clock.Now()
		typed := m.code // right every other time
		if typed == "" || r.IntN(2) > 0 {
			typed = another(fmt.Sprintf("%06s", typed))
		}
		me, before := w.anew(t.Context(), person), w.carrier.count()
		var want, have string
		var what string
		switch dice := r.IntN(100); {
		case dice < 20:
			what = "begin"
			number := fmt.Sprintf("+1415555%04d", r.IntN(100))
			want = m.send(number, now)
			_, err := w.BeginText(me, clinic, person, number)
			have = outcome(true, err)
			if want == "yes" {
				require.Equal(t, number, w.carrier.numbers()[before])
			}
		case dice < 45:
			what = "send"
			want = m.send("", now)
			again, err := w.SendText(t.Context(), clinic, person)
			have = outcome(w.carrier.count() > before, err)
			if err == nil {
				require.Equal(t, m.expires, again)
			}
			if want == "no" && m.enrols {
				require.ErrorIs(t, err, mfa.ErrTextLimit)
			}
			if want == "yes" {
				require.Equal(t, m.number, w.carrier.numbers()[before])
			}
		case dice < 75:
			what = "verify"
			want = m.try(typed, false, now)
			methods, err := w.VerifyText(t.Context(), clinic, person, typed)
			have = outcome(methods != nil, err)
		case dice < 95:
			what = "confirm"
			want = m.try(typed, true, now)
			ok, err := w.ConfirmText(me, clinic, person, typed)
			have = outcome(ok, err)
		default:
			what, want = "remove", "none"
			if m.number != "" {
				want, *m = "yes", textModel{}
			}
			have = outcome(true, w.RemoveText(me, clinic, person))
		}
		require.Equal(t, want, have, "life %d, step %d: %s", seed, step, what)
		if w.carrier.count() > before {
			require.Equal(t, "yes", want)
			m.code = w.carrier.last(t)
			sent++
		}
		if want == "yes" && what == "verify" {
			passed++
		}
		enrolled, err := w.Enrolled(t.Context(), clinic, person)
		require.NoError(t, err)
		require.Equal(t, m.number != "", enrolled)
	}
	return passed, sent
}
