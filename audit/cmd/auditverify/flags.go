package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// flags parses arguments; what it cannot read is errUsage.
func parse(f *flag.FlagSet, args []string) error {
	f.SetOutput(io.Discard)
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}

// bar draws how far something has come, where somebody looks on.
type bar struct {
	out   io.Writer
	what  string
	shown time.Time
}

// newBar returns a bar that draws on a terminal and nowhere else.
func newBar(out io.Writer, what string) *bar {
	f, ok := out.(*os.File)
	if !ok {
		return &bar{what: what}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &bar{what: what}
	}
	return &bar{out: out, what: what}
}

const barWidth = 40

// draw draws done of many, ten times a second at most.
func (b *bar) draw(done, many int64) {
	if b.out == nil || many <= 0 || time.Since(b.shown) < 100*time.Millisecond {
		return
	}
	b.shown = time.Now()
	full := int(barWidth * min(done, many) / many)
	fmt.Fprintf(b.out, "\r[%-*s] %3d %%  %d of %d %s ", barWidth, stripes(full), 100*min(done, many)/many, done, many, b.what)
}

func stripes(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '='
	}
	return string(b)
}

// end takes the bar away.
func (b *bar) end() {
	if b.out != nil && !b.shown.IsZero() {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
