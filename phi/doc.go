// Package phi keeps protected health information sealed: encrypted field by field before it
// reaches a database, bound to the place it belongs to, found by blind indexes, and revealed
// only to whom a decision allows it, after the access is on record.
//
// It protects against a stolen dump, backup, replica or log; against somebody who can write
// to the database and moves or alters values; and against the program's own slips, such as
// logging a struct. It does not protect against somebody who runs code in the program, or who
// holds both the database and the key-encryption key.
//
//	type Patient struct {
//		ID    string   `phi:",row,patient"`
//		Name  phi.Text `phi:"name,class=name"`
//		Phone phi.Text `phi:"phone,class=phone"`
//	}
//
//	vault, err := phi.Open(ctx, "acme-ehr", kms, keys, nil)
//	patients, err := phi.For[Patient](vault, "patient", phi.WithIndex("phone", phi.Phone("US")))
//	rec, err := patients.Seal(ctx, tenant, &p) // rec.Args() into INSERT, rec.Terms() into phisql
//	p, err := patients.Open(ctx, tenant, row)  // row from SELECT, see Codec.Dest
//	name, err := p.Name.Reveal(ctx)            // a Sight and a Trail in ctx, or an error
//
// # Values
//
// A [Text], [Date] or [Number] is a plaintext in memory. It cannot be printed, logged,
// marshalled or given to SQL: everything shows "[PHI]". The ways out are [Text.Reveal] and
// [Text.View], which ask the context's [Sight] and add the field to the request's audit event
// before they return; [Codec.View] is the second for a whole row. Package deid exports rows without
// what identifies people.
//
// A [Sealed] is a value at rest: the only type here that goes into a column. It opens at one
// place only, see [At]. Moved to another tenant, patient, row or field, or changed in any bit,
// it is an error. An older value of the same place, put back, is not noticed, nor is a value
// that was set to NULL.
//
// Files are no values: [Vault.SealStream] and [Vault.UnsealStream] seal them for a place in the
// same way, in constant memory.
//
// # Keys
//
// A [KMS] holds the key-encryption key and wraps two random roots for each tenant: one for
// data, one for indexes. The data root wraps a random key for each patient, which can be
// erased, and derives the keys of values that belong to no patient. Wrapped keys are in a
// [KeyStore]. What is sealed names its key, and only that key is tried. [KeyFile] is a KMS for
// development and small installations, package vaulttransit one over HashiCorp Vault, and a
// [Ring] replaces one KMS by another.
//
// # Rotation
//
// Every key can be replaced while the application runs:
//
//	rotator, err := phi.NewRotator(vault, log, "platform", nil)
//	job, err := rotator.Rotate(ctx, phi.RotateKEK, "")               // the KMS has a new key
//	job, err = rotator.Rotate(ctx, phi.RotateRoot, "clinic-1")       // a tenant's root
//	job, err = rotator.Rotate(ctx, phi.RotatePatients, "clinic-1")   // and its patients' keys
//	job, err = rotator.Sweep(ctx, "clinic-1", "patient", rows, step) // rows, sealed anew
//	job, err = rotator.Rotate(ctx, phi.RotateIndex, "clinic-1")      // the index root, and all terms
//
// How far it came is in the key store; after a crash the same call goes on from there. Old keys
// stay, so nothing is unreadable in between. Re-wrapping a key does not help against somebody
// who has a copy of it: then its patients need new keys, and their rows to be sealed anew with
// [Codec.Reseal], their files with [Vault.ResealStream].
//
// A host whose columns are still in clear goes through the [Stage]s.
//
// # Shredding
//
// A [Shredder] makes one patient's data unreadable in every copy: it destroys the patient's keys, and
// a journal that lies apart from the database keeps them destroyed when a backup is put back.
//
// # Indexes
//
// A row is found by whole values ([WithIndex], [WithUnique]), by endings ([WithLast]), by what
// they begin with ([WithPrefix]), by several at once ([WithCompound]) and, without showing how often a
// value occurs, by frequent values and words ([WithSpread], [WithWords]); each says what it shows to
// somebody who has the database, and [Histogram] measures it. [RotatorOptions] says what rotating them takes.
//
// # What the host still does
//
// It decides who sees what: rbac puts the Sight into the context, jobs call
// [InsecureFullSight]. It keeps the key-encryption key, and the key store's backups, away from
// the data's. It seals before it begins a write transaction on the database that holds the
// keys. It indexes only what is nearly unique, or spreads it, because equal values of a tenant
// have equal terms. It makes row ids itself, before INSERT, and does not reuse them. It keeps core dumps
// and swap off disks that others read: Go cannot promise that a plaintext is gone from memory.
//
// # Compatibility
//
// The sealed formats, the derivation of keys and terms, and the built-in normalisers at their
// version are final: every later release reads what this one wrote, and a changed normaliser
// is a new version beside the old. Names in tags, entities and the namespace are part of what
// values are bound to; renaming one makes existing values unreadable under the new name. The
// Go API may change until v1, with an entry in the changelog.
package phi
