package rbac

import (
	"sync/atomic"
	"time"
)

// beat is how often a pulse beats.
const beat = time.Second

// pulse counts seconds while somebody needs them, so that the age of what a request has read
// costs a load and not a clock. It runs on timers of its own and stops by itself.
type pulse struct {
	seconds atomic.Int64
	until   atomic.Int64 // the second up to which it is needed
	beats   atomic.Bool
	last    time.Time // of whoever beats: the time of the last beat
}

// keep has the pulse beat for longer than maxAge from now on and returns the second that it is.
func (p *pulse) keep(now time.Time) int64 {
	second := p.seconds.Load()
	p.until.Store(second + 2*int64(maxAge/beat))
	if p.beats.CompareAndSwap(false, true) {
		p.last = now
		time.AfterFunc(beat, p.beat)
	}
	return second
}

// beat counts what has passed by the time of day, should the machine have slept, and at least
// one second, should that have been put back.
func (p *pulse) beat() {
	now := time.Now().Round(0)
	second := p.seconds.Add(max(1, int64(now.Sub(p.last.Round(0)).Round(beat)/beat)))
	p.last = now
	if second < p.until.Load() {
		time.AfterFunc(beat, p.beat)
		return
	}
	p.beats.Store(false)
	if second < p.until.Load() && p.beats.CompareAndSwap(false, true) { // somebody came meanwhile
		time.AfterFunc(beat, p.beat)
	}
}
