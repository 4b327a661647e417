package authn_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file is the model of the protocol between a sign-in and a change that ends the right
// to it (a new password, a suspension): small enough that every interleaving and every crash
// is looked at.
//
// The sign-in: read the person's version, check the credential, start a session, read the
// version again; hand out the token if it is the same, else end the session.
//
// The change: end every session, Apply (the rows, the version and the outbox message in one
// step), end every session again and remove the message, answer. It may crash after each
// step. Run ends every session and removes the message if there is one; it may run at any
// time and does run in the end.
//
// A session of the old credential is exposed if its token was handed out and it lives
//   - once the change was answered, or
//   - once the change is in force and nothing is left that will end it, whoever crashed, or
//   - although it was there before the change began, once the change is in force.

// protocol says which steps are made; the zero value of each is the real one.
type protocol struct {
	noFirstRevoke bool // do not end sessions before Apply
	noRevoke      bool // do not end sessions after Apply, leave it to Run
	noMessage     bool // Apply writes no outbox message
	lateMessage   bool // the message is written after Apply, not with it
	noVersion     bool // Apply does not raise the version
	revokeFirst   bool // both revocations before Apply
	noReread      bool // do not read the version again
	noEnd         bool // read it again, but hand out the token whatever it says
	lateRead      bool // read the version only after checking the credential
	earlyReread   bool // read it again before starting the session
	noRun         bool // nobody drains the outbox
}

// state of the world. It is comparable, so that each one is looked at once.
type state struct {
	signer, changer int // next step

	newCredential bool // in force
	version       int
	message       bool // in the outbox

	read    int  // what the sign-in read
	checked bool // it got past the credential
	same    bool // it read the same version again

	started bool // its session was started
	alive   bool // and lives
	handed  bool // its token was handed out

	before   bool // the session from before lives
	began    bool // the change has begun
	crashed  bool // the change's process is gone
	answered bool // the change was answered
	drained  bool // nothing is left that would still end sessions
}

// exposed says what is wrong with a state, "" if nothing.
func (s state) exposed() string {
	live := s.handed && s.alive
	switch {
	case s.answered && (live || s.before):
		return "a session of the old credential lives although the change was answered"
	case s.drained && (live || s.before):
		return "a session of the old credential lives and nothing will end it"
	case s.newCredential && s.before:
		return "a session from before the change lives although the change is in force"
	}
	return ""
}

func (s state) revoke() state {
	s.alive, s.before = false, false
	return s
}

type step func(s state) (state, bool) // false: the process ends here

func (p protocol) signerSteps() []step {
	read := func(s state) (state, bool) { s.read = s.version; return s, true }
	check := func(s state) (state, bool) { s.checked = !s.newCredential; return s, s.checked }
	start := func(s state) (state, bool) { s.started, s.alive = true, true; return s, true }
	reread := func(s state) (state, bool) { s.same = s.read == s.version; return s, true }
	finish := func(s state) (state, bool) {
		if s.same || p.noReread || p.noEnd {
			s.handed = true
		} else {
			s.alive = false
		}
		return s, true
	}
	order := []step{read, check, start, reread, finish}
	switch {
	case p.lateRead:
		order = []step{check, read, start, reread, finish}
	case p.earlyReread:
		order = []step{read, check, reread, start, finish}
	}
	return order
}

func (p protocol) changerSteps() []step {
	first := func(s state) (state, bool) {
		s.began = true
		if !p.noFirstRevoke {
			s = s.revoke()
		}
		return s, true
	}
	apply := func(s state) (state, bool) {
		s.newCredential = true
		if !p.noVersion {
			s.version++
		}
		s.message = !p.noMessage && !p.lateMessage
		return s, true
	}
	message := func(s state) (state, bool) { s.message = !p.noMessage; return s, true }
	again := func(s state) (state, bool) {
		if !p.noRevoke {
			s = s.revoke()
		}
		return s, true
	}
	remove := func(s state) (state, bool) {
		if !p.noRevoke {
			s.message = false
		}
		return s, true
	}
	answer := func(s state) (state, bool) { s.answered = true; return s, true }
	switch {
	case p.lateMessage:
		return []step{first, apply, message, again, remove, answer}
	case p.revokeFirst:
		return []step{first, again, apply, remove, answer}
	}
	return []step{first, apply, again, remove, answer}
}

const over = 99 // a process that has ended

// explore looks at every state and returns the first exposure, and how many states there are.
func (p protocol) explore() (exposure string, states int) {
	signer, changer := p.signerSteps(), p.changerSteps()
	seen := map[state]bool{}
	todo := []state{{before: true}}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		if why := s.exposed(); why != "" && exposure == "" {
			exposure = fmt.Sprintf("%s: %+v", why, s)
		}
		todo = append(todo, p.next(s, signer, changer)...)
	}
	return exposure, len(seen)
}

// next are the states that one step of any process leads to.
func (p protocol) next(s state, signer, changer []step) (all []state) {
	if s.signer < len(signer) {
		n, goesOn := signer[s.signer](s)
		n.signer = s.signer + 1
		if !goesOn {
			n.signer = over
		}
		all = append(all, n)
	}
	if s.changer < len(changer) && !s.crashed {
		n, _ := changer[s.changer](s)
		n.changer = s.changer + 1
		dead := s
		dead.crashed = true
		all = append(all, n, dead)
	}
	if !p.noRun && s.message { // Run ends sessions, and in a step of its own removes the message
		all = append(all, s.revoke())
		n := s.revoke()
		n.message = false
		all = append(all, n)
	}
	if s.newCredential && (!s.message || p.noRun) && (s.crashed || s.changer >= len(changer)) {
		n := s
		n.drained = true // nothing will ever end a session for this change any more
		all = append(all, n)
	}
	return all
}

// TestProtocolHasNoExposure looks at every interleaving and every crash.
func TestProtocolHasNoExposure(t *testing.T) {
	t.Parallel()
	exposure, states := protocol{}.explore()
	require.Empty(t, exposure)
	require.Greater(t, states, 100, "the model is not trivial")
}

// TestEachStepIsNecessary shows that the protocol has no step to spare, and that the model
// would see an exposure.
func TestEachStepIsNecessary(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]protocol{
		"sessions are not ended before Apply":          {noFirstRevoke: true},
		"sessions are not ended again after Apply":     {noRevoke: true},
		"both revocations come before Apply":           {revokeFirst: true},
		"Apply writes no message":                      {noMessage: true},
		"the message is not written with the rows":     {lateMessage: true},
		"nobody drains the outbox":                     {noRun: true},
		"Apply does not raise the version":             {noVersion: true},
		"the version is not read again":                {noReread: true},
		"a changed version does not end the session":   {noEnd: true},
		"the version is read after the credential":     {lateRead: true},
		"the version is read again before the session": {earlyReread: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exposure, _ := p.explore()
			require.NotEmpty(t, exposure)
		})
	}
}
