// Package purgetest proves stores for package purge: TestStore runs every rule of the contract of
// purge.Store.
//
//	func TestStore(t *testing.T) {
//		purgetest.TestStore(t, func(t testing.TB) purge.Store { return open(t) })
//	}
package purgetest
