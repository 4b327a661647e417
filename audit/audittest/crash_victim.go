package audittest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// What a victim reports, a line each, after it was told so by the store.
const (
	reportAppended = "audittest: appended " // writer, call
	reportErased   = "audittest: erased "   // writer, call
	reportPlace    = "audittest: place "    // tenant's number, ID, index
	reportWon      = "audittest: won "      // number of the contested ID
	reportFailed   = "audittest: failed "   // what was wrong, in quotes
)

// crashTenants are those that victims write to.
func crashTenants() [2]audit.Tenant { return [2]audit.Tenant{clinic, neighbour} }

// act is one call of one writer.
type act struct{ round, process, writer, call int }

// contested is the process in the IDs that all processes want.
const contested = 0xffff

// id returns the ID of the n-th entry of an act: all that is to be known of it can be read
// there.
func (a act) id(n int) string {
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a.round, a.process, a.writer, n, a.call)
}

// parseAct is the inverse of id.
func parseAct(id string) (a act, n int, err error) {
	_, err = fmt.Sscanf(id, "%08x-%04x-%04x-%04x-%012x", &a.round, &a.process, &a.writer, &n, &a.call)
	return a, n, err
}

func (a act) tenant() audit.Tenant { return crashTenants()[a.writer%2] }

// entries of an act: one to four, of one tenant.
func (a act) entries() []audit.Entry {
	out := make([]audit.Entry, 1+a.call%4)
	for n := range out {
		out[n] = entry(a.call, of(a.tenant()), func(e *audit.Event) { e.ID = a.id(n) })
	}
	return out
}

// erases reports whether the first entry of an act is erased once it is acknowledged.
func (a act) erases() bool { return a.call%7 == 3 }

// claim is the entry with which a process wants a contested ID.
func (a act) claim(process int) audit.Entry {
	a.process = contested
	return entry(a.call, func(e *audit.Event) {
		e.ID = a.id(0)
		e.Detail = map[string]string{"process": fmt.Sprint(process)}
	})
}

// prey is a process that waits to be killed.
type prey struct {
	store          audit.Store
	round, process int
	mu             sync.Mutex
}

// victim works until it is killed. It never returns.
func victim(t testing.TB, o CrashOptions, task string) {
	p := &prey{}
	var address string
	if _, err := fmt.Sscanf(task, "%d %d", &p.round, &p.process); err != nil {
		t.Fatal(err)
	}
	address = task[len(fmt.Sprint(p.round, " ", p.process, " ")):]
	p.store = o.Open(t, address)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3) // whoever wanted to kill it is gone
	}()
	ctx := context.Background()
	for writer := range 4 {
		go p.forever(func(call int) error { return p.write(ctx, act{p.round, p.process, writer, call}) })
	}
	for range 2 {
		go p.forever(func(int) error {
			_, err := p.store.Sequence(ctx, 1+rand.N(40))
			return err
		})
	}
	go p.forever(func(call int) error { return p.contest(ctx, act{round: p.round, call: call}) })
	p.forever(func(int) error { return p.look(ctx) })
}

// forever calls f again and again. The breaks let the others in where an engine has one lock
// for all who write; what fails all the same, because they were quicker, is tried again.
func (p *prey) forever(f func(n int) error) {
	failing := time.Time{}
	for n := 0; ; {
		time.Sleep(rand.N(3 * time.Millisecond))
		err := f(n)
		switch {
		case err == nil:
			failing = time.Time{}
			n++
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > giveUp:
			p.report(reportFailed, fmt.Sprintf("%q", err.Error()))
			os.Exit(3)
		}
	}
}

// giveUp is how long a call may fail.
const giveUp = 50 * time.Second

// report writes one line in one piece.
func (p *prey) report(what string, values ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(os.Stdout, what+fmt.Sprintln(values...))
}

func (p *prey) write(ctx context.Context, a act) error {
	batch := a.entries()
	if err := add(ctx, p.store, batch...); err != nil {
		return err
	}
	p.report(reportAppended, a.writer, a.call)
	if !a.erases() {
		return nil
	}
	if err := p.store.Erase(ctx, batch[0].Tenant, ids(batch[:1])); err != nil {
		return err
	}
	p.report(reportErased, a.writer, a.call)
	return nil
}

// contest wants an ID that the other processes want as well.
func (p *prey) contest(ctx context.Context, a act) error {
	err := p.store.Append(ctx, []audit.Entry{a.claim(p.process)})
	switch {
	case errors.Is(err, audit.ErrConflict):
		return nil
	case err != nil:
		return err
	}
	p.report(reportWon, a.call)
	return nil
}

// look reports the places of the newest events.
func (p *prey) look(ctx context.Context) error {
	n := rand.N(2)
	list, err := page(ctx, p.store, audit.Filter{Tenant: crashTenants()[n]}, audit.Newest, 20)
	if err != nil {
		return err
	}
	for _, e := range list {
		p.report(reportPlace, n, e.ID, e.Index)
	}
	return nil
}
