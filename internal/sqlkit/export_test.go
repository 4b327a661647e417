package sqlkit

// AtLeast is atLeast, which compares version numbers.
func AtLeast(want, have string) bool { return atLeast(want)(have) }

// Remembered is how many rewritten statements d keeps.
func (d *DB) Remembered() int { return len(d.rebound.text) }
