package phitest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
)

// TestKMS proves that the KMS that open returns keeps the contract of phi.KMS.
func TestKMS(t *testing.T, open func(t testing.TB) phi.KMS) {
	conform.Test(t, kmsRules(), open)
}

// CheckKMS is TestKMS outside a test: it returns every rule that was broken, nil if none.
func CheckKMS(ctx context.Context, open func() (phi.KMS, error)) error {
	return conform.Check(ctx, kmsRules(), open)
}

func kmsRules() []conform.Rule[phi.KMS] {
	return []conform.Rule[phi.KMS]{
		{
			Name:   "unwrap_returns_the_key",
			Clause: "Unwrap returns the key that Wrap was given, which the wrapped form does not show",
			Run:    kmsRoundTrip,
		},
		{
			Name:   "the_context_is_bound",
			Clause: "Unwrapping under another context fails, with ErrWrongKey",
			Run:    kmsContext,
		},
		{
			Name:   "altered_bytes_are_refused",
			Clause: "It returns ErrWrongKey where the bytes are not those of Wrap",
			Run:    kmsAltered,
		},
		{
			Name:   "rewrap_keeps_the_key",
			Clause: "Rewrap returns the same key, wrapped for the same context",
			Run:    kmsRewrap,
		},
		{
			Name:   "rewrap_refuses_what_unwrap_refuses",
			Clause: "Rewrap returns ErrWrongKey where the bytes or the context are not those of Wrap",
			Run:    kmsRewrapAltered,
		},
		{
			Name:   "cancelled_means_an_error",
			Clause: "A call whose context is done fails, and not with ErrWrongKey",
			Run:    kmsCancelled,
		},
	}
}

func kmsPlace() phi.KeyContext {
	return phi.KeyContext{Namespace: "app", Tenant: clinic, Purpose: phi.PurposeData, Epoch: 3}
}

func someKey() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}

func kmsRoundTrip(ctx context.Context, k phi.KMS) error {
	key := someKey()
	wrapped, err := k.Wrap(ctx, bytes.Clone(key), kmsPlace())
	if err != nil {
		return fmt.Errorf("wrapping: %w", err)
	}
	if bytes.Contains(wrapped, key) || bytes.Contains(wrapped, key[:8]) {
		return errors.New("the wrapped form shows the key")
	}
	got, err := k.Unwrap(ctx, wrapped, kmsPlace())
	if err != nil {
		return fmt.Errorf("unwrapping: %w", err)
	}
	if !bytes.Equal(got, key) {
		return errors.New("another key came back")
	}
	return nil
}

func kmsContext(ctx context.Context, k phi.KMS) error {
	wrapped, err := k.Wrap(ctx, someKey(), kmsPlace())
	if err != nil {
		return fmt.Errorf("wrapping: %w", err)
	}
	changes := map[string]func(*phi.KeyContext){
		"namespace": func(c *phi.KeyContext) { c.Namespace = "ap" },
		"tenant":    func(c *phi.KeyContext) { c.Tenant = other },
		"purpose":   func(c *phi.KeyContext) { c.Purpose = phi.PurposeIndex },
		"epoch":     func(c *phi.KeyContext) { c.Epoch++ },
		"borders":   func(c *phi.KeyContext) { c.Namespace, c.Tenant = c.Namespace+"c", c.Tenant[1:] },
	}
	for what, change := range changes {
		place := kmsPlace()
		change(&place)
		if _, err := k.Unwrap(ctx, wrapped, place); !errors.Is(err, phi.ErrWrongKey) {
			return fmt.Errorf("another %s: have %v, want ErrWrongKey", what, err)
		}
	}
	return nil
}

func kmsAltered(ctx context.Context, k phi.KMS) error {
	wrapped, err := k.Wrap(ctx, someKey(), kmsPlace())
	if err != nil {
		return fmt.Errorf("wrapping: %w", err)
	}
	bad := [][]byte{nil, {}, wrapped[:len(wrapped)-1], append(bytes.Clone(wrapped), 0)}
	for _, i := range []int{0, len(wrapped) / 2, len(wrapped) - 1} {
		b := bytes.Clone(wrapped)
		b[i] ^= 1
		bad = append(bad, b)
	}
	for i, b := range bad {
		if _, err := k.Unwrap(ctx, b, kmsPlace()); !errors.Is(err, phi.ErrWrongKey) {
			return fmt.Errorf("case %d: have %v, want ErrWrongKey", i, err)
		}
	}
	return nil
}

func kmsRewrap(ctx context.Context, k phi.KMS) error {
	key := someKey()
	wrapped, err := k.Wrap(ctx, bytes.Clone(key), kmsPlace())
	if err != nil {
		return fmt.Errorf("wrapping: %w", err)
	}
	for range 2 {
		given := bytes.Clone(wrapped)
		if wrapped, err = k.Rewrap(ctx, given, kmsPlace()); err != nil {
			return fmt.Errorf("re-wrapping: %w", err)
		}
		clear(given) // the result is no part of it
		got, err := k.Unwrap(ctx, wrapped, kmsPlace())
		if err != nil {
			return fmt.Errorf("unwrapping what was re-wrapped: %w", err)
		}
		if !bytes.Equal(got, key) {
			return errors.New("another key came back")
		}
	}
	return nil
}

func kmsRewrapAltered(ctx context.Context, k phi.KMS) error {
	wrapped, err := k.Wrap(ctx, someKey(), kmsPlace())
	if err != nil {
		return fmt.Errorf("wrapping: %w", err)
	}
	elsewhere := kmsPlace()
	elsewhere.Tenant = other
	if _, err := k.Rewrap(ctx, wrapped, elsewhere); !errors.Is(err, phi.ErrWrongKey) {
		return fmt.Errorf("another context: have %v, want ErrWrongKey", err)
	}
	for _, b := range [][]byte{nil, wrapped[:len(wrapped)-1], append(bytes.Clone(wrapped), 0)} {
		if _, err := k.Rewrap(ctx, b, kmsPlace()); !errors.Is(err, phi.ErrWrongKey) {
			return fmt.Errorf("altered bytes: have %v, want ErrWrongKey", err)
		}
	}
	return nil
}

func kmsCancelled(ctx context.Context, k phi.KMS) error {
	wrapped, err := k.Wrap(ctx, someKey(), kmsPlace())
	if err != nil {
		return fmt.Errorf("wrapping: %w", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := k.Wrap(gone, someKey(), kmsPlace()); err == nil || errors.Is(err, phi.ErrWrongKey) {
		return fmt.Errorf("wrapping though cancelled: %v", err)
	}
	if _, err := k.Unwrap(gone, wrapped, kmsPlace()); err == nil || errors.Is(err, phi.ErrWrongKey) {
		return fmt.Errorf("unwrapping though cancelled: %v", err)
	}
	if _, err := k.Rewrap(gone, wrapped, kmsPlace()); err == nil || errors.Is(err, phi.ErrWrongKey) {
		return fmt.Errorf("re-wrapping though cancelled: %v", err)
	}
	return nil
}
