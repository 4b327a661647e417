package phi_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// notes is a recorder that keeps events and can fail.
type notes struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (n *notes) Record(_ context.Context, events ...audit.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	n.events = append(n.events, events...)
	return nil
}

func (n *notes) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

// request is the context of a handler that was let through with these levels.
func request(t *testing.T, rec audit.Recorder, levels map[phi.Class]phi.Level) (context.Context, *audit.Trail) {
	t.Helper()
	ctx := audit.WithActor(t.Context(), audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: clinic})
	ctx, trail := audit.WithTrail(ctx, rec, audit.Event{})
	require.NoError(t, audit.Decide(ctx, audit.Event{Action: "patient.read", Verb: audit.Read}))
	return phi.WithSight(ctx, phi.NewSight(levels)), trail
}

type record struct {
	ID    string   `phi:",row,patient"`
	Name  phi.Text `phi:"name,class=name"`
	Email phi.Text `phi:"email,class=email"`
	SSN   phi.Text `phi:"ssn,class=ssn"`
	Note  phi.Text `phi:"note,class=clinical"`
}

func openedRecord(t *testing.T) *record {
	t.Helper()
	c, err := phi.For[record](newVault(t), "patient")
	require.NoError(t, err)
	return reopen(t, c, &record{
		ID: "p-1", Name: phi.NewText("Jane Doe"), Email: phi.NewText("jane@example.com"),
		SSN: phi.NewText("987-65-4321"), Note: phi.NewText("sleeps badly"),
	})
}

// reopen seals p and opens it again.
func reopen[T any](t testing.TB, c *phi.Codec[T], p *T) *T {
	t.Helper()
	rec, err := c.Seal(t.Context(), clinic, p)
	require.NoError(t, err)
	out, err := c.Open(t.Context(), clinic, rowOf(c, rec))
	require.NoError(t, err)
	return out
}

func rowOf[T any](c *phi.Codec[T], rec *phi.Record) phi.Row {
	row := phi.Row{ID: rec.Terms().Row, Cols: map[string]phi.Sealed{}}
	for _, f := range c.Fields() {
		row.Cols[f] = rec.Col(f)
	}
	return row
}

func TestRevealNeedsASight(t *testing.T) {
	t.Parallel()
	p := openedRecord(t)
	_, err := p.Name.Reveal(t.Context())
	require.ErrorIs(t, err, phi.ErrNoSight)
	_, err = p.Name.View(t.Context())
	require.ErrorIs(t, err, phi.ErrNoSight)
	require.Equal(t, phi.Hide, p.Name.Level(t.Context()))

	for _, level := range []phi.Level{phi.Hide, phi.Mask, phi.Partial} {
		rec := &notes{}
		ctx, trail := request(t, rec, map[phi.Class]phi.Level{phi.ClassName: level, phi.ClassEmail: phi.Full})
		_, err = p.Name.Reveal(ctx)
		require.ErrorIs(t, err, phi.ErrNotAllowed, level)
		require.NoError(t, trail.Flush(ctx))
		require.Empty(t, rec.events[0].Objects, "what was refused was not seen")
	}
}

// Each field that is revealed, and no other, is in the request's event, once.
func TestRevealRecords(t *testing.T) {
	t.Parallel()
	p, rec := openedRecord(t), &notes{}
	ctx, trail := request(t, rec, map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassEmail: phi.Full, phi.ClassSSN: phi.Partial})
	for range 3 {
		s, err := p.Name.Reveal(ctx)
		require.NoError(t, err)
		require.Equal(t, "Jane Doe", s)
	}
	s, err := p.Email.View(ctx)
	require.NoError(t, err)
	require.Equal(t, "jane@example.com", s)
	s, err = p.SSN.View(ctx)
	require.NoError(t, err)
	require.Equal(t, "•••-••-4321", s)
	s, err = p.Note.View(ctx)
	require.NoError(t, err)
	require.Equal(t, phi.Hidden, s)

	require.NoError(t, trail.Flush(ctx))
	require.Len(t, rec.events, 1)
	require.Equal(t, []audit.Patient{"p-1"}, rec.events[0].Patients)
	require.Equal(t, []audit.Object{{Type: "patient", ID: "p-1", Fields: []string{"email", "name", "ssn:partial"}}}, rec.events[0].Objects)
}

// What cannot be recorded is not handed out.
func TestRevealUnrecorded(t *testing.T) {
	t.Parallel()
	p := openedRecord(t)
	full := phi.NewSight(map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassSSN: phi.Partial})
	down := errors.New("audit is down")

	noTrail := phi.WithSight(t.Context(), full)
	undecided, _ := audit.WithTrail(noTrail, &notes{}, audit.Event{})
	late, trail := request(t, &notes{err: down}, nil)
	trail.Return()
	late = phi.WithSight(late, full)
	for want, ctx := range map[error]context.Context{audit.ErrNoTrail: noTrail, audit.ErrUndecided: undecided, down: late} {
		for _, see := range []func(context.Context) (string, error){p.Name.Reveal, p.Name.View, p.SSN.View} {
			s, err := see(ctx)
			require.ErrorIs(t, err, phi.ErrUnrecorded)
			require.ErrorIs(t, err, want)
			require.Empty(t, s)
		}
	}
}

// An actor of one tenant reveals nothing of another: the event would be in the wrong log.
func TestRevealForeignTenant(t *testing.T) {
	t.Parallel()
	p := openedRecord(t)
	ctx, _ := request(t, &notes{}, map[phi.Class]phi.Level{phi.ClassName: phi.Full})
	ctx = audit.WithActor(ctx, audit.Actor{ID: "u-2", Kind: audit.KindStaff, Tenant: "clinic-2"})
	_, err := p.Name.Reveal(ctx)
	require.ErrorIs(t, err, phi.ErrNotAllowed)
	_, err = p.Name.View(ctx)
	require.ErrorIs(t, err, phi.ErrNotAllowed)
}

func TestLooseText(t *testing.T) {
	t.Parallel()
	text := phi.NewText("Jane Doe")
	require.Equal(t, phi.Unclassified, text.Class())
	ctx, _ := request(t, &notes{}, map[phi.Class]phi.Level{phi.ClassName: phi.Full})
	_, err := text.Reveal(ctx)
	require.ErrorIs(t, err, phi.ErrNotAllowed)
	ctx, _ = request(t, &notes{}, map[phi.Class]phi.Level{phi.Unclassified: phi.Full})
	s, err := text.Reveal(ctx)
	require.NoError(t, err)
	require.Equal(t, "Jane Doe", s)
}

func TestNoValue(t *testing.T) {
	t.Parallel()
	var text phi.Text
	for _, see := range []func(context.Context) (string, error){text.Reveal, text.View} {
		s, err := see(t.Context())
		require.NoError(t, err, "there is nothing to protect")
		require.Empty(t, s)
	}
	require.Empty(t, text.Mask())
	require.Equal(t, phi.Unclassified, text.Class())
}

func TestMasksAndExcerpts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		class      phi.Class
		value      string
		mask, part string
	}{
		{phi.ClassName, "Jane Doe", "••••", "J. D."},
		{phi.ClassName, "élise o’brien-garcía", "••••", "É. O."},
		{phi.ClassName, "  ", "••••", "••••"},
		{phi.ClassName, "1234", "••••", "••••"},
		{phi.ClassDate, "1984-02-29", "••••-••-••", "1984"},
		{phi.ClassDate, "29.02.1984", "••••-••-••", "••••-••-••"},
		{phi.ClassPhone, "(555) 555-0123", "•••-•••-••••", "•••-•••-0123"},
		{phi.ClassPhone, "555-0123", "•••-•••-••••", "•••-•••-••••"},
		{phi.ClassFax, "+1 555 555 0199", "•••-•••-••••", "•••-•••-0199"},
		{phi.ClassEmail, "jane@example.com", "•••@•••", "•••@example.com"},
		{phi.ClassEmail, "@example.com", "•••@•••", "•••@•••"},
		{phi.ClassEmail, "jane@", "•••@•••", "•••@•••"},
		{phi.ClassEmail, "jane", "•••@•••", "•••@•••"},
		{phi.ClassSSN, "987-65-4321", "•••-••-••••", "•••-••-4321"},
		{phi.ClassSSN, "4321", "•••-••-••••", "•••-••-••••"},
		{phi.ClassMRN, "A-100-2003", "••••", "••••2003"},
		{phi.ClassMRN, "A-7", "••••", "••••"},
		{phi.ClassAccount, "00001111222", "••••", "••••1222"},
		{phi.ClassGeography, "12 Elm Street", "••••", "••••"},
		{phi.ClassClinical, "sleeps badly", "••••", "••••"},
		{phi.Unclassified, "anything at all", "••••", "••••"},
	} {
		require.Equal(t, tc.mask, phi.MaskOf(tc.class), tc.value)
		require.Equal(t, tc.part, phi.ExcerptOf(tc.class, tc.value), tc.value)
	}
	p := openedRecord(t)
	require.Equal(t, "••••", p.Name.Mask())
	require.Equal(t, "•••-••-••••", p.SSN.Mask())
	require.Equal(t, "•••@•••", p.Email.Mask())
	require.Equal(t, phi.ClassEmail, p.Email.Class())
}

// An excerpt never shows more than half of what counts, whatever the value.
func FuzzExcerpt(f *testing.F) {
	f.Add("987-65-4321")
	f.Add("jane@example.com")
	f.Add("日本 日本")
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range phi.Classes() {
			part := phi.ExcerptOf(c, s)
			require.NotEmpty(t, part)
			if len(s) > 4 && c != phi.ClassEmail {
				require.NotContains(t, part, s)
			}
		}
	})
}

func TestMaskNeedsNothing(t *testing.T) {
	t.Parallel()
	ctx := phi.WithSight(t.Context(), phi.NewSight(map[phi.Class]phi.Level{phi.ClassSSN: phi.Mask}))
	s, err := openedRecord(t).SSN.View(ctx)
	require.NoError(t, err, "no trail: nothing was seen")
	require.Equal(t, "•••-••-••••", s)
}

func TestSight(t *testing.T) {
	t.Parallel()
	levels := map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassSSN: phi.Partial, phi.ClassPhone: phi.Hide, phi.ClassFax: 77}
	s := phi.NewSight(levels)
	levels[phi.ClassClinical] = phi.Full
	require.Equal(t, phi.Full, s.Level(phi.ClassName))
	require.Equal(t, phi.Partial, s.Level(phi.ClassSSN))
	require.Equal(t, phi.Hide, s.Level(phi.ClassFax), "no such level")
	require.Equal(t, phi.Hide, s.Level(phi.ClassClinical), "a copy")
	require.Equal(t, phi.Hide, phi.Sight{}.Level(phi.ClassName))

	require.Len(t, s.Digest(), 64)
	require.Equal(t, s.Digest(), phi.NewSight(map[phi.Class]phi.Level{phi.ClassSSN: phi.Partial, phi.ClassName: phi.Full}).Digest())
	require.NotEqual(t, s.Digest(), phi.Sight{}.Digest())
	require.NotEqual(t, s.Digest(), phi.NewSight(map[phi.Class]phi.Level{phi.ClassName: phi.Full}).Digest())
	require.Equal(t, []string{"hide", "mask", "partial", "full", "hide"},
		[]string{phi.Hide.String(), phi.Mask.String(), phi.Partial.String(), phi.Full.String(), phi.Level(9).String()})

	_, ok := phi.SightFrom(t.Context())
	require.False(t, ok)
	got, ok := phi.SightFrom(phi.WithSight(t.Context(), s))
	require.True(t, ok)
	require.Equal(t, s.Digest(), got.Digest())
}

func TestInsecureFullSight(t *testing.T) {
	t.Parallel()
	p, rec := openedRecord(t), &notes{}
	base := audit.WithActor(t.Context(), audit.System(clinic, "reminders"))
	ctx, err := phi.InsecureFullSight(base, rec, "appointment reminders")
	require.NoError(t, err)
	require.Len(t, rec.events, 1, "durable before the job sees anything")
	require.Equal(t, phi.ActionInsecureFullSight, rec.events[0].Action)
	require.Equal(t, clinic, rec.events[0].Tenant)
	why, ok := rec.events[0].Why.Reveal()
	require.True(t, ok)
	require.Equal(t, "appointment reminders", why)

	_, err = p.Note.Reveal(ctx)
	require.NoError(t, err)
	require.Len(t, rec.events, 2, "each reveal waits for its own record")
	require.Equal(t, []audit.Object{{Type: "patient", ID: "p-1", Fields: []string{"note"}}}, rec.events[1].Objects)

	rec.fail(errors.New("audit is down"))
	_, err = p.SSN.Reveal(ctx)
	require.ErrorIs(t, err, phi.ErrUnrecorded)
	_, err = phi.InsecureFullSight(base, rec, "again")
	require.Error(t, err)
}

func TestInsecureFullSightRefuses(t *testing.T) {
	t.Parallel()
	base := audit.WithActor(t.Context(), audit.System(clinic, "reminders"))
	_, err := phi.InsecureFullSight(base, &notes{}, "")
	require.Error(t, err)
	_, err = phi.InsecureFullSight(base, nil, "why")
	require.Error(t, err)
	_, err = phi.InsecureFullSight(t.Context(), &notes{}, "why")
	require.ErrorIs(t, err, audit.ErrNoActor)
}

// Many goroutines reveal fields of one row at once.
func TestRevealConcurrently(t *testing.T) {
	t.Parallel()
	p, rec := openedRecord(t), &notes{}
	ctx, trail := request(t, rec, map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassClinical: phi.Full})
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() {
			text := p.Name
			if i%2 == 0 {
				text = p.Note
			}
			_, errs[i] = text.Reveal(ctx)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.NoError(t, trail.Flush(ctx))
	require.Equal(t, []string{"name", "note"}, rec.events[0].Objects[0].Fields)
}
