package emergency

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Notices tells people of the host: the privacy officer, who answers for reviews.
type Notices interface {
	// Tell hands over one notice, at least once: whoever delivers drops a repeated ID. Nil means that
	// it is kept and will be read: in an outbox, in a list on the officer's page. The person of the
	// grant must not be the only one who gets it.
	Tell(ctx context.Context, n Notice) error
}

// Notice says that something happened that somebody has to know. It holds no words.
type Notice struct {
	ID    string // the same for the same notice
	Kind  NoticeKind
	Grant Grant
	Times int // of Overdue: how often somebody was told before
}

// NoticeKind says what a notice is about.
type NoticeKind string

// The kinds of notices.
const (
	Opened  NoticeKind = "opened"  // somebody opened a patient
	Limited NoticeKind = "limited" // and was refused a further one, because there were too many
	Overdue NoticeKind = "overdue" // nobody has reviewed it in time
)

// notice is a notice about g.
func (g Grant) notice(k NoticeKind, times int) Notice {
	return Notice{ID: g.ID + "/" + string(k) + "/" + strconv.Itoa(times), Kind: k, Grant: g, Times: times}
}

// errTell: the host's Notices panicked. That stops no opening and no server.
var errTell = errors.New("emergency: the notices panicked")

// tell delivers a notice, within the time that an opening waits for it.
func (d *Desk[R]) tell(ctx context.Context, n Notice) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.o.TellWithin)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if recover() != nil { // what it says may hold what nobody may read
				done <- errTell
			}
		}()
		done <- d.p.Notices.Tell(ctx, n)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tellOpened tells that somebody opened a patient, and returns the grant as it is then. What fails is
// Run's: care does not wait for a mail server.
func (d *Desk[R]) tellOpened(ctx context.Context, g Grant) Grant {
	return d.told(ctx, g, g.notice(Opened, 0), func(g *Grant, now time.Time) { g.Told = now })
}

// tellLimited tells that somebody opens too many.
func (d *Desk[R]) tellLimited(ctx context.Context, g Grant) {
	d.told(ctx, g, g.notice(Limited, 0), func(g *Grant, now time.Time) { g.LimitedTold = now })
}

// told delivers a notice and writes down that it was.
func (d *Desk[R]) told(ctx context.Context, g Grant, n Notice, mark func(*Grant, time.Time)) Grant {
	if err := d.tell(ctx, n); err != nil {
		d.o.Logger.WarnContext(ctx, "emergency: a notice could not be delivered and is tried again")
		return g
	}
	ctx = context.WithoutCancel(ctx)
	e := g.event(ActionTell, audit.Execute)
	e.Actor, e.Detail["notice"] = system(g.Tenant), string(n.Kind)
	if err := d.record(ctx, "a notice", e); err != nil {
		return g
	}
	is := g
	mark(&is, d.now())
	is.Version++
	if err := d.p.Store.Update(ctx, is); err != nil {
		if !errors.Is(err, ErrConflict) {
			d.o.Logger.WarnContext(ctx, "emergency: that a notice was delivered could not be kept")
		}
		return g // it is told again, with the same ID
	}
	return is
}
