package tail_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/ocsf"
	"github.com/wardkit/wardkit/audit/tail"
)

// A feed sends what is recorded already, and goes on where it was.
func Example() {
	events := audit.NewMemory()
	log, err := audit.New(events, audit.DropOpenings{}, nil)
	if err != nil {
		panic(err)
	}
	var siem bytes.Buffer // a connection, a file
	feed, err := tail.New(events, tail.NewMemory(), &tail.Lines{W: &siem, Encoder: ocsf.Events{}}, "siem", log, nil)
	if err != nil {
		panic(err)
	}
	ctx := audit.WithActor(context.Background(), audit.Actor{ID: "p-ada", Kind: audit.KindStaff, Tenant: "clinic-17"})
	for range 3 {
		_ = log.Record(ctx, audit.Event{Action: "note.read", Verb: audit.Read})
	}
	_, _ = events.Sequence(ctx, 100) // Log.Run does so
	sent, err := feed.Step(ctx)      // Tail.Run does so
	fmt.Println(sent, "events,", bytes.Count(siem.Bytes(), []byte("\n")), "lines", err)
	again, err := feed.Step(ctx)
	fmt.Println(again, "more", err)
	// Output:
	// 3 events, 3 lines <nil>
	// 0 more <nil>
}
