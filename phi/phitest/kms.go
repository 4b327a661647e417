package phitest

import (
	"context"
	"sync"

	"github.com/wardkit/wardkit/phi"
)

// KMS is a phi.KMS in memory that counts its calls, can be told to fail, and whose key can be
// rotated.
type KMS struct {
	mu    sync.Mutex
	keys  []phi.RingKMS // the current one first
	calls int
	err   error
}

// NewKMS returns a KMS with a random key.
func NewKMS() *KMS { return &KMS{keys: []phi.RingKMS{phi.NewMemoryKMS()}} }

// Rotate gives the KMS a new key, under which it wraps from now on. The old ones still unwrap.
func (k *KMS) Rotate() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append([]phi.RingKMS{phi.NewMemoryKMS()}, k.keys...)
}

// Retire makes the KMS forget every key but the current one.
func (k *KMS) Retire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = k.keys[:1]
}

// Fail makes every further call return err, or work again where err is nil.
func (k *KMS) Fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// Calls returns how often Wrap, Unwrap and Rewrap were called.
func (k *KMS) Calls() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls
}

func (k *KMS) call() (*phi.Ring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	if k.err != nil {
		return nil, k.err
	}
	return phi.NewRing(k.keys[0], k.keys[1:]...)
}

// Wrap encrypts key, bound to c.
func (k *KMS) Wrap(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
	ring, err := k.call()
	if err != nil {
		return nil, err
	}
	return ring.Wrap(ctx, key, c)
}

// Unwrap decrypts what Wrap returned.
func (k *KMS) Unwrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	ring, err := k.call()
	if err != nil {
		return nil, err
	}
	return ring.Unwrap(ctx, wrapped, c)
}

// Rewrap returns the key wrapped under the current key, as it is if it is already.
func (k *KMS) Rewrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	ring, err := k.call()
	if err != nil {
		return nil, err
	}
	return ring.Rewrap(ctx, wrapped, c)
}
