package redact_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/redact"
)

func ExampleScrub() {
	note := "Mrs. Ruiz (Ana) called from 212-555-0142; her sister Beth drives. Seen 3/14/2024."
	own := redact.NewKnown(redact.Identifier{Class: phi.ClassName, Value: "Ana Ruiz"})
	clean, err := redact.Scrub(context.Background(), note, redact.Rules{}, own)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(clean.Text)
	fmt.Println(clean.Counts)
	// Output:
	// Mrs. [name] ([name]) called from [phone]; her sister Beth drives. Seen [date].
	// map[date:1 name:2 phone:1]
}

func ExampleNewLogHandler() {
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	net := redact.NewLogHandler(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: drop}), nil)
	slog.New(net).Error("no patient with 078-05-1120", "asked", "ana@example.com")
	fmt.Println(net.Hits(), "to correct")
	// Output:
	// level=ERROR msg="no patient with [phi:ssn]" asked=[phi:email]
	// 2 to correct
}
