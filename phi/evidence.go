package phi

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// Indexed is an entity whose rows are sealed; every *Codec is one.
type Indexed interface {
	// Entity returns the name that For was given.
	Entity() string
	// Indexes returns the blind indexes in words, each with its name: "mrn (whole value, unique)".
	Indexes() []string
}

// maxKeyAge is how long a data root seals before it counts as old: the originator's usage period
// of a symmetric data encryption key (NIST SP 800-57 part 1, revision 5, section 5.3.6, table 1).
const maxKeyAge = 2 * 365 * 24 * time.Hour

// Controls states how a tenant's data is encrypted, for a review packet: evidence.Source of this
// vault. See Statement, which also states blind indexes.
func (v *Vault) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	return []evidence.Control{
		v.sealingControl(), fipsControl(fips140.Enabled()), v.kmsControl(), v.canaryControl(ctx), v.cacheControl(),
		v.ageControl(ctx, t), v.rotationControl(ctx, t),
	}, nil
}

// Statement is Vault.Controls with the blind indexes of the host's entities and what they show.
func Statement(v *Vault, entities ...Indexed) evidence.Source {
	return evidence.SourceFunc(func(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
		list, err := v.Controls(ctx, t)
		return append(list, indexControl(entities)), err
	})
}

func (v *Vault) sealingControl() evidence.Control {
	return evidence.Control{
		ID: "phi.sealed", What: "Fields with health information are encrypted before they reach the database, each bound to its tenant, record and field.", State: evidence.InForce,
		Detail: "XAES-256-GCM: AES-256-GCM under a key of each value's own; 256-bit keys, a data root for each tenant and a key for each patient", Verified: "fixed in the software",
		Citations: []string{"45 CFR 164.312(a)(2)(iv)", "45 CFR 164.402(2)", "NIST SP 800-111"},
	}
}

// fipsControl states the mode, and no certificate: whether the module's version has one is the
// host's to find out.
func fipsControl(on bool) evidence.Control {
	c := evidence.Control{
		ID: "phi.fips", What: "Cryptography runs in the Go Cryptographic Module's FIPS 140-3 mode.", State: evidence.InForce,
		Detail: "mode on", Warning: "Whether the module's version is validated is a question to NIST's list of modules, not to this program.",
		Verified: "asked the Go runtime", Citations: []string{"45 CFR 170.315(d)(7)", "FIPS 140-3"},
	}
	if !on {
		c.State, c.Detail, c.Warning = evidence.NotUsed, "mode off", "The same algorithms run outside of the module's approved mode."
	}
	return c
}

// kmsControl states where the key-encryption key is.
func (v *Vault) kmsControl() evidence.Control {
	c := evidence.Control{
		ID: "phi.key_custody", What: "The key that protects all other keys is kept apart from the data.", State: evidence.InForce,
		Verified: "read from the configuration", Citations: []string{"45 CFR 164.312(a)(2)(iv)", "NIST SP 800-57 part 1, section 6.2"},
	}
	current, older := v.kms, 0
	if r, ok := v.kms.(*Ring); ok {
		current, older = r.all[0], len(r.all)-1
	}
	switch current.(type) {
	case *MemoryKMS:
		c.State, c.Detail, c.Warning = evidence.Failing, "a key in memory", "The key ends with the process, and what is sealed with it."
	case *KeyFile:
		c.State, c.Detail, c.Warning = evidence.Partly, "a key file on this server", "Whoever has the file and the database reads everything. Keep a copy away from the database's backups."
	default:
		c.Detail = "a key management service (" + strings.TrimPrefix(fmt.Sprintf("%T", current), "*") + ")"
	}
	if older > 0 {
		c.Detail += fmt.Sprintf("; older keys that still open: %d", older)
		c.Warning = strings.TrimSpace(c.Warning + " A replacement of this key is not finished.")
		c.State = worse(c.State, evidence.Partly)
	}
	return c
}

// worse keeps a state that is failing already.
func worse(is, than evidence.State) evidence.State {
	if is == evidence.Failing {
		return is
	}
	return than
}

func (v *Vault) canaryControl(ctx context.Context) evidence.Control {
	c := evidence.Control{
		ID: "phi.canary", What: "A sealed canary tells that the right key-encryption key is there before anything is written under a wrong one.", State: evidence.InForce,
		Verified: "the canary was opened", Citations: []string{"45 CFR 164.308(a)(7)", "45 CFR 164.312(a)(2)(iv)"},
	}
	switch err := v.Health(ctx); {
	case errors.Is(err, ErrWrongKey):
		c.State, c.Warning, c.Verified = evidence.Failing, "The key-encryption key is not the one that the data was sealed under.", "the canary did not open"
	case err != nil:
		unasked(&c)
	}
	return c
}

// unasked is a control of which the KMS or the key store said nothing.
func unasked(c *evidence.Control) {
	c.State, c.Detail, c.Verified = evidence.Unknown, "", "asked, without an answer"
	c.Warning = "The key store or the key management service did not answer. Count this as not in force."
}

// cacheControl states how long a permission that was withdrawn at the KMS can still be used.
func (v *Vault) cacheControl() evidence.Control {
	c := evidence.Control{
		ID: "phi.key_cache", What: "Opened keys are forgotten after a while, so that access withdrawn at the key management service ends.", State: evidence.InForce,
		Detail: fmt.Sprintf("after %v", v.ttl), Verified: "read from the configuration", Citations: []string{"45 CFR 164.308(a)(3)(ii)(C)"},
	}
	if v.ttl > time.Hour {
		c.State, c.Warning = evidence.Partly, "It takes more than an hour."
	}
	return c
}

func (v *Vault) ageControl(ctx context.Context, t audit.Tenant) evidence.Control {
	c := evidence.Control{
		ID: "phi.key_age", What: "The tenant's keys are renewed before they are old.", State: evidence.InForce,
		Verified: "read from the key store", Citations: []string{"NIST SP 800-57 part 1, section 5.3.6"},
	}
	s, err := (&Rotator{v: v}).Status(ctx, t)
	if err != nil {
		unasked(&c)
		return c
	}
	if s.Epoch == 0 {
		c.State, c.Detail = evidence.NotUsed, "nothing was sealed yet"
		return c
	}
	age := v.now().Sub(s.Since)
	c.Detail = fmt.Sprintf("epoch %d, made %s, %d days ago; patients' keys that an older one wraps: %d", s.Epoch, s.Since.Format("2006-01-02"), int(age.Hours()/24), s.Behind)
	if age > maxKeyAge {
		c.State, c.Warning = evidence.Partly, "The key is older than two years."
	}
	return c
}

// rotationControl states renewals that are not finished, of the tenant and of the key-encryption
// key, which all tenants share.
func (v *Vault) rotationControl(ctx context.Context, t audit.Tenant) evidence.Control {
	c := evidence.Control{
		ID: "phi.rotation", What: "Keys are renewed while everybody works, and a renewal that was begun is finished.", State: evidence.InForce,
		Detail: "none under way", Verified: "read from the key store", Citations: []string{"45 CFR 164.312(a)(2)(iv)"},
	}
	var all []Rotation
	for _, of := range []audit.Tenant{t, ""} {
		const many = 100
		found, err := v.keys.Rotations(ctx, RotationQuery{Namespace: v.namespace, Tenant: &of, Unfinished: true, Limit: many})
		if err != nil {
			unasked(&c)
			return c
		}
		all = append(all, found...)
	}
	var words []string
	for _, r := range all {
		word := string(r.Kind)
		if r.Phase != "" {
			word += ", phase " + string(r.Phase)
		}
		words = append(words, fmt.Sprintf("%s: %d of %d since %s", word, r.Done, r.Total, r.Started.Format("2006-01-02")))
		switch {
		case r.Failed > 0:
			c.State, c.Warning = evidence.Failing, "A renewal is stuck: some keys or rows could not be done."
		default:
			c.State = worse(c.State, evidence.Partly)
		}
	}
	if len(words) > 0 {
		c.Detail = strings.Join(words, "; ")
	}
	return c
}

func indexControl(entities []Indexed) evidence.Control {
	c := evidence.Control{
		ID: "phi.indexes", What: "What is encrypted is found by keyed hashes of it, which show who holds the database as little as can be.", State: evidence.NotUsed,
		Verified: "read from the types that are sealed", Citations: []string{"45 CFR 164.312(a)(2)(iv)"},
	}
	var words []string
	for _, e := range entities {
		for _, ix := range e.Indexes() {
			words = append(words, e.Entity()+"."+ix)
			c.State = evidence.InForce
			if strings.Contains(ix, partial) {
				c.Warning = "Indexes of parts show which records share a part, and how often each occurs."
			}
		}
	}
	c.Detail = strings.Join(words, ", ")
	return c
}

// partial is in the words for an index of a part of a value.
const partial = "part"

// Entity returns the name that For was given.
func (c *Codec[T]) Entity() string { return c.layout.entity }

// Indexes returns the blind indexes in words, each with its name and its shape: "mrn (whole value,
// unique)", "phone.last4 (part: the last 4 characters)".
func (c *Codec[T]) Indexes() []string {
	out := make([]string, len(c.layout.indexes))
	for i := range c.layout.indexes {
		out[i] = c.layout.indexes[i].words()
	}
	return out
}

func (ix *index) words() string {
	shape := "whole value"
	switch {
	case ix.max > 0:
		shape = fmt.Sprintf("part: the first %d to %d characters", ix.min, ix.max)
	case ix.compound:
		shape = fmt.Sprintf("%d fields together", len(ix.parts))
		for _, p := range ix.parts {
			if p.last > 0 {
				shape += ", one in part"
			}
		}
	case ix.byWord:
		shape = "each word, frequent ones spread"
	case ix.spread != nil:
		shape = "whole value, frequent ones spread"
	case ix.parts[0].last > 0:
		shape = fmt.Sprintf("part: the last %d characters", ix.parts[0].last)
	}
	if ix.unique {
		shape += ", unique"
	}
	return ix.name + " (" + shape + ")"
}
