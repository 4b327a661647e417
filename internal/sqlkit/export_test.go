package sqlkit

// AtLeast is atLeast, which compares version numbers.
func AtLeast(want, have string) bool { return atLeast(want)(have) }

// Remembered is how many rewritten statements d keeps.
func (d *DB) Remembered() int { return len(d.rebound.text) }

// Kept is how many statements d keeps prepared.
func (d *DB) Kept() int {
	if d.kept == nil {
		return 0
	}
	return len(d.kept.stmts)
}
