//go:build !race

package audit_test

// raceDetector: it allocates on its own account, so allocations cannot be counted.
const raceDetector = false
