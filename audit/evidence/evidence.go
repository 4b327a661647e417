package evidence

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// State is how a control stands.
type State string

// The states.
const (
	InForce  State = "in_force" // it holds, for everybody it is for
	Partly   State = "partly"   // it holds for some, or with the weakness that Control.Warning names
	NotUsed  State = "not_used" // the tenant has chosen not to use it
	Failing  State = "failing"  // it should hold and does not
	Unknown  State = "unknown"  // it could not be asked; count it as failing
	Attested State = "attested" // somebody says so, see Control.By
	Expired  State = "expired"  // somebody said so, too long ago
)

// Control is one safeguard of one tenant. It holds no personal data but the name under which
// somebody attests.
type Control struct {
	ID        string    `json:"id"`   // for example "mfa.text"; never changes its meaning
	What      string    `json:"what"` // one sentence, English
	State     State     `json:"state"`
	Detail    string    `json:"detail,omitempty"`  // how it is set: "idle 15 minutes"
	Warning   string    `json:"warning,omitempty"` // what a reader has to know before relying on it
	Verified  string    `json:"verified"`          // how one knows: "read from the policy in force"
	Citations []string  `json:"citations,omitempty"`
	By        string    `json:"by,omitempty"` // who attests
	At        time.Time `json:"at,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
}

// Source states the controls of one package or of a host.
type Source interface {
	// Controls returns the tenant's controls as they are now. An error is a packet's Unknown.
	Controls(ctx context.Context, t audit.Tenant) ([]Control, error)
}

// SourceFunc is a Source.
type SourceFunc func(ctx context.Context, t audit.Tenant) ([]Control, error)

// Controls calls f.
func (f SourceFunc) Controls(ctx context.Context, t audit.Tenant) ([]Control, error) {
	return f(ctx, t)
}

// Section is a part of a packet.
type Section struct {
	Name string // as a heading, "Second factors"
	From Source
}

// Attestation is what somebody says of a control that no program can see.
type Attestation struct {
	ID        string // of the control, "host.training"
	What      string
	Detail    string
	By        string    // who says so: a role or a name
	At        time.Time // when
	Expires   time.Time // until when it counts; required
	Citations []string
}

// Validate says whether the attestation is complete.
func (a *Attestation) Validate() error {
	if !isID(a.ID) || strings.TrimSpace(a.What) == "" || strings.TrimSpace(a.By) == "" || a.At.IsZero() || !a.Expires.After(a.At) {
		return ErrAttestation
	}
	return nil
}

// control is what the attestation is worth now.
func (a *Attestation) control(now time.Time) Control {
	c := Control{
		ID: a.ID, What: a.What, State: Attested, Detail: a.Detail, Verified: "attested by " + a.By + ", not checked by any program",
		Citations: a.Citations, By: a.By, At: a.At.UTC(), Expires: a.Expires.UTC(),
	}
	switch {
	case a.Validate() != nil:
		c.State, c.Warning = Unknown, "The attestation is not complete."
	case now.Before(a.At):
		c.State, c.Warning = Unknown, "The attestation is dated in the future."
	case !now.Before(a.Expires):
		c.State, c.Warning = Expired, "The attestation has expired."
	}
	return c
}

// Packet is what an auditor is given: the controls of one tenant at one time.
type Packet struct {
	Tenant   audit.Tenant `json:"tenant"`
	Made     time.Time    `json:"made"`
	Standing string       `json:"standing"` // what the packet is not
	Sections []Chapter    `json:"sections"`
}

// Chapter is a section with what its source said.
type Chapter struct {
	Name     string    `json:"name"`
	Controls []Control `json:"controls"`
}

// standing is in every packet.
const standing = "This is a statement of settings and checks, made by the software itself and, where it says so, by people. " +
	"It is no certificate, and nobody has certified this installation by making it."

// Collect asks all sources and returns the packet. It always returns one: a source that fails, or
// panics, or states a control without an ID or a second time, is a control whose state is Unknown.
func Collect(ctx context.Context, t audit.Tenant, now time.Time, sections []Section, attested []Attestation) Packet {
	p := Packet{Tenant: t, Made: now.UTC(), Standing: standing}
	seen := map[string]bool{}
	for _, s := range sections {
		p.Sections = append(p.Sections, Chapter{s.Name, checked(ask(ctx, t, s), s.Name, seen)})
	}
	var said []Control
	for i := range attested {
		said = append(said, attested[i].control(now))
	}
	if len(said) > 0 {
		p.Sections = append(p.Sections, Chapter{"Attested by people", checked(said, "Attested by people", seen)})
	}
	return p
}

// ask asks one source.
func ask(ctx context.Context, t audit.Tenant, s Section) (out []Control) {
	defer func() {
		if recover() != nil {
			out = []Control{unasked(s.Name)}
		}
	}()
	if s.From == nil {
		return []Control{unasked(s.Name)}
	}
	list, err := s.From.Controls(ctx, t)
	if err != nil {
		return append(slices.Clone(list), unasked(s.Name))
	}
	return list
}

// unasked stands for what a source did not say. The cause stays in the host's logs.
func unasked(name string) Control {
	return Control{
		ID: "evidence.unknown", What: "The state of " + name + " could not be found out.", State: Unknown,
		Warning: "Count everything in this section as not in force.", Verified: "asked, without an answer",
	}
}

// checked sees to it that every control has a name of its own and a state.
func checked(list []Control, section string, seen map[string]bool) []Control {
	out := make([]Control, 0, len(list))
	for _, c := range list {
		switch {
		case c.ID == "evidence.unknown": // one for each source that did not answer
		case !isID(c.ID), seen[c.ID]:
			c = Control{
				ID: "evidence.invalid", What: fmt.Sprintf("A control in %s has no name, or one that another has.", section),
				State: Unknown, Verified: "compared with the others", Detail: c.ID,
			}
		case !known(c.State):
			c.State, c.Warning = Unknown, "The state is none that there is."
		case c.Verified == "" || c.What == "":
			c.State, c.Warning = Unknown, "It is not said what this is, or how one knows."
		}
		seen[c.ID] = true
		out = append(out, c)
	}
	return out
}

func known(s State) bool {
	return slices.Contains([]State{InForce, Partly, NotUsed, Failing, Unknown, Attested, Expired}, s)
}

// isID reports whether s is a name such as "mfa.text".
func isID(s string) bool {
	first, rest, ok := strings.Cut(s, ".")
	return ok && first != "" && rest != "" && len(s) <= 64 &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._") == "" && !strings.Contains(s, "..")
}

// Open returns the controls that do not hold as they should: failing, unknown, expired, or with a
// warning.
func (p *Packet) Open() []Control {
	var out []Control
	for _, s := range p.Sections {
		for _, c := range s.Controls {
			if c.State == Failing || c.State == Unknown || c.State == Expired || c.Warning != "" {
				out = append(out, c)
			}
		}
	}
	return out
}
