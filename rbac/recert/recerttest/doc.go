// Package recerttest proves stores of recertification campaigns. It protects against a store that
// loses a decision, mixes up tenants or lets two servers write at once. A store of your own adopts the
// suite in one line:
//
//	recerttest.TestStore(t, func(t testing.TB) recert.Store { return openYours(t) })
//
// What the host must still do: prove that a write survives a crash of its database, which no suite can
// make happen. Rules are added with minor releases, each for a sentence of the contract of recert.Store.
package recerttest
