// Command auditverify checks an audit log, or an export of one, without trusting whoever keeps it.
// It needs a verifier key, which is no secret, and, to notice that a log was put back to a backup
// or written anew, one old checkpoint. Its -h says the rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
)

// The exit statuses.
const (
	exitWhole     = 0
	exitTampered  = 1
	exitUsage     = 2
	exitUncertain = 3
)

const usage = `auditverify checks an audit log without trusting whoever keeps it.

An export (what you were sent: a file of JSON Lines, CSV or FHIR, and its
manifest):

    auditverify export -log-key KEY -export-key KEY -manifest FILE FILE

A database, reading only:

    auditverify database -log-key KEY [-checkpoint FILE] [-mode full|incremental|sampled]
        [-state FILE] [-samples N] -sqlite FILE | -postgres URL

KEY is the verifier key that the operator of the log publishes, such as
"clinic.example.com/audit+1a2b3c4d+AbC…"; it is no secret. A checkpoint is the short
text that a log gives out now and then:

    clinic.example.com/audit
    1234
    0Zu…=

    — clinic.example.com/audit Gi…

Keep one outside the database. Only with an old checkpoint it can be noticed that a
database was put back to a backup, or that its whole history was written anew. A file
with many of them, as the log's own file of checkpoints is, counts as its last one.

  -mode full         reads every event and compares it with all that was ever signed
  -mode incremental  what came since the last time; needs -state, where it keeps how
                     far it has come. Interrupted, it goes on from there
  -mode sampled      -samples events drawn at random (1000); for every hour, beside a
                     full run every week

A purge destroys events that need not be kept any longer, six years at least. Their
hashes stay, so that everything else can be proven as before, and an event in the log
says which were destroyed and which two people agreed to it. Such events are counted
as purged. Where events are missing and no purge covers them, or signed heads do not
prove that they were old enough, that is a finding. An export holds the hashes and
the purges, but not the proof of the age: ask the database for that.

The exit status is 0 if everything is whole, 1 if something was changed, removed or
forged, which a wrong KEY cannot be told from, 2 for a mistake on the command line, 3 if
it could not be found out.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the command without a process.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var err error
	switch {
	case len(args) == 0:
		fmt.Fprint(errs, usage)
		return exitUsage
	case asked(args[0]), len(args) > 1 && asked(args[1]):
		fmt.Fprint(out, usage)
		return exitWhole
	case args[0] == "export":
		err = verifyExport(args[1:], out, errs)
	case args[0] == "database":
		err = verifyDatabase(ctx, args[1:], out, errs)
	default:
		err = fmt.Errorf("%w: %q is neither export nor database", errUsage, args[0])
	}
	if err == nil {
		return exitWhole
	}
	fmt.Fprintln(errs, "auditverify:", err)
	return status(err)
}

// asked reports whether an argument asks for help.
func asked(arg string) bool { return slices.Contains([]string{"-h", "-help", "--help", "help"}, arg) }

var errUsage = errors.New("see auditverify -h")

// checkKey tells a key that was mistyped from one that did not sign.
func checkKey(flag, key string) error {
	if _, err := note.NewVerifier(key); err != nil {
		return fmt.Errorf("%w: %s is not a verifier key, such as \"clinic.example.com/audit+1a2b3c4d+AbC…\"", errUsage, flag)
	}
	return nil
}

// status is the exit status for an error.
func status(err error) int {
	for _, tampered := range []error{tlog.ErrTampered, tlog.ErrProof, tlog.ErrCheckpoint, export.ErrContent, export.ErrManifest} {
		if errors.Is(err, tampered) {
			return exitTampered
		}
	}
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitUncertain
}
