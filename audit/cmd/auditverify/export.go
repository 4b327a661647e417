package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/wardkit/wardkit/audit/export"
)

func verifyExport(args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("export", flag.ContinueOnError)
	var keys export.Keys
	f.StringVar(&keys.Log, "log-key", "", "")
	f.StringVar(&keys.Export, "export-key", "", "")
	manifest := f.String("manifest", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if keys.Log == "" || keys.Export == "" || *manifest == "" || f.NArg() != 1 {
		return fmt.Errorf("%w: -log-key, -export-key, -manifest and one file are needed", errUsage)
	}
	if err := errors.Join(checkKey("-log-key", keys.Log), checkKey("-export-key", keys.Export)); err != nil {
		return err
	}
	signed, err := os.ReadFile(*manifest)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	file, err := os.Open(f.Arg(0))
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	b := newBar(errs, "bytes")
	v, err := export.Verify(file, signed, keys, func(read int64) { b.draw(read, info.Size()) })
	b.end()
	if err != nil {
		return err
	}
	m := v.Manifest
	fmt.Fprintf(out, "whole: %d events of %q, exported %s\n", m.Count, m.Tenant, m.Made.Format("2006-01-02 15:04:05 MST"))
	if m.Purged > 0 {
		fmt.Fprintf(out, "%d more were purged; of these the export has %s\n", m.Purged, purgedText(v.Whole))
	}
	if v.Whole {
		fmt.Fprintf(out, "these are all events from %d to %d, proven by the lines themselves\n", m.From, m.To-1)
	} else {
		fmt.Fprintln(out, "that none was left out is what the exporter has signed; the events do not prove it here")
	}
	fmt.Fprintf(out, "\nthe checkpoint that covers them:\n\n%s", m.Checkpoint)
	return nil
}

// purgedText says what an export has of events that were purged.
func purgedText(whole bool) string {
	if whole {
		return "the hashes, and the purge that names them; how old they were only the database proves"
	}
	return "nothing"
}
