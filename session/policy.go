package session

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Policy is what a tenant asks of its sessions. It is a value: Manager.SavePolicy replaces
// it as a whole, and the next request on every server is judged by it.
type Policy struct {
	// Version counts how often the tenant saved a policy; 0 is one that was never saved.
	// SavePolicy refuses to replace any other than the one with this version.
	Version int64
	// Limits hold for every kind of person that Kinds does not name.
	Limits Limits
	// Kinds are the limits of a kind of person, for example of patients.
	Kinds map[audit.Kind]Limits
	// SignOut says what signing out ends: Everywhere, unless the tenant decides otherwise.
	SignOut Scope
	// HighRisk are the actions that demand a fresh proof of who is acting, and which: up to
	// 256, with names of up to 100 letters, digits, dots, dashes and underscores.
	HighRisk map[audit.Action]Duty
}

// Scope says what signing out ends.
type Scope uint8

// The scopes. The zero value is the safe one.
const (
	Everywhere Scope = iota // all sessions of the person, on every device
	ThisDevice              // the session that is signed out
)

// Duty is what a high-risk action demands of who has signed in long ago. The zero value asks
// for a confirmation of this one action on this one object, to be used once.
type Duty struct {
	// Area is the part of the application that one proof unlocks for a few minutes, such as
	// "settings": 1 to 32 lower-case letters, digits, dots, dashes and underscores. Every
	// action with the same Area is unlocked together.
	Area string
	// Within is how long the Area stays unlocked: up to 5 minutes, 0 without an Area.
	Within time.Duration
}

// The bounds of a policy.
const (
	maxHighRisk = 256
	maxAction   = 100
	maxArea     = 32
	maxAreas    = 16 // unlocked at once in one session
	maxFresh    = 5 * time.Minute
	maxSessions = 1000
	maxPolicy   = 64 << 10 // bytes, encoded
)

// DefaultPolicy is DefaultLimits for everybody, signing out everywhere, and no action of
// high risk.
func DefaultPolicy() Policy { return Policy{Limits: DefaultLimits()} }

// For returns the limits for people of kind k.
func (p *Policy) For(k audit.Kind) Limits {
	if l, ok := p.Kinds[k]; ok {
		return l
	}
	return p.Limits
}

// Validate refuses a policy with limits that Limits.Validate refuses, and one that says what
// cannot be meant. Its errors wrap ErrPolicy.
func (p *Policy) Validate() error {
	if p.Version < 0 {
		return fmt.Errorf("%w: the version is negative", ErrPolicy)
	}
	if err := p.Limits.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	for k, l := range p.Kinds {
		if !k.Valid() || k == audit.KindAnonymous || k == audit.KindSystem {
			return fmt.Errorf("%w: limits for a kind that has no sessions", ErrPolicy)
		}
		if err := l.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrPolicy, err)
		}
	}
	if p.SignOut > ThisDevice {
		return fmt.Errorf("%w: no such scope of signing out", ErrPolicy)
	}
	if len(p.HighRisk) > maxHighRisk {
		return fmt.Errorf("%w: more than %d actions of high risk", ErrPolicy, maxHighRisk)
	}
	for action, d := range p.HighRisk {
		if !code(strings.ToLower(string(action)), maxAction) {
			return fmt.Errorf("%w: an action's name", ErrPolicy)
		}
		if err := d.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (d Duty) validate() error {
	switch {
	case d.Area == "" && d.Within != 0:
		return fmt.Errorf("%w: a duration without an area", ErrPolicy)
	case d.Area == "":
		return nil
	case !code(d.Area, maxArea):
		return fmt.Errorf("%w: an area's name", ErrPolicy)
	case d.Within < time.Second || d.Within > maxFresh:
		return fmt.Errorf("%w: an area is open for 1 second to %v", ErrPolicy, maxFresh)
	}
	return nil
}

// Clone returns a copy that shares no memory with p.
func (p *Policy) Clone() Policy {
	c := *p
	c.Kinds, c.HighRisk = maps.Clone(p.Kinds), maps.Clone(p.HighRisk)
	return c
}

// The stored form of a policy, format 1. Durations are microseconds.
type (
	policyForm struct {
		Format   int                         `json:"format"`
		Limits   limitsForm                  `json:"limits"`
		Kinds    map[audit.Kind]limitsForm   `json:"kinds,omitempty"`
		SignOut  Scope                       `json:"sign_out,omitempty"`
		HighRisk map[audit.Action]policyDuty `json:"high_risk,omitempty"`
	}
	limitsForm struct {
		Idle     int64 `json:"idle"`
		Absolute int64 `json:"absolute"`
		Sessions int   `json:"sessions,omitempty"`
		Insecure bool  `json:"insecure_long,omitempty"`
	}
	policyDuty struct {
		Area   string `json:"area,omitempty"`
		Within int64  `json:"within,omitempty"`
	}
)

const policyFormat = 1

// EncodePolicy returns the form in which stores keep a policy, JSON with sorted keys, without
// its Version. What Validate refuses is not encoded. Durations are kept to the microsecond.
func EncodePolicy(p *Policy) (string, error) {
	if err := p.Validate(); err != nil {
		return "", err
	}
	f := policyForm{Format: policyFormat, Limits: p.Limits.form(), SignOut: p.SignOut}
	if len(p.Kinds) > 0 {
		f.Kinds = map[audit.Kind]limitsForm{}
	}
	for k, l := range p.Kinds {
		f.Kinds[k] = l.form()
	}
	if len(p.HighRisk) > 0 {
		f.HighRisk = map[audit.Action]policyDuty{}
	}
	for a, d := range p.HighRisk {
		f.HighRisk[a] = policyDuty{d.Area, d.Within.Microseconds()}
	}
	b, err := json.Marshal(f)
	if err == nil && len(b) > maxPolicy {
		err = fmt.Errorf("%w: too long", ErrPolicy)
	}
	return string(b), err
}

// DecodePolicy is the inverse of EncodePolicy, for the version that the store keeps beside
// the text. It refuses what it does not understand, rather than leave out what might
// restrict somebody, and what Validate refuses; errors wrap ErrPolicy.
func DecodePolicy(version int64, s string) (*Policy, error) {
	var f policyForm
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	if len(s) > maxPolicy || d.Decode(&f) != nil || d.More() || f.Format != policyFormat {
		return nil, fmt.Errorf("%w: its stored form", ErrPolicy)
	}
	p := &Policy{Version: version, Limits: f.Limits.limits(), SignOut: f.SignOut}
	if len(f.Kinds) > 0 {
		p.Kinds = make(map[audit.Kind]Limits, len(f.Kinds))
	}
	for k, l := range f.Kinds {
		p.Kinds[k] = l.limits()
	}
	if len(f.HighRisk) > 0 {
		p.HighRisk = make(map[audit.Action]Duty, len(f.HighRisk))
	}
	for a, d := range f.HighRisk {
		p.HighRisk[a] = Duty{d.Area, micros(d.Within)}
	}
	// One text for one policy: whatever else says the same was not written here.
	if again, err := EncodePolicy(p); err != nil || again != s {
		return nil, fmt.Errorf("%w: its stored form", ErrPolicy)
	}
	return p, nil
}

func (l Limits) form() limitsForm {
	return limitsForm{l.Idle.Microseconds(), l.Absolute.Microseconds(), l.Sessions, l.InsecureLong}
}

func (f limitsForm) limits() Limits {
	return Limits{Idle: micros(f.Idle), Absolute: micros(f.Absolute), Sessions: f.Sessions, InsecureLong: f.Insecure}
}

// micros is n microseconds; what does not fit is negative, which nothing valid is.
func micros(n int64) time.Duration {
	if n > int64(longAbsolute/time.Microsecond) {
		return -1
	}
	return time.Duration(n) * time.Microsecond
}

// Areas are the areas that the high-risk actions of p name, sorted, each once.
func (p *Policy) Areas() []string {
	var all []string
	for _, d := range p.HighRisk {
		if d.Area != "" {
			all = append(all, d.Area)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
