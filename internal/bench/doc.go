// Package bench measures wardkit as a host uses it, whole requests rather than single calls,
// and beside its peers. It is a module of its own, so that peers and routers never enter
// wardkit's go.mod, and CI only compiles it. docs/benchmarks.md has the results.
//
//	cd internal/bench && go test -run '^$' -bench . -benchmem
package bench
