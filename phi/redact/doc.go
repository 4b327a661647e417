// Package redact takes identifiers out of text: out of notes before somebody reads them who need not
// know whose they are, and out of logs, where they have no business at all.
//
//	clean, err := redact.Scrub(ctx, note, redact.Rules{}, redact.NewKnown(
//		redact.Identifier{Class: phi.ClassName, Value: name}, redact.Identifier{Class: phi.ClassPhone, Value: phone}))
//	logger := slog.New(redact.NewLogHandler(handler, &redact.LogOptions{OnHit: alarm}))
//	redact.CheckLog(t, output, planted...) // in a host's test
//
// Rules recognise what has a form: check digits, structures, labels. Known finds one person's own
// names, numbers and addresses, which the record has, also with a slip of the keyboard. Anything else is a
// Detector of the host's own, such as a language model.
//
// # What it cannot do
//
// It makes no de-identified data in the sense of 45 CFR 164.514(b)(2). A name that is not the
// patient's own, and that nothing announces, stays; so does a story that only one person can have
// lived. On the generated notes of this package's tests, which are as tidy as their author, the
// patient's own identifiers and everything with a form are removed, and of other names those alone that
// a title or a label announces.
// Somebody has to read what is left.
//
// LogHandler knows no names at all. It is a net under a log that holds no PHI because values of
// package phi cannot be printed; each hit is a mistake in the program, and counted.
//
// # What the host must still do
//
//   - decide who may have scrubbed text, and keep the original sealed (package phi);
//   - alarm on LogHandler.Hits, find the line that logged, and correct it;
//   - run CheckLog or ScanLog over its logs with what its tests planted.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. What is recognised gets more
// with every release: a scrubbed text is not a stored format.
package redact
