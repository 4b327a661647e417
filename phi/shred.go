package phi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Errors of shredding.
var (
	// ErrShredded: the patient's keys were destroyed on purpose. What was sealed under them is gone,
	// in every backup too, and nothing new is sealed for the patient.
	ErrShredded = errors.New("phi: the patient's keys were destroyed")
	// ErrHeld: a legal hold keeps the patient's data.
	ErrHeld = errors.New("phi: a legal hold forbids it")
	// ErrJournal: the journal of shreds knows of fewer than the key store: it was lost, an older one was
	// put back, or the vault was given none. Nothing is opened until it is there again.
	ErrJournal = errors.New("phi: the journal of shreds is not the one that was written")
)

// Shredded says whose keys are to be destroyed, from when on.
type Shredded struct {
	Namespace string
	Tenant    audit.Tenant
	Patient   audit.Patient
	At        time.Time // UTC, microseconds
}

// ShredJournal remembers who was shredded, for ever. It lies where no backup of the key store or the data
// puts it back: a file of its own (OpenShredFile), or a database of its own (phisql). It holds opaque
// identifiers and no key.
//
// Implementations are safe for concurrent use, from several processes too, and pass
// phitest.TestShreds. A call whose context has ended is an error.
type ShredJournal interface {
	// Append adds e durably. The patient is there already: no error, and nothing changes. Twice at once:
	// one entry. Cancelled half-way: it is there whole or not at all.
	Append(ctx context.Context, e Shredded) error
	// Has reports whether the patient is in it. It sees every Append that returned before it began,
	// from any process.
	Has(ctx context.Context, namespace string, t audit.Tenant, p audit.Patient) (bool, error)
	// List yields the entries of a namespace in the order in which they were added. None: nothing.
	// Failing: the last pair holds the error.
	List(ctx context.Context, namespace string) iter.Seq2[Shredded, error]
}

// KeyDestroyer is what shredding needs of a KeyStore.
type KeyDestroyer interface {
	// Destroy removes, durably, every key of a patient, and remembers that it did. It returns how many
	// it removed. None: 0 and no error. Twice at once: both succeed. Cancelled half-way, or
	// killed: all or nothing. Other patients', tenants' and namespaces' keys stay, and a slot that is
	// no patient's is ErrBinding: a tenant's root is never destroyed.
	Destroy(ctx context.Context, s KeySlot) (int, error)
	// Destroyed returns for how many patients of a namespace Destroy was called; repeating it for one
	// changes nothing.
	Destroyed(ctx context.Context, namespace string) (int, error)
}

// ShredGate decides whether a patient's data may be destroyed at all. Retention and legal holds know.
type ShredGate interface {
	// Held reports whether something keeps the patient's data.
	Held(ctx context.Context, t audit.Tenant, p audit.Patient) (bool, error)
}

// Shreddable returns ErrBinding for a slot that Destroy must not touch. Stores call it first.
func (s KeySlot) Shreddable() error {
	if s.Purpose != PurposePatient || s.Namespace == "" || s.Tenant == "" || s.Patient == "" {
		return ErrBinding
	}
	return nil
}

// Actions of shredding, as the audit names them.
const (
	ActionShredOrdered  audit.Action = "phi.shred_ordered"
	ActionShredded      audit.Action = "phi.shredded" // the certificate
	ActionShredReplayed audit.Action = "phi.shred_replayed"
)

// ShredderOptions are what NewShredder can be told.
type ShredderOptions struct {
	// Forget removes what else the host has of the patient that is readable without a key: blind-index
	// terms (TermStore.DeleteTerms), caches, drafts. It is called after the keys are gone, again after a failure,
	// and must bear it. Nil: there is nothing.
	Forget func(ctx context.Context, t audit.Tenant, p audit.Patient) error
}

// Shredder makes a patient's data unreadable, everywhere and for good, by destroying the patient's
// keys.
type Shredder struct {
	v      *Vault
	rec    audit.Recorder
	gate   ShredGate
	forget func(context.Context, audit.Tenant, audit.Patient) error
}

// NewShredder returns a Shredder over a vault that has a journal (Options.Shreds). The recorder gets
// the order and the certificate, and the gate is asked first.
func NewShredder(v *Vault, rec audit.Recorder, gate ShredGate, o *ShredderOptions) (*Shredder, error) {
	if v == nil || v.shreds == nil || rec == nil || gate == nil {
		return nil, errors.New("phi: a shredder needs a vault with a journal, a recorder and a gate")
	}
	s := &Shredder{v: v, rec: rec, gate: gate, forget: func(context.Context, audit.Tenant, audit.Patient) error { return nil }}
	if o != nil && o.Forget != nil {
		s.forget = o.Forget
	}
	return s, nil
}

// Certificate says what became of a patient's data. It is in the audit, too.
type Certificate struct {
	Tenant  audit.Tenant
	Patient audit.Patient
	Keys    int       // destroyed by this call; 0 if an earlier one did
	At      time.Time // when the journal was told
	// Everywhere is when no server can have the keys in its memory any more: the cache's time after the
	// journal had it, since until then a key may still be loaded.
	Everywhere time.Time
}

// Shred destroys a patient's keys. Who asks is the actor in ctx; that they ask, and why, is durable before
// anything happens, and the certificate after. From the journal's entry on every vault refuses the
// patient with ErrShredded, at the latest when its cache ends; a restored backup brings nothing back. Repeating it
// after a failure, or a crash, does what is left.
//
// Errors: ErrBinding, ErrHeld, ErrUnrecorded, ErrUnavailable. A gate that fails forbids.
func (s *Shredder) Shred(ctx context.Context, t audit.Tenant, p audit.Patient, why string) (Certificate, error) {
	if t == "" || p == "" || why == "" || !storable(s.v.namespace, string(t), string(p)) {
		return Certificate{}, ErrBinding
	}
	if a, ok := audit.ActorFrom(ctx); !ok || a.Tenant != t {
		return Certificate{}, ErrForeignTenant
	}
	held, err := s.gate.Held(ctx, t, p)
	if err != nil {
		return Certificate{}, unavailable("asking for legal holds", err)
	}
	if held {
		return Certificate{}, ErrHeld
	}
	ordered := shredEvent(t, p, ActionShredOrdered)
	ordered.Why = audit.NewPrivate(why)
	if err := s.record(ctx, ordered); err != nil {
		return Certificate{}, err
	}
	at := s.v.now().UTC().Truncate(time.Microsecond)
	if err := s.v.shreds.Append(ctx, Shredded{s.v.namespace, t, p, at}); err != nil {
		return Certificate{}, unavailable("writing the journal of shreds", err)
	}
	everywhere := s.v.now().UTC().Add(s.v.ttl)
	n, err := s.destroy(ctx, t, p)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{t, p, n, at, everywhere}
	e := shredEvent(t, p, ActionShredded)
	e.Detail = map[string]string{"keys": strconv.Itoa(n), "everywhere": c.Everywhere.Format(time.RFC3339Nano)}
	return c, s.record(ctx, e)
}

// destroy removes keys, what this process has of them, and what the host has.
func (s *Shredder) destroy(ctx context.Context, t audit.Tenant, p audit.Patient) (int, error) {
	slot := slot{t, PurposePatient, p}
	n, err := s.v.keys.Destroy(ctx, s.v.slot(slot))
	if err != nil {
		return n, unavailable("destroying keys", err)
	}
	s.v.forgetPatient(slot)
	if err := s.forget(ctx, t, p); err != nil {
		return n, unavailable("forgetting a patient", err)
	}
	return n, nil
}

// Replay destroys again what the journal names, after a backup of the key store was put back, and returns
// how many keys it found. Call it whenever a server starts: vaults refuse those patients anyway, but
// until then the keys are in the store. What it destroyed is recorded for each tenant, by the system's
// actor "phi.shredder" (audit.System), whoever is in ctx: it says again what somebody ordered before.
func (s *Shredder) Replay(ctx context.Context) (int, error) {
	total := 0
	for e, err := range s.v.shreds.List(ctx, s.v.namespace) {
		if err != nil {
			return total, unavailable("reading the journal of shreds", err)
		}
		n, err := s.destroy(ctx, e.Tenant, e.Patient)
		if err != nil {
			return total, err
		}
		if total += n; n == 0 {
			continue
		}
		ev := shredEvent(e.Tenant, e.Patient, ActionShredReplayed)
		ev.Detail = map[string]string{"keys": strconv.Itoa(n)}
		ev.Actor = audit.System(e.Tenant, "phi.shredder")
		if err := s.record(ctx, ev); err != nil {
			return total, err
		}
	}
	return total, nil
}

func shredEvent(t audit.Tenant, p audit.Patient, a audit.Action) audit.Event {
	return audit.Event{Tenant: t, Action: a, Verb: audit.Delete, Patients: []audit.Patient{p}, Objects: []audit.Object{{Type: "patient_keys", ID: string(p)}}}
}

func (s *Shredder) record(ctx context.Context, e audit.Event) error {
	if a, ok := audit.ActorFrom(ctx); ok && e.Actor.Kind == "" {
		e.Actor = a
	}
	if err := s.rec.Record(ctx, e); err != nil {
		return fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	return nil
}

// whole refuses a journal that is shorter than what the key store remembers, and to do without one
// where it remembers any.
func (v *Vault) whole(ctx context.Context) error {
	want, err := v.keys.Destroyed(ctx, v.namespace)
	if err != nil {
		return unavailable("counting shreds", err)
	}
	if v.shreds == nil && want > 0 {
		return ErrJournal
	}
	if v.shreds == nil {
		return nil
	}
	have := 0
	for _, err := range v.shreds.List(ctx, v.namespace) {
		if err != nil {
			return unavailable("reading the journal of shreds", err)
		}
		have++
	}
	if have < want {
		return ErrJournal
	}
	return nil
}

// alive refuses a patient who is in the journal. One that cannot be asked refuses everybody.
func (v *Vault) alive(ctx context.Context, t audit.Tenant, p audit.Patient) error {
	if v.shreds == nil || p == "" {
		return nil
	}
	gone, err := v.shreds.Has(ctx, v.namespace, t, p)
	switch {
	case err != nil:
		return unavailable("asking the journal of shreds", err)
	case gone:
		return ErrShredded
	}
	return nil
}

// forgetPatient drops a patient's keys from this process's memory.
func (v *Vault) forgetPatient(s slot) {
	v.current.forget(s)
	v.byID.drain(func(k *key) bool { return k.slot == s })
}
