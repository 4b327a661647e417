package authn

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// The stored form of a policy, format 1. Durations are microseconds.
type (
	policyForm struct {
		Format           int            `json:"format"`
		Staff            factorForm     `json:"staff"`
		Patients         factorForm     `json:"patients"`
		ApproveStaff     bool           `json:"approve_staff,omitempty"`
		ApprovePatients  bool           `json:"approve_patients,omitempty"`
		AllFactors       bool           `json:"all_factors,omitempty"`
		Closed           bool           `json:"closed,omitempty"`
		NetworkStaff     []netip.Prefix `json:"network_staff,omitempty"`
		NetworkPatients  []netip.Prefix `json:"network_patients,omitempty"`
		InactiveStaff    int64          `json:"inactive_staff,omitempty"`
		InactivePatients int64          `json:"inactive_patients,omitempty"`
		Banner           string         `json:"banner,omitempty"`
		BannerAlways     bool           `json:"banner_always,omitempty"`
		Alone            int            `json:"alone,omitempty"`
		WithFactor       int            `json:"with_factor,omitempty"`
		Words            []string       `json:"words,omitempty"`
		Passkeys         passkeyForm    `json:"passkeys,omitempty"`
		Texts            bool           `json:"texts,omitempty"`
	}
	// factorForm is "required" or "optional".
	factorForm string
	// passkeyForm is "", "second_factor" or "off".
	passkeyForm string
)

const (
	policyFormat = 1
	maxPolicy    = 256 << 10 // bytes, encoded
)

// EncodePolicy returns the form in which stores keep a policy, JSON, without its Version. What
// Validate refuses is not encoded.
func EncodePolicy(p *Policy) (string, error) {
	if err := p.Validate(); err != nil {
		return "", err
	}
	b, err := json.Marshal(policyForm{
		Format: policyFormat, Staff: formOf(p.Staff), Patients: formOf(p.Patients),
		ApproveStaff: p.ApproveStaff, ApprovePatients: p.ApprovePatients, AllFactors: p.Reproof == AllFactors, Closed: p.Closed,
		NetworkStaff: p.Network.Staff, NetworkPatients: p.Network.Patients,
		InactiveStaff: p.InactiveStaff.Microseconds(), InactivePatients: p.InactivePatients.Microseconds(),
		Banner: p.Banner.Version, BannerAlways: p.Banner.Always,
		Alone: p.Passwords.Alone, WithFactor: p.Passwords.WithFactor, Words: p.Passwords.Words,
		Passkeys: passkeyFormOf(p.Passkeys), Texts: p.Texts,
	})
	if err == nil && len(b) > maxPolicy {
		err = fmt.Errorf("%w: too long", ErrPolicy)
	}
	return string(b), err
}

// DecodePolicy is the inverse of EncodePolicy, for the version that the store keeps beside the
// text. It refuses what it does not understand, rather than leave out what might restrict
// somebody, and what Validate refuses; errors wrap ErrPolicy.
func DecodePolicy(version int64, s string) (*Policy, error) {
	var f policyForm
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	if len(s) > maxPolicy || d.Decode(&f) != nil || d.More() || f.Format != policyFormat {
		return nil, fmt.Errorf("%w: its stored form", ErrPolicy)
	}
	p := &Policy{
		Version: version, Staff: f.Staff.enforcement(), Patients: f.Patients.enforcement(),
		ApproveStaff: f.ApproveStaff, ApprovePatients: f.ApprovePatients, Closed: f.Closed,
		Network:       Network{f.NetworkStaff, f.NetworkPatients},
		InactiveStaff: microsOf(f.InactiveStaff), InactivePatients: microsOf(f.InactivePatients),
		Banner:    Banner{f.Banner, f.BannerAlways},
		Passwords: PasswordRules{f.Alone, f.WithFactor, f.Words},
		Passkeys:  f.Passkeys.use(), Texts: f.Texts,
	}
	if f.AllFactors {
		p.Reproof = AllFactors
	}
	// One text for one policy: whatever else says the same was not written here.
	if again, err := EncodePolicy(p); err != nil || again != s {
		return nil, fmt.Errorf("%w: its stored form", ErrPolicy)
	}
	return p, nil
}

func formOf(e Enforcement) factorForm {
	if e == Optional {
		return "optional"
	}
	return "required"
}

func (f factorForm) enforcement() Enforcement {
	if f == "optional" {
		return Optional
	}
	return Required // what says something else is not encoded to the same text again
}

func passkeyFormOf(u PasskeyUse) passkeyForm {
	switch u {
	case PasskeysAlone:
		return ""
	case PasskeysSecond:
		return "second_factor"
	}
	return "off"
}

func (f passkeyForm) use() PasskeyUse {
	switch f {
	case "":
		return PasskeysAlone
	case "second_factor":
		return PasskeysSecond
	}
	return PasskeysOff // what says something else is not encoded to the same text again
}

// microsOf is n microseconds; what does not fit is negative, which nothing valid is.
func microsOf(n int64) time.Duration {
	if n > int64(maxInactivity/time.Microsecond) {
		return -1
	}
	return time.Duration(n) * time.Microsecond
}
