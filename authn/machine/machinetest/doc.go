// Package machinetest proves stores for package machine. A store of a host's own is proven in one
// line:
//
//	func TestStore(t *testing.T) { machinetest.TestStore(t, open) }
//
// where open returns an empty store. Check does the same outside of a test.
package machinetest
