package authn

// Argon2 are the parameters of Argon2id (RFC 9106, section 3.1).
type Argon2 struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8  // lanes
}

// DefaultArgon2 returns 19 MiB, 2 passes, 1 lane: the OWASP Password Storage Cheat Sheet's
// parameters with the least memory that it still ranks equal.
func DefaultArgon2() Argon2 { return Argon2{Memory: 19 * 1024, Time: 2, Threads: 1} }

// Bounds of what is accepted from a stored hash, so that a tampered row cannot make one
// sign-in take all memory or a minute.
const (
	maxMemory  = 1 << 20 // KiB, 1 GiB
	maxTime    = 64
	maxThreads = 64
)

func (a Argon2) valid() bool {
	return a.Threads >= 1 && a.Threads <= maxThreads && a.Time >= 1 && a.Time <= maxTime &&
		a.Memory >= 8*uint32(a.Threads) && a.Memory <= maxMemory
}
