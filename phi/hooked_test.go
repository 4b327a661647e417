package phi_test

import (
	"context"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// hooked is a key store that asks before each call and after it. An error before means that
// nothing happened, one after that it did and the answer was lost.
type hooked struct {
	phi.KeyStore
	before, after func(op string) error
}

func hook[T any](h *hooked, op string, f func() (T, error)) (result T, err error) {
	if h.before != nil {
		if err := h.before(op); err != nil {
			return result, err
		}
	}
	result, err = f()
	if h.after != nil {
		if lost := h.after(op); lost != nil {
			var none T
			return none, lost
		}
	}
	return result, err
}

func hook0(h *hooked, op string, f func() error) error {
	_, err := hook(h, op, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

func (h *hooked) Create(ctx context.Context, k phi.Key) error {
	return hook0(h, "create", func() error { return h.KeyStore.Create(ctx, k) })
}

func (h *hooked) Current(ctx context.Context, s phi.KeySlot) (phi.Key, error) {
	return hook(h, "current", func() (phi.Key, error) { return h.KeyStore.Current(ctx, s) })
}

func (h *hooked) Get(ctx context.Context, ids ...phi.KeyID) ([]phi.Key, error) {
	return hook(h, "get", func() ([]phi.Key, error) { return h.KeyStore.Get(ctx, ids...) })
}

func (h *hooked) List(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
	return hook(h, "list", func() ([]phi.Key, error) { return h.KeyStore.List(ctx, q) })
}

func (h *hooked) Count(ctx context.Context, q phi.KeyQuery) (int, error) {
	return hook(h, "count", func() (int, error) { return h.KeyStore.Count(ctx, q) })
}

func (h *hooked) Rewrap(ctx context.Context, swaps []phi.KeySwap) (int, error) {
	return hook(h, "rewrap", func() (int, error) { return h.KeyStore.Rewrap(ctx, swaps) })
}

func (h *hooked) BeginRotation(ctx context.Context, r phi.Rotation) error {
	return hook0(h, "begin", func() error { return h.KeyStore.BeginRotation(ctx, r) })
}

func (h *hooked) AdvanceRotation(ctx context.Context, r phi.Rotation) error {
	return hook0(h, "advance", func() error { return h.KeyStore.AdvanceRotation(ctx, r) })
}

func (h *hooked) Rotation(ctx context.Context, namespace, id string) (phi.Rotation, error) {
	return hook(h, "rotation", func() (phi.Rotation, error) { return h.KeyStore.Rotation(ctx, namespace, id) })
}

func (h *hooked) Rotations(ctx context.Context, q phi.RotationQuery) ([]phi.Rotation, error) {
	return hook(h, "rotations", func() ([]phi.Rotation, error) { return h.KeyStore.Rotations(ctx, q) })
}

// hookedKMS is the same for a KMS.
type hookedKMS struct {
	phi.KMS
	hooked
}

func (k *hookedKMS) Wrap(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
	return hook(&k.hooked, "kms.wrap", func() ([]byte, error) { return k.KMS.Wrap(ctx, key, c) })
}

func (k *hookedKMS) Unwrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	return hook(&k.hooked, "kms.unwrap", func() ([]byte, error) { return k.KMS.Unwrap(ctx, wrapped, c) })
}

func (k *hookedKMS) Rewrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	return hook(&k.hooked, "kms.rewrap", func() ([]byte, error) { return k.KMS.Rewrap(ctx, wrapped, c) })
}

// hookedTerms is the same for a term store.
type hookedTerms struct {
	phi.IndexStore
	hooked
}

func (h *hookedTerms) SaveTerms(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
	return hook0(&h.hooked, "terms.save", func() error { return h.IndexStore.SaveTerms(ctx, t, terms) })
}

func (h *hookedTerms) Lookup(ctx context.Context, t audit.Tenant, q phi.Query) ([]string, error) {
	return hook(&h.hooked, "terms.lookup", func() ([]string, error) { return h.IndexStore.Lookup(ctx, t, q) })
}

func (h *hookedTerms) RequireTerms(ctx context.Context, t audit.Tenant, floor, need byte) error {
	return hook0(&h.hooked, "terms.require", func() error { return h.IndexStore.RequireTerms(ctx, t, floor, need) })
}

func (h *hookedTerms) Reindex(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
	return hook(&h.hooked, "terms.reindex", func() (int, error) { return h.IndexStore.Reindex(ctx, t, epoch, rows) })
}

func (h *hookedTerms) Behind(ctx context.Context, t audit.Tenant, epoch byte) (map[string]int, error) {
	return hook(&h.hooked, "terms.behind", func() (map[string]int, error) { return h.IndexStore.Behind(ctx, t, epoch) })
}

func (h *hookedTerms) DropTerms(ctx context.Context, t audit.Tenant, below byte, limit int) (int, error) {
	return hook(&h.hooked, "terms.drop", func() (int, error) { return h.IndexStore.DropTerms(ctx, t, below, limit) })
}
