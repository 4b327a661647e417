package phi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// Sight is how far somebody may see, class by class. rbac's decision puts it into the
// handler's context. The zero Sight hides everything.
type Sight struct {
	levels map[Class]Level
	full   bool // all classes, also those that do not exist yet
}

// NewSight returns a Sight with these levels; classes that are not mentioned, and levels that
// do not exist, are Hide.
func NewSight(levels map[Class]Level) Sight {
	s := Sight{levels: maps.Clone(levels)}
	maps.DeleteFunc(s.levels, func(_ Class, l Level) bool { return l == Hide || l > Full })
	return s
}

// Level returns how much of the class may be seen.
func (s Sight) Level(c Class) Level {
	if s.full {
		return Full
	}
	return s.levels[c]
}

// Digest returns 64 hexadecimal digits, the SHA-256 of what the Sight allows: evidence for
// audit.Decision.Mask.
func (s Sight) Digest() string {
	b := []byte("phi/v1/sight")
	if s.full {
		b = append(b, "*=full"...)
	}
	for _, c := range slices.Sorted(maps.Keys(s.levels)) {
		b = append(appendLP(b, string(c)), byte(s.levels[c]))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

type sightKey struct{}

// WithSight returns a context in which s bounds what can be revealed.
func WithSight(ctx context.Context, s Sight) context.Context {
	return context.WithValue(ctx, sightKey{}, s)
}

// SightFrom returns the Sight in ctx.
func SightFrom(ctx context.Context) (Sight, bool) {
	s, ok := ctx.Value(sightKey{}).(Sight)
	return s, ok
}

// ActionInsecureFullSight is the audit action of InsecureFullSight.
const ActionInsecureFullSight audit.Action = "phi.insecure_full_sight"

// InsecureFullSight returns a context that sees everything: for jobs, to which nobody's
// decision applies. The actor in ctx, often audit.System, and the reason are durable in rec
// before it returns, and so is every later reveal before its value is handed out.
// It returns audit.ErrNoActor without an actor, and rec's error where that fails.
func InsecureFullSight(ctx context.Context, rec audit.Recorder, reason string) (context.Context, error) {
	if rec == nil || reason == "" {
		return nil, errors.New("phi: full sight: a recorder and a reason are required")
	}
	sight := Sight{full: true}
	ctx, trail := audit.WithTrail(ctx, rec, audit.Event{})
	err := audit.Decide(ctx, audit.Event{
		Action:   ActionInsecureFullSight,
		Verb:     audit.Execute,
		Why:      audit.NewPrivate(reason),
		Decision: audit.Decision{Rule: string(ActionInsecureFullSight), Mask: sight.Digest()},
	})
	if err != nil {
		return nil, fmt.Errorf("phi: full sight: %w", err)
	}
	if err := trail.Flush(ctx); err != nil {
		return nil, fmt.Errorf("phi: full sight: %w", err)
	}
	trail.Return() // from here on, every reveal waits for its own record
	return WithSight(ctx, sight), nil
}
