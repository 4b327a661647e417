// Package deid exports rows without what identifies people, by the Safe Harbor method of
// 45 CFR 164.514(b)(2): identifiers are left out, dates are cut to the year, ages over 89 become
// "90+", ZIP codes are cut to three digits or, where few people live, to "000".
//
//	x, err := deid.New(patients, deid.Rules{
//		"name": deid.Drop(), "phone": deid.Drop(), "birth": deid.Year(), "zip": deid.ZIP3(),
//		"score": deid.Keep(), "note": deid.Drop(), "Created": deid.Drop(),
//	}, log, nil)
//	report, err := x.Export(ctx, deid.CSV(file), "research, protocol 7", rows)
//
// It protects against a field that was forgotten: every field of the row's type has a class and a
// rule that fits it, or New refuses, so that a column which comes with a later release stops the
// export until somebody has decided about it. A value that is not of the form its rule needs is left
// out. Text that people typed is never kept, only codes from a list. Each row gets a random number that is derived from nothing and kept nowhere
// (164.514(c)), and rows leave in random order among those that wait with them, 256 or more in a longer export.
//
// The export is recorded before its first row, and who is in a batch before the batch is written;
// what cannot be recorded does not leave.
//
// # What the host must still do
//
//   - Let rbac decide who may export, with a step-up, and send the file to nobody else. The actor in
//     the context is recorded; the Sight in it does not count, because what leaves is less.
//   - Have no actual knowledge that the rest could identify somebody, 164.514(b)(2)(ii): a rare
//     diagnosis in a small town does, whatever the columns are called. Nothing here promises k-anonymity.
//   - Look at Prefixes: the rule asks for current Census data, and the list that comes with this package is of
//     the Census of 2000, the one that HHS published. Options.Prefixes takes a newer one.
//   - Discard a file whose Export returned an error: it is not whole.
//   - Keep rules with the export: Report and events have their digest.
//
// # Compatibility
//
// Version 0: the Go API may change with a changelog entry. Names of actions, of details in events and
// of rules do not. Files are for people and their tools, and are no stored format.
package deid
