package phitest

import (
	"context"
	"sync"

	"github.com/wardkit/wardkit/phi"
)

// KMS is a phi.KMS in memory that counts its calls and can be told to fail.
type KMS struct {
	inner *phi.MemoryKMS

	mu    sync.Mutex
	calls int
	err   error
}

// NewKMS returns a KMS with a random key.
func NewKMS() *KMS { return &KMS{inner: phi.NewMemoryKMS()} }

// Fail makes every further call return err, or work again where err is nil.
func (k *KMS) Fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// Calls returns how often Wrap and Unwrap were called.
func (k *KMS) Calls() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls
}

func (k *KMS) call() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	return k.err
}

// Wrap encrypts key, bound to c.
func (k *KMS) Wrap(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
	if err := k.call(); err != nil {
		return nil, err
	}
	return k.inner.Wrap(ctx, key, c)
}

// Unwrap decrypts what Wrap returned.
func (k *KMS) Unwrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	if err := k.call(); err != nil {
		return nil, err
	}
	return k.inner.Unwrap(ctx, wrapped, c)
}
