package sessionredis

// Encode and Decode are the stored form of a session.
var (
	Encode = encode
	Decode = decode
)
