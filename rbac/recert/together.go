package recert

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Together is a Population of several.
type Together []Population

// Accesses yields those of all, one after the other.
func (p Together) Accesses(ctx context.Context, t audit.Tenant, kinds []Kind, now time.Time) iter.Seq2[Access, error] {
	return func(yield func(Access, error) bool) {
		for _, one := range p {
			for a, err := range one.Accesses(ctx, t, kinds, now) {
				if !yield(a, err) || err != nil {
					return
				}
			}
		}
	}
}
