package mfa_test

import (
	"bytes"
	"errors"
	"sync"

	"github.com/wardkit/wardkit/mfa"
)

// protocol is a WebAuthn that says what a test wants: its responses are the names of credentials.
type protocol struct {
	mu   sync.Mutex
	edit func(*mfa.PublicKey) // of what is made
	said mfa.Assertion        // what an assertion says
	fail error
}

func newProtocol() *protocol { return &protocol{} }

func (p *protocol) response(name string) []byte { return []byte(name) }

func (p *protocol) Create(o mfa.PasskeyOwner) (options, state []byte, err error) {
	if len(o.Handle) != 64 || o.Account == "" {
		return nil, nil, errors.New("not an owner")
	}
	return []byte("create"), o.Handle, p.fail
}

func (p *protocol) Created(state, response []byte) (mfa.PublicKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := mfa.PublicKey{ID: response, Handle: state, Key: []byte("key of " + string(response)), Transports: []string{"internal"}}
	if p.edit != nil {
		p.edit(&k)
	}
	return k, p.fail
}

func (p *protocol) Request(allow []mfa.PublicKey) (options, state []byte, err error) {
	return []byte("get"), []byte("get"), p.fail
}

func (p *protocol) Claimed(response []byte) (id, handle []byte, err error) {
	if len(response) == 0 {
		return nil, nil, mfa.ErrPasskey
	}
	return response, nil, p.fail
}

func (p *protocol) Asserted(_, response []byte, key mfa.PublicKey) (mfa.Assertion, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !bytes.Equal(response, key.ID) {
		return mfa.Assertion{}, mfa.ErrPasskey
	}
	return p.said, p.fail
}
