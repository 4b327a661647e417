package sqlkit

// AtLeast is atLeast, which compares version numbers.
func AtLeast(want, have string) bool { return atLeast(want)(have) }
