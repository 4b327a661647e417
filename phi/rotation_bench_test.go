//go:build unix

package phi_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// BenchmarkRotateRoot100k re-wraps the keys of 100,000 patients in one tenant. The store is in
// memory and answers each page from a sorted copy, so that what is measured is phi's own work.
func BenchmarkRotateRoot100k(b *testing.B) {
	const patients = 100_000
	store := &pagedKeys{MemoryKeys: phi.NewMemoryKeys()}
	v, err := phi.Open(b.Context(), "app", phi.NewMemoryKMS(), store, nil)
	require.NoError(b, err)
	for i := range patients {
		at := phi.At{Tenant: clinic, Field: "f", Patient: audit.Patient(fmt.Sprint("p-", i)), Row: "r"}
		_, err := v.Seal(b.Context(), at, nil)
		require.NoError(b, err)
	}
	r, err := phi.NewRotator(v, audit.Discard{}, platform, nil)
	require.NoError(b, err)
	before := cpuTime(b)
	for b.Loop() {
		job, err := r.Rotate(b.Context(), phi.RotateRoot, clinic)
		if err != nil || job.Done != patients {
			b.Fatal(err, job.Done)
		}
	}
	spent := (cpuTime(b) - before) / time.Duration(b.N)
	b.ReportMetric(float64(spent.Milliseconds()), "cpu-ms/op")
	b.ReportMetric(float64(spent.Nanoseconds())/patients, "cpu-ns/key")
}

// cpuTime is what the process has used on all processors, garbage collection included: wall
// time says little on a machine that others use.
func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// pagedKeys sorts the keys of a root once, where MemoryKeys sorts them for each page.
type pagedKeys struct {
	*phi.MemoryKeys
	root phi.KeyID
	all  []phi.Key
}

func (p *pagedKeys) List(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
	if q.Root == (phi.KeyID{}) {
		return p.MemoryKeys.List(ctx, q)
	}
	if q.Root != p.root || q.After == (phi.KeyID{}) {
		every := q
		every.After, every.Limit = phi.KeyID{}, 1<<30
		all, err := p.MemoryKeys.List(ctx, every)
		if err != nil {
			return nil, err
		}
		p.root, p.all = q.Root, all
	}
	i, found := slices.BinarySearchFunc(p.all, q.After, func(k phi.Key, id phi.KeyID) int { return bytes.Compare(k.ID[:], id[:]) })
	if found {
		i++
	}
	return p.all[i:min(len(p.all), i+q.Limit)], nil
}
