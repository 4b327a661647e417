//go:build !race

package phi_test

// raceDetector: pools drop what is put into them at random, so allocations cannot be counted.
const raceDetector = false
