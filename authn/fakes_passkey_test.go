package authn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// passkeys keeps passkeys without any cryptography: whoever has the key's name can answer with it.
// It takes the same response to the same challenge as often as it comes, as go-webauthn does, so
// that what is answered once is answered once because of the gate.
type passkeys struct {
	wire  *wire
	mu    sync.Mutex
	n     int
	keys  map[audit.ActorID][]passkey
	sets  map[audit.ActorID]int // grows with every reset
	level audit.Assurance
	tries int

	others    func(audit.ActorID) bool // whether there are factors of any kind
	forgetful bool                     // a flawed one, whose registrations outlive a reset
}

type passkey struct {
	name, label string
	disabled    bool
}

// ceremony is the options, and with its other fields the state.
type ceremony struct {
	Challenge string        `json:"challenge"`
	Make      bool          `json:"make"`
	Person    audit.ActorID `json:"person,omitempty"`
	Set       int           `json:"set,omitempty"`
}

type response struct {
	Challenge string        `json:"challenge"`
	Key       string        `json:"key"`
	Owner     audit.ActorID `json:"owner"`
}

type passkeyDisabled struct{ error }

func (passkeyDisabled) Disabled() bool { return true }

var errPasskeyDisabled = passkeyDisabled{errors.New("passkeys: disabled")}

func newPasskeys(w *wire) *passkeys {
	return &passkeys{wire: w, keys: map[audit.ActorID][]passkey{}, sets: map[audit.ActorID]int{}, level: audit.AAL2}
}

func (k *passkeys) begin(c ceremony) (options, state []byte, err error) {
	k.n++
	c.Challenge = fmt.Sprintf("challenge-%d", k.n)
	if state, err = json.Marshal(c); err != nil {
		return nil, nil, err
	}
	options, err = json.Marshal(ceremony{Challenge: c.Challenge, Make: c.Make})
	return options, state, err
}

func (k *passkeys) HasPasskey(ctx context.Context, _ audit.Tenant, p audit.ActorID) (bool, error) {
	if err := k.wire.call(ctx, "passkeys.HasPasskey"); err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.keys[p]) > 0, nil
}

func (k *passkeys) PasskeyLives(ctx context.Context, _ audit.Tenant, p audit.ActorID, name string) (bool, error) {
	if err := k.wire.call(ctx, "passkeys.PasskeyLives"); err != nil {
		return false, err
	}
	return slices.ContainsFunc(k.of(p), func(key passkey) bool { return key.name == name && !key.disabled }), nil
}

func (k *passkeys) BeginPasskey(ctx context.Context, _ audit.Tenant, p audit.ActorID, account string) ([]byte, []byte, error) {
	if err := k.wire.call(ctx, "passkeys.BeginPasskey"); err != nil {
		return nil, nil, err
	}
	if k.others(p) && !admitted(ctx, p) {
		return nil, nil, errors.New("passkeys: beside another factor only by who proved it")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if account == "" {
		return nil, nil, errors.New("passkeys: nobody's account")
	}
	return k.begin(ceremony{Make: true, Person: p, Set: k.sets[p]})
}

func (k *passkeys) AddPasskey(ctx context.Context, t audit.Tenant, p audit.ActorID, state, answer []byte, label string) (audit.Actor, error) {
	if err := k.wire.call(ctx, "passkeys.AddPasskey"); err != nil {
		return audit.Actor{}, err
	}
	if k.others(p) && !admitted(ctx, p) {
		return audit.Actor{}, errors.New("passkeys: beside another factor only by who proved it")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c, r, ok := read(state, answer)
	if !ok || !c.Make || c.Person != p || c.Set != k.sets[p] && !k.forgetful {
		return audit.Actor{}, nil
	}
	k.keys[p] = append(k.keys[p], passkey{name: r.Key, label: label})
	return k.proof(t, p, r.Key), nil
}

func (k *passkeys) AskPasskey(ctx context.Context, _ audit.Tenant, p audit.ActorID) ([]byte, []byte, error) {
	if err := k.wire.call(ctx, "passkeys.AskPasskey"); err != nil {
		return nil, nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p != "" && !slices.ContainsFunc(k.keys[p], func(key passkey) bool { return !key.disabled }) {
		return nil, nil, errPasskeyDisabled
	}
	return k.begin(ceremony{Person: p})
}

func (k *passkeys) PasskeyOwner(ctx context.Context, _ audit.Tenant, answer []byte) (audit.ActorID, error) {
	if err := k.wire.call(ctx, "passkeys.PasskeyOwner"); err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var r response
	if json.Unmarshal(answer, &r) != nil {
		return "", nil
	}
	for p, keys := range k.keys {
		if slices.ContainsFunc(keys, func(key passkey) bool { return key.name == r.Key }) {
			return p, nil
		}
	}
	return "", nil
}

func (k *passkeys) VerifyPasskey(ctx context.Context, t audit.Tenant, p audit.ActorID, state, answer []byte) (audit.Actor, error) {
	if err := k.wire.call(ctx, "passkeys.VerifyPasskey"); err != nil {
		return audit.Actor{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tries++
	c, r, ok := read(state, answer)
	if p == "" {
		return audit.Actor{}, errors.New("passkeys: nobody in particular is verified")
	}
	if !ok || c.Make || c.Person != "" && c.Person != p {
		return audit.Actor{}, nil
	}
	for _, key := range k.keys[p] {
		if key.name != r.Key {
			continue
		}
		if key.disabled {
			return audit.Actor{}, errPasskeyDisabled
		}
		return k.proof(t, p, r.Key), nil
	}
	return audit.Actor{}, nil
}

func (k *passkeys) proof(t audit.Tenant, p audit.ActorID, key string) audit.Actor {
	return audit.Actor{Tenant: t, ID: p, Session: key, Methods: []string{"hwk", "user"}, Assurance: k.level, PhishingResistant: true}
}

func read(state, answer []byte) (c ceremony, r response, ok bool) {
	ok = json.Unmarshal(state, &c) == nil && json.Unmarshal(answer, &r) == nil && c.Challenge != "" && c.Challenge == r.Challenge && r.Key != ""
	return c, r, ok
}

// give has the person own a passkey, whatever the gate says.
func (k *passkeys) give(p audit.ActorID, name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[p] = append(k.keys[p], passkey{name: name})
}

// remove takes one passkey of a person away.
func (k *passkeys) remove(p audit.ActorID, name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[p] = slices.DeleteFunc(k.keys[p], func(key passkey) bool { return key.name == name })
}

// reset takes all passkeys of a person away, and those that are being made.
func (k *passkeys) reset(p audit.ActorID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, p)
	k.sets[p]++
}

// disable ends a passkey as a copy of it would.
func (k *passkeys) disable(p audit.ActorID, name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, key := range k.keys[p] {
		k.keys[p][i].disabled = key.disabled || key.name == name
	}
}

func (k *passkeys) of(p audit.ActorID) []passkey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys[p])
}

func (k *passkeys) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tries
}

// touch is what a device answers to a step with the key of a name.
func touch(t testing.TB, s authn.Step, key string) string {
	t.Helper()
	require.NotEmpty(t, s.Passkey)
	return touchOptions(t, s.Passkey, key)
}

func touchOptions(t testing.TB, options, key string) string {
	t.Helper()
	var c ceremony
	require.NoError(t, json.Unmarshal([]byte(options), &c))
	b, err := json.Marshal(response{Challenge: c.Challenge, Key: key})
	require.NoError(t, err)
	return string(b)
}

// texts sends text messages whose code is always a new one.
type texts struct {
	wire   *wire
	mu     sync.Mutex
	clock  *clock
	phones map[audit.ActorID]string // the hint
	live   map[audit.ActorID]string
	sent   int
	tries  int
	spent  bool // the budget is used up
}

func newTexts(w *wire, c *clock) *texts {
	return &texts{wire: w, clock: c, phones: map[audit.ActorID]string{}, live: map[audit.ActorID]string{}}
}

type textLater struct{ error }

func (textLater) RetryAfter() time.Duration { return 90 * time.Second }

func (x *texts) TextHint(ctx context.Context, _ audit.Tenant, p audit.ActorID) (string, error) {
	if err := x.wire.call(ctx, "texts.TextHint"); err != nil {
		return "", err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.phones[p], nil
}

func (x *texts) SendText(ctx context.Context, _ audit.Tenant, p audit.ActorID) (time.Time, error) {
	if err := x.wire.call(ctx, "texts.SendText"); err != nil {
		return time.Time{}, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.phones[p] == "":
		return time.Time{}, errors.New("texts: no number")
	case x.spent:
		return time.Time{}, textLater{errors.New("texts: the budget is used up")}
	case x.live[p] == "":
		x.sent++
		x.live[p] = fmt.Sprintf("%06d", 700_000+x.sent)
	}
	return x.clock.Now().Add(time.Minute), nil
}

func (x *texts) VerifyText(ctx context.Context, _ audit.Tenant, p audit.ActorID, c string) ([]string, error) {
	if err := x.wire.call(ctx, "texts.VerifyText"); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tries++
	if x.live[p] == "" || x.live[p] != c {
		return nil, nil
	}
	delete(x.live, p)
	return []string{"sms"}, nil
}

// phone gives the person a verified number, or takes it away.
func (x *texts) phone(p audit.ActorID, hint string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.live, p)
	x.phones[p] = hint
}

func (x *texts) hint(p audit.ActorID) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.phones[p]
}

// code is the one that was sent last and is still live.
func (x *texts) code(p audit.ActorID) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.live[p]
}

func (x *texts) counts() (sent, tries int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.sent, x.tries
}

var (
	_ authn.Passkeys = (*passkeys)(nil)
	_ authn.Texts    = (*texts)(nil)
)
