package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// actionRenewalOrdered is a renewal of keys that somebody at the server's own console asked for.
const actionRenewalOrdered audit.Action = "keys.renewal_ordered"

// renewKeys is the command -rotate: it renews all keys, or finishes the renewal that was left,
// and tells on the way how far it is. The clinic may run beside it.
func renewKeys(ctx context.Context, c config, logger *slog.Logger, stdout io.Writer) error {
	if _, err := os.Stat(c.keyFile()); errors.Is(err, fs.ErrNotExist) {
		return errors.New("-rotate: there is no clinic in -data yet")
	}
	if c.baseURL == "" {
		c.baseURL = "http://localhost" // no link is made here
	}
	a, err := open(ctx, c, logger)
	if err != nil {
		return err
	}
	defer a.close()
	ctx = audit.WithActor(ctx, audit.System(tenant, "command"))
	if err := a.finishShreds(ctx); err != nil {
		return err
	}
	err = a.log.Record(ctx, audit.Event{
		Tenant: tenant, Action: actionRenewalOrdered, Verb: audit.Update, Why: audit.NewPrivate(c.why),
		Objects: []audit.Object{{Type: "keys", ID: "all"}},
	})
	if err != nil {
		return err
	}
	r, err := newRenewals(a, teller(stdout))
	if err != nil {
		return err
	}
	if err := r.finish(ctx); err != nil {
		return fmt.Errorf("-rotate: not finished; give the same command again to go on: %w", err)
	}
	fmt.Fprintln(stdout, "All keys are renewed.")
	return nil
}

// teller prints a line for every percent that a renewal comes further.
func teller(stdout io.Writer) func(phi.Rotation) {
	last := ""
	return func(job phi.Rotation) {
		what, total := "keys", max(job.Total, job.Done)
		switch job.Kind {
		case phi.RotateRows:
			what = "rows of " + job.Name
		case phi.RotateIndex:
			what = "index"
		}
		if line := fmt.Sprintf("%s: %d%%", what, 100*job.Done/max(total, 1)); line != last && total > 0 {
			fmt.Fprintf(stdout, "%s, %s of %s\n", line, thousands(job.Done), thousands(total))
			last = line
		}
	}
}
