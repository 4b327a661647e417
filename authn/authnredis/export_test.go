package authnredis

// Source is the script.
func Source() string { return source }
