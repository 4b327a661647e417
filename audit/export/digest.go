package export

import "crypto/sha256"

// block is how many bytes are written and hashed at a time.
const block = 64 << 10

// digest hashes what is written to it in a goroutine of its own: hashing a line costs as much as
// encoding it. It has its own copy of each block, so a sink that changes what it is given changes
// nothing that is signed.
type digest struct {
	full, empty chan []byte
	ended       chan [sha256.Size]byte
}

// newDigest begins one. Its goroutine ends with end, which has to be called.
func newDigest() *digest {
	d := &digest{full: make(chan []byte, 1), empty: make(chan []byte, 2), ended: make(chan [sha256.Size]byte)}
	for range cap(d.empty) {
		d.empty <- make([]byte, 0, block)
	}
	go d.run()
	return d
}

func (d *digest) run() {
	h := sha256.New()
	for b := range d.full {
		h.Write(b)
		d.empty <- b
	}
	d.ended <- [sha256.Size]byte(h.Sum(nil))
}

// Write implements io.Writer. It never fails.
func (d *digest) Write(b []byte) (int, error) {
	d.full <- append((<-d.empty)[:0], b...)
	return len(b), nil
}

// end returns the hash of all that was written.
func (d *digest) end() [sha256.Size]byte {
	close(d.full)
	return <-d.ended
}
