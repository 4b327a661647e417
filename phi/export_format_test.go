package phi

// SkipTo makes the next chunk that w seals the n-th.
func (w *StreamWriter) SkipTo(n uint64) { w.chunks.next = n }

// SkipTo makes the next chunk that r opens the n-th.
func (r *StreamReader) SkipTo(n uint64) { r.chunks.next = n }

// Sizes of a stream.
const (
	ChunkSize   = chunkSize
	ChunkSealed = chunkSealed
)

// OpenGCM opens nonce ‖ ciphertext ‖ tag.
func OpenGCM(key, sealed, aad []byte) ([]byte, error) { return newGCM(key).Open(nil, nil, sealed, aad) }

// SealGCM returns nonce ‖ ciphertext ‖ tag.
func SealGCM(key, plaintext, aad []byte) []byte { return newGCM(key).Seal(nil, nil, plaintext, aad) }
