package phi

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
)

// Hidden is what View returns for a value that may not be seen at all.
const Hidden = "[hidden]"

// Level returns how much of the value the Sight in ctx allows to see, Hide without one.
func (t value) Level(ctx context.Context) Level {
	s, _ := SightFrom(ctx)
	return s.Level(t.Class())
}

// Class returns the class of the value's field, Unclassified for one that no codec placed.
func (t value) Class() Class {
	if f := t.field(); f != nil {
		return f.class
	}
	return Unclassified
}

// reveal returns the plaintext where the context's Sight allows Full, after it is recorded.
func (t value) reveal(ctx context.Context) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	if err := t.admit(ctx); err != nil {
		return "", err
	}
	if t.Level(ctx) < Full {
		return "", ErrNotAllowed
	}
	return t.handOut(ctx, "", asIs)
}

// View returns as much as the context's Sight allows: the plaintext, an excerpt such as the
// last four digits, the Mask, or Hidden; "" for no value. What it reveals is added to the
// request's audit event first, an excerpt as "field:partial". It returns ErrNoSight without a
// Sight and otherwise the errors of Reveal.
func (t value) View(ctx context.Context) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	if err := t.admit(ctx); err != nil {
		return "", err
	}
	switch t.Level(ctx) {
	case Full:
		return t.reveal(ctx)
	case Partial:
		return t.handOut(ctx, ":partial", t.Class().partial)
	case Mask:
		return t.Mask(), nil
	}
	return Hidden, nil
}

// Mask returns bullets in the shape of the class, the same for every value, and "" for no
// value. It is always allowed and decrypts nothing.
func (t value) Mask() string {
	if t.IsZero() {
		return ""
	}
	return t.Class().mask()
}

// admit asks for a Sight in ctx and for an actor, where there is one, of the row's tenant:
// the access would otherwise be recorded in another tenant's log.
func (t value) admit(ctx context.Context) error {
	if _, ok := SightFrom(ctx); !ok {
		return ErrNoSight
	}
	row := t.held().row
	if a, ok := audit.ActorFrom(ctx); ok && row != nil && a.Tenant != row.tenant {
		return ErrNotAllowed
	}
	return nil
}

// handOut opens t, records that it was seen, and only then returns what show leaves of it.
func (t value) handOut(ctx context.Context, suffix string, show func(string) string) (string, error) {
	plain, err := t.open()
	if err != nil {
		return "", err
	}
	if err := t.seen(ctx, suffix); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	return show(plain), nil
}

func (t value) seen(ctx context.Context, suffix string) error {
	f := t.field()
	if f == nil {
		return audit.Seen(ctx, "", audit.Object{})
	}
	r := t.held().row
	return audit.Seen(ctx, r.patient, audit.Object{
		Type: r.layout.entity, ID: r.id, Fields: []string{f.name + suffix},
	})
}

// field returns the codec's field that t came from, nil for a loose one.
func (t value) field() *field {
	if t.held == nil {
		return nil
	}
	if r := t.held().row; r != nil {
		return &r.layout.fields[t.i]
	}
	return nil
}

// fieldError names the field that err, which may be nil, is about.
func (t value) fieldError(err error) error {
	if f := t.field(); f != nil && err != nil {
		return &FieldError{f.id, err}
	}
	return err
}
