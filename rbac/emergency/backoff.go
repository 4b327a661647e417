package emergency

import "time"

// What cannot be told is tried again after longest at most.
const (
	shortest = time.Minute
	longest  = time.Hour
)

// backoff is when a notice that could not be delivered is tried again, and after how long once more.
type backoff struct {
	next  time.Time
	after time.Duration
}

// waits reports whether it is too early to try again. A clock that was set back waits no longer than it
// would have.
func (d *Desk[R]) waits(id string) bool {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	b, ok := d.late[id]
	return ok && now.Before(b.next) && b.next.Sub(now) <= b.after
}

// wait notes what became of a try. Each server counts for itself, and from nothing when it starts.
func (d *Desk[R]) wait(id string, err error) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.late, id)
		return
	}
	after := min(max(shortest, 2*d.late[id].after), longest)
	if d.late == nil {
		d.late = map[string]backoff{}
	}
	for old, b := range d.late { // told by another server
		if now.Sub(b.next) > 2*longest {
			delete(d.late, old)
		}
	}
	d.late[id] = backoff{now.Add(after), after}
}
