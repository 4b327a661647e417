package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// wreck is what killed processes left behind: a database, and what they had reported.
type wreck struct {
	address  string
	seen     *history
	appended map[act]bool
	erased   map[act]bool
	won      map[act]int // by contested ID, the process
	placed   int         // how many places were reported
}

func newWreck(address string) *wreck {
	return &wreck{address: address, seen: newHistory(), appended: map[act]bool{}, erased: map[act]bool{}, won: map[act]int{}}
}

// String says how much was tried.
func (w *wreck) String() string {
	return fmt.Sprintf("%d acknowledged calls, %d erasures, %d contested IDs, %d places seen", len(w.appended), len(w.erased), len(w.won), w.placed)
}

// report takes in what one process wrote. Lines that are not ours are the test binary's.
func (w *wreck) report(round, process int, lines []string) error {
	for _, line := range lines {
		a := act{round: round, process: process}
		switch {
		case cut(&line, reportAppended):
			if _, err := fmt.Sscan(line, &a.writer, &a.call); err != nil {
				return err
			}
			w.appended[a] = true
		case cut(&line, reportErased):
			if _, err := fmt.Sscan(line, &a.writer, &a.call); err != nil {
				return err
			}
			w.erased[a] = true
		case cut(&line, reportWon):
			if err := w.win(act{round: round}, process, line); err != nil {
				return err
			}
		case cut(&line, reportPlace):
			if err := w.place(line); err != nil {
				return err
			}
		case cut(&line, reportFailed):
			return fmt.Errorf("a process gave up: %s", line)
		}
	}
	return nil
}

func cut(line *string, prefix string) bool {
	rest, ok := strings.CutPrefix(*line, prefix)
	if ok {
		*line = rest
	}
	return ok
}

func (w *wreck) win(a act, process int, line string) error {
	if _, err := fmt.Sscan(line, &a.call); err != nil {
		return err
	}
	if _, ok := w.won[a]; ok {
		return errors.New("two processes were told that one ID holds their event")
	}
	w.won[a] = process
	return nil
}

func (w *wreck) place(line string) error {
	var tenant int
	var id string
	var index int64
	if _, err := fmt.Sscan(line, &tenant, &id, &index); err != nil {
		return err
	}
	w.placed++
	return w.seen.saw(crashTenants()[tenant], id, index)
}

// examine compares the database with the reports, again if it has to: what a killed client
// had sent to a server may take effect while it is being looked at.
func (w *wreck) examine(ctx context.Context, s audit.Store) error {
	err := w.compare(ctx, s)
	for wait := time.Second; err != nil && wait < 8*time.Second; wait *= 2 {
		time.Sleep(wait)
		err = w.compare(ctx, s)
	}
	if err != nil {
		return err
	}
	return w.again(ctx, s)
}

func (w *wreck) compare(ctx context.Context, s audit.Store) error {
	if err := drain(ctx, s); err != nil {
		return err
	}
	there := map[act][]audit.Entry{}
	for _, t := range crashTenants() {
		list, err := w.seen.walk(ctx, s, audit.Filter{Tenant: t}, 1000)
		if err != nil {
			return err
		}
		for _, e := range list {
			a, _, err := parseAct(e.ID)
			if err != nil {
				return errors.New("an event is there that nobody appended")
			}
			there[a] = append(there[a], e)
		}
	}
	return first(w.whole(there), w.ordered(there), w.winners(there), w.forgotten(ctx, s, there))
}

// whole looks for acknowledged calls that are missing, and for calls that are there by half.
func (w *wreck) whole(there map[act][]audit.Entry) error {
	for a, got := range there {
		if a.process == contested {
			continue
		}
		want := a.entries()
		if len(got) != len(want) {
			return fmt.Errorf("a call of %d events is there with %d", len(want), len(got))
		}
		for _, e := range got {
			_, n, _ := parseAct(e.ID)
			if n >= len(want) || !bytes.Equal(e.Body, want[n].Body) {
				return errors.New("an event is not the one that was appended")
			}
		}
	}
	for a := range w.appended {
		if there[a] == nil {
			return errors.New("an event was acknowledged and is lost")
		}
	}
	return nil
}

// ordered compares the places of the calls that one writer made one after the other.
func (w *wreck) ordered(there map[act][]audit.Entry) error {
	for a, got := range there {
		next := a
		next.call++
		if a.process == contested || there[next] == nil {
			continue
		}
		for _, e := range got {
			for _, later := range there[next] {
				if later.Index < e.Index {
					return errors.New("an event has a lower place than one that was durable before it was appended")
				}
			}
		}
	}
	return nil
}

// winners compares contested IDs with who was told to have got them.
func (w *wreck) winners(there map[act][]audit.Entry) error {
	for a, process := range w.won {
		a.process = contested
		if got := there[a]; len(got) != 1 || !bytes.Equal(got[0].Body, a.claim(process).Body) {
			return errors.New("a contested ID does not hold the event that was acknowledged")
		}
	}
	return nil
}

// forgotten looks at openings: erased ones are gone, those that nobody asked to erase are not.
func (w *wreck) forgotten(ctx context.Context, s audit.Store, there map[act][]audit.Entry) error {
	for a := range w.erased {
		got, err := openings(ctx, s, a.entries()[0])
		if err != nil {
			return err
		}
		if len(got) > 0 {
			return errors.New("an erasure was acknowledged, and the openings are there")
		}
	}
	checked := 0
	for a := range there {
		if a.process == contested || a.erases() {
			continue
		}
		want := a.entries()[0]
		got, err := openings(ctx, s, want)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want.Openings) {
			return errors.New("openings are gone that nobody erased")
		}
		if checked++; checked == 50 {
			break
		}
	}
	return nil
}

// again contradicts and repeats acknowledged calls, as a client does that lost the answer.
func (w *wreck) again(ctx context.Context, s audit.Store) error {
	tried := 0
	for a := range w.appended {
		liar := entry(a.call, of(a.tenant()), func(e *audit.Event) { e.ID, e.Action = a.id(0), "patient.export" })
		if err := s.Append(ctx, []audit.Entry{liar}); !errors.Is(err, audit.ErrConflict) {
			return fmt.Errorf("another body under an acknowledged ID: got %v, want ErrConflict", err)
		}
		if err := add(ctx, s, a.entries()...); err != nil {
			return fmt.Errorf("an acknowledged call again: %w", err)
		}
		if tried++; tried == 50 {
			break
		}
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	for _, t := range crashTenants() { // an event that came again would be at two places
		if _, err := w.seen.walk(ctx, s, audit.Filter{Tenant: t}, 1000); err != nil {
			return err
		}
	}
	return nil
}
