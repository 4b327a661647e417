package authn

// Memory is a Store in memory, for tests and demonstrations.
type Memory struct{}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{} }
