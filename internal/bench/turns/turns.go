// Package turns measures cases in turns, a batch each, so that a neighbour who takes the
// machine takes it from all of them alike.
package turns

import (
	"math"
	"runtime"
	"slices"
	"time"
)

// Case is one case and what was measured of it.
type Case struct {
	Name   string
	Run    func() error
	Before func() error // before each batch, not measured; nil if there is nothing to do
	// Ready is what comes before each run and is not measured; nil if there is nothing to do. The two
	// readings of the clock around a run then count as its own.
	Ready func() error
	Units int // how many units one run is; 0 is one

	Bytes, Allocs float64 // of one run

	batch int
	ns    []float64 // of each batch, per unit
}

// Best returns the nanoseconds per unit of the fastest batch: the work itself.
func (c *Case) Best() float64 { return slices.Min(c.ns) }

// Median returns the nanoseconds per unit of the median batch, which have what the garbage
// collector and the neighbours add.
func (c *Case) Median() float64 {
	s := slices.Sorted(slices.Values(c.ns))
	return s[len(s)/2]
}

// Plan says how much Measure runs.
type Plan struct {
	Time  time.Duration // for all cases together; each has one batch at the least
	Batch time.Duration // for a batch
	First int           // runs of each case, three times, before it is measured; the second counts memory
	Most  int           // runs in a batch; 0 is no limit
}

// Measure lets the cases run in turns. It ends with the first error of one.
func (p Plan) Measure(cases ...*Case) error {
	for _, c := range cases {
		if err := c.prepare(p); err != nil {
			return err
		}
	}
	for start, first := time.Now(), true; first || time.Since(start) < p.Time; first = false {
		for _, c := range cases {
			if err := c.once(); err != nil {
				return err
			}
		}
	}
	return nil
}

// once runs a batch and notes how long it took.
func (c *Case) once() error {
	var took time.Duration
	err := c.parts(func(n int) error {
		start := time.Now()
		err := c.runs(n)
		took += time.Since(start)
		return err
	})
	c.ns = append(c.ns, float64(took)/float64(c.batch)/float64(max(1, c.Units)))
	return err
}

// memory counts what a batch allocates.
func (c *Case) memory() error {
	var before, after runtime.MemStats
	return c.parts(func(n int) error {
		runtime.ReadMemStats(&before)
		err := c.runs(n)
		runtime.ReadMemStats(&after)
		c.Bytes += float64(after.TotalAlloc-before.TotalAlloc) / float64(c.batch)
		c.Allocs += float64(after.Mallocs-before.Mallocs) / float64(c.batch)
		return err
	})
}

// parts runs a batch: what is measured is all of its runs together or, where something comes before
// each, one after the other.
func (c *Case) parts(measure func(n int) error) error {
	if c.Before != nil {
		if err := c.Before(); err != nil {
			return err
		}
	}
	if c.Ready == nil {
		return measure(c.batch)
	}
	for range c.batch {
		if err := c.Ready(); err != nil {
			return err
		}
		if err := measure(1); err != nil {
			return err
		}
	}
	return nil
}

func (c *Case) runs(n int) error {
	for range n {
		if err := c.Run(); err != nil {
			return err
		}
	}
	return nil
}

// prepare counts memory and finds out how many runs are a batch.
func (c *Case) prepare(p Plan) error {
	c.batch, c.ns, c.Bytes, c.Allocs = p.First, nil, 0, 0
	if err := c.once(); err != nil { // what is done only once is not counted
		return err
	}
	if err := c.memory(); err != nil {
		return err
	}
	if err := c.once(); err != nil {
		return err
	}
	c.batch = max(1, int(float64(p.Batch)/math.Max(1, c.Best()*float64(max(1, c.Units)))))
	if p.Most > 0 {
		c.batch = min(c.batch, p.Most)
	}
	c.ns = nil
	return nil
}
