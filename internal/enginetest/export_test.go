package enginetest

// WithSearchPath is withSearchPath.
func WithSearchPath(address, schema string) string { return withSearchPath(address, schema) }
