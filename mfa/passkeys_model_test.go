package mfa_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

// modelKey is a passkey as the model knows it.
type modelKey struct {
	d        *passkeytest.Device
	disabled bool
}

// model is what a person has, by the rules of the documentation and nothing else.
type model struct {
	*world
	required bool
	app      *mfa.Key
	keys     []modelKey
	gone     []*passkeytest.Device // removed or reset
	codes    []string
	log      []string
}

func (m *model) enrolled() bool { return m.app != nil || len(m.keys) > 0 }

// usable counts what could prove something, without key i and, if told, without the app.
func (m *model) usable(without int, app bool) int {
	n := 0
	for i, k := range m.keys {
		if i != without && !k.disabled {
			n++
		}
	}
	if app && m.app != nil {
		n++
	}
	return n
}

// end is what happens to everything when nothing usable is left.
func (m *model) end() {
	for _, k := range m.keys {
		m.gone = append(m.gone, k.d)
	}
	m.app, m.keys, m.codes = nil, nil, nil
}

func (m *model) say(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

// Any sequence of additions, uses, copies, removals and resets leaves what the rules say, and what
// works is what is left.
func TestAnySequenceLeavesWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	runs := 60
	if testing.Short() {
		runs = 20
	}
	for run := range runs {
		m := &model{required: run%2 == 0}
		m.world = newWorld(t, mfa.NewMemory(), func(o *mfa.Options) {
			if m.required {
				o.Required = always
			}
		})
		dice := rand.New(rand.NewPCG(uint64(run), 7))
		for range 25 {
			m.step(t, dice)
			m.check(t)
		}
		if t.Failed() {
			return
		}
	}
}

func (m *model) step(t *testing.T, dice *rand.Rand) {
	t.Helper()
	m.clock.add(time.Minute)
	i := -1
	if len(m.keys) > 0 {
		i = dice.IntN(len(m.keys))
	}
	switch dice.IntN(9) {
	case 0, 1:
		m.addKey(t)
	case 2:
		m.addApp(t)
	case 3:
		m.dropApp(t)
	case 4:
		if i >= 0 {
			m.removeKey(t, i)
		}
	case 5:
		if i >= 0 && !m.keys[i].disabled {
			m.say("copy %d", i)
			m.clone(t, lin, m.keys[i].d)
			m.keys[i].disabled = true
		}
	case 6:
		if dice.IntN(3) == 0 {
			m.reset(t)
		}
	case 7:
		m.issueCodes(t)
	case 8:
		m.strangers(t)
	}
}

func (m *model) addKey(t *testing.T) {
	t.Helper()
	m.say("add a passkey")
	d := passkeytest.New(origin)
	ctx := t.Context() // guided
	if m.enrolled() {
		ctx = m.fresh(t, lin)
	}
	proof, err := m.make(ctx, lin, d, "")
	require.NoError(t, err, m.log)
	require.Equal(t, lin, proof.ID, m.log)
	m.keys = append(m.keys, modelKey{d: d})
}

func (m *model) addApp(t *testing.T) {
	t.Helper()
	m.say("add an app")
	ctx := t.Context()
	if m.enrolled() {
		ctx = m.fresh(t, lin)
	}
	uri, _, err := m.Begin(ctx, clinic, lin, "lin@example.com")
	if m.app != nil {
		require.ErrorIs(t, err, mfa.ErrEnrolled, m.log)
		return
	}
	require.NoError(t, err, m.log)
	key, err := mfa.ParseURI(uri)
	require.NoError(t, err)
	ok, err := m.Confirm(ctx, clinic, lin, m.code(t, key, 0))
	require.NoError(t, err, m.log)
	require.True(t, ok)
	m.app = &key
}

func (m *model) dropApp(t *testing.T) {
	t.Helper()
	m.say("disable the app")
	code := "123456"
	if m.app != nil {
		code = m.code(t, *m.app, 0)
	}
	ok, err := m.Disable(m.fresh(t, lin), clinic, lin, code)
	switch {
	case m.app == nil:
		require.ErrorIs(t, err, mfa.ErrNotEnrolled, m.log)
		return
	case m.usable(-1, false) == 0 && m.required:
		require.ErrorIs(t, err, mfa.ErrRequired, m.log)
		return
	}
	require.NoError(t, err, m.log)
	require.True(t, ok, m.log)
	if m.app = nil; m.usable(-1, false) == 0 {
		m.end()
	}
}

func (m *model) removeKey(t *testing.T, i int) {
	t.Helper()
	m.say("remove passkey %d", i)
	err := m.RemovePasskey(m.fresh(t, lin), clinic, lin, m.world.keys(t, lin)[i].ID)
	left := m.usable(i, true)
	if left == 0 && m.required {
		require.ErrorIs(t, err, mfa.ErrRequired, m.log)
		return
	}
	require.NoError(t, err, m.log)
	m.gone = append(m.gone, m.keys[i].d)
	if m.keys = slices.Delete(m.keys, i, i+1); left == 0 {
		m.end()
	}
}

func (m *model) reset(t *testing.T) {
	t.Helper()
	m.say("reset")
	err := m.Reset(as(t, admin), clinic, lin, "")
	if !m.enrolled() {
		require.ErrorIs(t, err, mfa.ErrNotEnrolled, m.log)
		return
	}
	require.NoError(t, err, m.log)
	m.end()
}

func (m *model) issueCodes(t *testing.T) {
	t.Helper()
	m.say("issue codes")
	codes, ok, err := m.IssueCodes(m.fresh(t, lin), clinic, lin, "")
	switch {
	case !m.enrolled():
		require.ErrorIs(t, err, mfa.ErrNotEnrolled, m.log)
	case len(m.keys) == 0: // an app asks for its code
		require.NoError(t, err, m.log)
		require.False(t, ok)
	default:
		require.NoError(t, err, m.log)
		require.True(t, ok)
		m.codes = codes.Reveal()
	}
}

// strangers try to get in beside what there is.
func (m *model) strangers(t *testing.T) {
	t.Helper()
	if !m.enrolled() {
		return
	}
	m.say("strangers")
	m.enrolsNothing(t, t.Context(), lin, mfa.ErrEnrolled)
	m.enrolsNothing(t, m.fresh(t, admin), lin, mfa.ErrEnrolled)
}

// check compares what is there with the model, and uses all of it.
func (m *model) check(t *testing.T) {
	t.Helper()
	s, err := m.Status(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Equal(t, m.app != nil, s.State == mfa.On, m.log)
	require.Equal(t, len(m.keys), s.Passkeys, m.log)
	require.Equal(t, len(m.codes), s.Codes, m.log)
	require.Equal(t, m.enrolled(), m.world.enrolled(t, lin), m.log)
	for i, listed := range m.world.keys(t, lin) {
		require.Equal(t, m.keys[i].disabled, !listed.Disabled.IsZero(), m.log)
	}
	for _, k := range m.keys {
		if proof, err := m.use(t.Context(), "", k.d); k.disabled {
			require.ErrorIs(t, err, mfa.ErrPasskeyDisabled, m.log)
		} else {
			require.NoError(t, err, m.log)
			require.Equal(t, lin, proof.ID, m.log)
		}
	}
	for _, d := range m.gone {
		proof, err := m.use(t.Context(), "", d)
		require.NoError(t, err, m.log)
		require.Equal(t, audit.Actor{}, proof, m.log)
	}
	if len(m.codes) > 0 {
		m.recovers(t, lin, m.codes[0])
		m.codes = m.codes[1:]
	}
}
