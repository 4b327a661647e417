package phi_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// member is a row with an index of every shape.
type member struct {
	ID     string   `phi:",row,patient"`
	Family phi.Text `phi:"family,class=name"`
	Born   phi.Date `phi:"born,class=date"`
	Phone  phi.Text `phi:"phone,class=phone"`
	Email  phi.Text `phi:"email,class=email"`
	SSN    phi.Text `phi:"ssn,class=ssn"`
}

func members(t testing.TB, v *phi.Vault) *phi.Codec[member] {
	t.Helper()
	c, err := phi.For[member](v, "member",
		phi.WithIndex("phone", phi.Phone("US")),
		phi.WithUnique("email", phi.Email()),
		phi.WithLast("ssn", phi.SSN(), 4),
		phi.WithPrefix("family", phi.Name(), 3, 6),
		phi.WithCompound("family_born", phi.Part{Field: "family", Normaliser: phi.Name()}, phi.Part{Field: "born", Normaliser: phi.CivilDate()}),
		phi.WithUniqueCompound("ssn_born", phi.Part{Field: "ssn", Normaliser: phi.SSN(), Last: 4}, phi.Part{Field: "born", Normaliser: phi.CivilDate()}),
	)
	require.NoError(t, err)
	return c
}

func newMember(i int) *member {
	born, err := phi.NewDate(phi.DayOf(time.Date(1980, 1, 1+i, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		panic(err)
	}
	return &member{
		ID: fmt.Sprintf("m-%03d", i), Family: phi.NewText(fmt.Sprintf("Featherstone-%03d", i)), Born: born,
		Phone: phi.NewText(fmt.Sprintf("555-555-%04d", i)), Email: phi.NewText(fmt.Sprintf("m%d@example.com", i)),
		SSN: phi.NewText(fmt.Sprintf("98765%04d", i)),
	}
}

// roster is a host: sealed rows in one place, their terms in another.
type roster struct {
	t     testing.TB
	terms phi.IndexStore
	log   *keyLog

	mu   sync.Mutex
	rows map[string]*member
}

func newRoster(t testing.TB, terms phi.IndexStore) *roster {
	return &roster{t: t, terms: terms, log: &keyLog{}, rows: map[string]*member{}}
}

// save writes a row as a server with vault v does.
func (h *roster) save(v *phi.Vault, m *member) error { return h.saveIn(h.terms, v, m) }

func (h *roster) saveIn(store phi.TermStore, v *phi.Vault, m *member) error {
	terms, err := members(h.t, v).Terms(context.Background(), clinic, m)
	if err != nil {
		return err
	}
	if err := store.SaveTerms(context.Background(), clinic, terms); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows[m.ID] = m
	return nil
}

func (h *roster) page(v *phi.Vault, size int) func(context.Context, audit.Tenant, string) ([]phi.Terms, string, error) {
	codec := members(h.t, v)
	return func(ctx context.Context, tenant audit.Tenant, cursor string) (page []phi.Terms, next string, err error) {
		h.mu.Lock()
		var ids []string
		for id := range h.rows {
			if id > cursor {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		var rows []*member
		for _, id := range ids[:min(size, len(ids))] {
			rows, next = append(rows, h.rows[id]), id
		}
		if len(ids) <= size {
			next = ""
		}
		h.mu.Unlock()
		for _, m := range rows {
			terms, err := codec.Terms(ctx, tenant, m)
			if err != nil {
				return nil, "", err
			}
			page = append(page, terms)
		}
		return page, next, nil
	}
}

func (h *roster) rotator(v *phi.Vault, o phi.RotatorOptions) *phi.Rotator {
	if o.Terms == nil {
		o.Terms = h.terms
	}
	o.Rows = []phi.IndexRows{{Entity: "member", Page: h.page(v, 3)}}
	if o.Batch == 0 {
		o.Batch = 2
	}
	if o.Settle == 0 {
		o.Settle = -1
	}
	if o.Patience == 0 {
		o.Patience = -1
	}
	r, err := phi.NewRotator(v, h.log, platform, &o)
	require.NoError(h.t, err)
	return r
}

// found returns the rows that a server with vault v finds.
func (h *roster) found(v *phi.Vault, index string, values ...string) []string {
	q, err := members(h.t, v).Lookup(context.Background(), clinic, index, values...)
	require.NoError(h.t, err)
	ids, err := h.terms.Lookup(context.Background(), clinic, q)
	require.NoError(h.t, err)
	return ids
}

// complete checks that v finds every row by every index.
func (h *roster) complete(v *phi.Vault) {
	h.t.Helper()
	for i := range len(h.rows) {
		id, born := fmt.Sprintf("m-%03d", i), time.Date(1980, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		require.Equal(h.t, []string{id}, h.found(v, "phone", fmt.Sprintf("(555) 555-%04d", i)))
		require.Equal(h.t, []string{id}, h.found(v, "email", fmt.Sprintf("M%d@example.com", i)))
		require.Equal(h.t, []string{id}, h.found(v, "ssn.last4", fmt.Sprintf("%04d", i)))
		require.Equal(h.t, []string{id}, h.found(v, "family_born", fmt.Sprintf("FEATHERSTONE %03d", i), born))
		require.Equal(h.t, []string{id}, h.found(v, "ssn_born", fmt.Sprintf("%04d", i), born))
	}
	require.Len(h.t, h.found(v, "family.prefix", "Feath"), len(h.rows))
}

func TestRotateIndex(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	v := w.vault(t)
	for i := range 7 {
		require.NoError(t, h.save(v, newMember(i)))
	}
	before, err := v.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	h.complete(v)
	for epoch := byte(2); epoch <= 4; epoch++ {
		job, err := h.rotator(v, phi.RotatorOptions{}).Rotate(t.Context(), phi.RotateIndex, clinic)
		require.NoError(t, err)
		require.False(t, job.Finished.IsZero())
		require.Equal(t, []int{7, 7, 0}, []int{job.Done, job.Total, job.Failed})
		require.Equal(t, phi.PhaseRetire, job.Phase)
		require.Equal(t, uint32(epoch), job.Target)
		h.complete(v)
		h.complete(w.vault(t))
		q, err := members(t, v).Lookup(t.Context(), clinic, "phone", "555-555-0001")
		require.NoError(t, err)
		require.Len(t, q.Terms, 1)
		require.Equal(t, epoch, q.Terms[0][0])
		old, err := h.terms.DropTerms(t.Context(), clinic, epoch, 1)
		require.NoError(t, err)
		require.Zero(t, old, "no term of an older epoch is left")
	}
	after, err := v.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	require.NotEqual(t, before[1:], after[1:])
	require.Equal(t, []string{"begun", "advanced", "advanced", "finished"}, h.log.phases()[:4])
	require.Equal(t, "dual", h.log.events[1].Detail["roots"])
	require.Equal(t, "retire", h.log.events[2].Detail["roots"])
	for _, e := range h.log.events {
		require.Equal(t, clinic, e.Tenant)
		require.Equal(t, audit.ActionKeyRotated, e.Action)
		require.Equal(t, "index", e.Detail["kind"])
	}
}

// The lasting term is that of the first root, whatever rotations do, in this process and the next.
func TestLastingTerm(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	v := w.vault(t)
	first, err := v.LastingTerm(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	now, err := v.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	require.Equal(t, now, first)
	for range 3 {
		_, err := h.rotator(v, phi.RotatorOptions{}).Rotate(t.Context(), phi.RotateIndex, clinic)
		require.NoError(t, err)
		for _, v := range []*phi.Vault{v, v, w.vault(t)} {
			term, err := v.LastingTerm(t.Context(), clinic, "i", "x")
			require.NoError(t, err)
			require.Equal(t, first, term)
			term, err = v.Term(t.Context(), clinic, "i", "x")
			require.NoError(t, err)
			require.NotEqual(t, first[1:], term[1:])
		}
	}
	empty, err := v.LastingTerm(t.Context(), clinic, "i", "")
	require.NoError(t, err)
	require.Nil(t, empty)
	_, err = v.LastingTerm(t.Context(), "", "i", "x")
	require.ErrorIs(t, err, phi.ErrBinding)
	other, err := v.LastingTerm(t.Context(), "another", "i", "x")
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.vault(t).LastingTerm(gone, clinic, "i", "x")
	require.ErrorIs(t, err, phi.ErrUnavailable)
}
