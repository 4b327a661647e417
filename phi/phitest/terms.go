package phitest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
)

// TestTerms proves that the term stores that open returns keep the contract of phi.TermStore.
// Every call of open returns a store of its own, empty.
func TestTerms(t *testing.T, open func(t testing.TB) phi.TermStore) {
	conform.Test(t, termRules(), open)
}

// CheckTerms is TestTerms outside a test: it returns every rule that was broken, nil if none.
func CheckTerms(ctx context.Context, open func() (phi.TermStore, error)) error {
	return conform.Check(ctx, termRules(), open)
}

func termRules() []conform.Rule[phi.TermStore] {
	return []conform.Rule[phi.TermStore]{
		{
			Name:   "lookup_finds_every_row_once",
			Clause: "Lookup returns the ids of the rows that match, each once, in ascending order; none: an empty list and no error",
			Run:    termsFound,
		},
		{
			Name:   "save_replaces",
			Clause: "SaveTerms replaces the terms of the row by these",
			Run:    termsReplaced,
		},
		{
			Name:   "save_twice_changes_nothing",
			Clause: "Repeating it changes nothing",
			Run:    termsIdempotent,
		},
		{
			Name:   "a_unique_term_is_held_once",
			Clause: "A unique term that another row holds: *DuplicateError",
			Run:    termsUnique,
		},
		{
			Name:   "a_duplicate_changes_nothing",
			Clause: "A unique term that another row holds: … nothing changes",
			Run:    termsAllOrNothing,
		},
		{
			Name:   "of_several_at_once_one_holds_it",
			Clause: "Twice at once for two rows: exactly one gets it",
			Run:    termsRace,
		},
		{
			Name:   "one_row_at_once",
			Clause: "Twice at once for one row: the terms are those of one of the calls",
			Run:    termsRowRace,
		},
		{
			Name:   "tenants_are_apart",
			Clause: "Unique, found, replaced and deleted within the tenant",
			Run:    termsTenants,
		},
		{
			Name:   "entities_and_fields_are_apart",
			Clause: "Unique and found within the entity and the field",
			Run:    termsPlaces,
		},
		{
			Name:   "delete_removes_the_row",
			Clause: "DeleteTerms removes every term of the row. Not there: no error",
			Run:    termsDeleted,
		},
		{
			Name:   "incomplete_terms_are_refused",
			Clause: "Terms without tenant, entity, row or field, or of another length: ErrBinding",
			Run:    termsIncomplete,
		},
		{
			Name:   "terms_are_copies",
			Clause: "What is given is the caller's own",
			Run:    termsCopied,
		},
		{
			Name:   "cancelled_means_an_error",
			Clause: "Cancelled half-way: all or nothing, and the call is an error",
			Run:    termsCancelled,
		},
	}
}

const (
	clinic audit.Tenant = "clinic-1"
	other  audit.Tenant = "clinic-2"
)

// value makes a term of the right length out of a word.
func value(word string) []byte {
	sum := sha256.Sum256([]byte(word))
	return append([]byte{1}, sum[:16]...)
}

func phone(word string) phi.Term { return phi.Term{Field: "phone", Value: value(word)} }
func email(word string) phi.Term { return phi.Term{Field: "email", Unique: true, Value: value(word)} }
func mrn(word string) phi.Term   { return phi.Term{Field: "mrn", Unique: true, Value: value(word)} }

func row(id string, terms ...phi.Term) phi.Terms {
	return phi.Terms{Entity: "patient", Row: id, List: terms}
}

func save(ctx context.Context, s phi.TermStore, t audit.Tenant, rows ...phi.Terms) error {
	for _, r := range rows {
		if err := s.SaveTerms(ctx, t, r); err != nil {
			return fmt.Errorf("saving the terms of %s: %w", r.Row, err)
		}
	}
	return nil
}

// find expects the rows that hold term.
func find(ctx context.Context, s phi.TermStore, t audit.Tenant, term phi.Term, want ...string) error {
	return ask(ctx, s, t, phi.Query{Entity: "patient", Field: term.Field, Unique: term.Unique, Terms: [][]byte{term.Value}}, want...)
}

func ask(ctx context.Context, s phi.TermStore, t audit.Tenant, q phi.Query, want ...string) error {
	got, err := s.Lookup(ctx, t, q)
	if err != nil {
		return fmt.Errorf("looking up: %w", err)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("looking up %s: have rows %q, want %q", q.Field, got, want)
	}
	return nil
}

func duplicate(err error, field string) error {
	var d *phi.DuplicateError
	if !errors.As(err, &d) || !errors.Is(err, phi.ErrDuplicate) || d.Field != field {
		return fmt.Errorf("have %v, want a DuplicateError of %s", err, field)
	}
	return nil
}

func termsFound(ctx context.Context, s phi.TermStore) error {
	err := save(ctx, s, clinic,
		row("p-2", phone("1"), email("b")), row("P-10", phone("1"), email("c")),
		row("p-1", phone("2"), email("a")), row("é'1\"%_", phone("1")))
	if err != nil {
		return err
	}
	both := phi.Query{Entity: "patient", Field: "phone", Terms: [][]byte{value("1"), value("2"), value("3")}}
	mails := phi.Query{Entity: "patient", Field: "email", Unique: true, Terms: [][]byte{value("c"), value("a")}}
	return errors.Join(
		find(ctx, s, clinic, phone("1"), "P-10", "p-2", "é'1\"%_"),
		find(ctx, s, clinic, email("a"), "p-1"),
		find(ctx, s, clinic, phone("3")),
		find(ctx, s, clinic, email("d")),
		ask(ctx, s, clinic, both, "P-10", "p-1", "p-2", "é'1\"%_"),
		ask(ctx, s, clinic, mails, "P-10", "p-1"),
		ask(ctx, s, clinic, phi.Query{Entity: "patient", Field: "phone"}),
	)
}

func termsReplaced(ctx context.Context, s phi.TermStore) error {
	err := save(ctx, s, clinic, row("p-1", phone("1"), email("a")), row("p-1", phone("2"), email("b")), row("p-2", email("a")))
	if err != nil {
		return err
	}
	if err := errors.Join(find(ctx, s, clinic, phone("1")), find(ctx, s, clinic, phone("2"), "p-1"),
		find(ctx, s, clinic, email("a"), "p-2"), find(ctx, s, clinic, email("b"), "p-1")); err != nil {
		return err
	}
	if err := save(ctx, s, clinic, row("p-1")); err != nil {
		return err
	}
	return errors.Join(find(ctx, s, clinic, phone("2")), find(ctx, s, clinic, email("b")), find(ctx, s, clinic, email("a"), "p-2"))
}

func termsIdempotent(ctx context.Context, s phi.TermStore) error {
	same := row("p-1", phone("1"), email("a"), mrn("x"))
	if err := save(ctx, s, clinic, same, same, same); err != nil {
		return err
	}
	return errors.Join(find(ctx, s, clinic, phone("1"), "p-1"), find(ctx, s, clinic, email("a"), "p-1"), find(ctx, s, clinic, mrn("x"), "p-1"))
}

func termsUnique(ctx context.Context, s phi.TermStore) error {
	if err := save(ctx, s, clinic, row("p-1", email("a"), mrn("x"))); err != nil {
		return err
	}
	return errors.Join(
		duplicate(s.SaveTerms(ctx, clinic, row("p-2", email("a"))), "email"),
		duplicate(s.SaveTerms(ctx, clinic, row("p-3", email("b"), mrn("x"))), "mrn"),
		find(ctx, s, clinic, email("a"), "p-1"),
	)
}

func termsAllOrNothing(ctx context.Context, s phi.TermStore) error {
	err := save(ctx, s, clinic, row("p-1", email("x")), row("p-2", phone("1"), email("a"), mrn("y")))
	if err != nil {
		return err
	}
	if err := s.SaveTerms(ctx, clinic, row("p-2", phone("2"), email("x"), mrn("z"))); err == nil {
		return errors.New("a duplicate was saved")
	}
	return errors.Join(
		find(ctx, s, clinic, phone("1"), "p-2"), find(ctx, s, clinic, phone("2")),
		find(ctx, s, clinic, email("a"), "p-2"), find(ctx, s, clinic, email("x"), "p-1"),
		find(ctx, s, clinic, mrn("y"), "p-2"), find(ctx, s, clinic, mrn("z")),
	)
}

func termsRace(ctx context.Context, s phi.TermStore) error {
	const writers = 4 * racers
	winner := ""
	for i, err := range race(writers, func(i int) error {
		return s.SaveTerms(ctx, clinic, row(fmt.Sprintf("p-%02d", i), phone("1"), email("a")))
	}) {
		switch {
		case err == nil && winner != "":
			return errors.New("two of several at once hold a unique term")
		case err == nil:
			winner = fmt.Sprintf("p-%02d", i)
		default:
			if err := duplicate(err, "email"); err != nil {
				return err
			}
		}
	}
	return errors.Join(find(ctx, s, clinic, email("a"), winner), find(ctx, s, clinic, phone("1"), winner))
}

func termsRowRace(ctx context.Context, s phi.TermStore) error {
	for _, err := range race(racers, func(i int) error {
		return s.SaveTerms(ctx, clinic, row("p-1", phone(fmt.Sprint(i)), email(fmt.Sprint(i))))
	}) {
		if err != nil {
			return err
		}
	}
	left := 0
	for i := range racers {
		p := find(ctx, s, clinic, phone(fmt.Sprint(i)), "p-1") == nil
		e := find(ctx, s, clinic, email(fmt.Sprint(i)), "p-1") == nil
		if p != e {
			return errors.New("the terms of two calls are mixed")
		}
		if p {
			left++
		}
	}
	if left != 1 {
		return fmt.Errorf("the terms of %d calls are left, want 1", left)
	}
	return nil
}

func termsTenants(ctx context.Context, s phi.TermStore) error {
	err := errors.Join(save(ctx, s, clinic, row("p-1", phone("1"), email("a"))),
		save(ctx, s, other, row("p-1", phone("1")), row("p-9", phone("1"), email("a"))))
	if err != nil {
		return err
	}
	if err := s.DeleteTerms(ctx, clinic, "patient", "p-9"); err != nil {
		return err
	}
	if err := save(ctx, s, clinic, row("p-1", phone("2"))); err != nil {
		return err
	}
	return errors.Join(find(ctx, s, clinic, phone("1")), find(ctx, s, clinic, email("a")),
		find(ctx, s, other, phone("1"), "p-1", "p-9"), find(ctx, s, other, email("a"), "p-9"))
}

func termsPlaces(ctx context.Context, s phi.TermStore) error {
	staff := phi.Terms{Entity: "staff", Row: "p-1", List: []phi.Term{email("a")}}
	if err := save(ctx, s, clinic, row("p-1", email("a"), phone("1")), row("p-2", mrn("a")), staff); err != nil {
		return err
	}
	if err := save(ctx, s, clinic, row("p-1", phone("1"))); err != nil {
		return err
	}
	return errors.Join(
		find(ctx, s, clinic, mrn("a"), "p-2"),
		find(ctx, s, clinic, email("a")),
		find(ctx, s, clinic, phone("a")),
		ask(ctx, s, clinic, phi.Query{Entity: "staff", Field: "email", Unique: true, Terms: [][]byte{value("a")}}, "p-1"),
	)
}

func termsDeleted(ctx context.Context, s phi.TermStore) error {
	if err := save(ctx, s, clinic, row("p-1", phone("1"), email("a")), row("p-2", phone("1"))); err != nil {
		return err
	}
	for range 2 {
		if err := s.DeleteTerms(ctx, clinic, "patient", "p-1"); err != nil {
			return fmt.Errorf("deleting: %w", err)
		}
	}
	if err := errors.Join(find(ctx, s, clinic, phone("1"), "p-2"), find(ctx, s, clinic, email("a"))); err != nil {
		return err
	}
	return save(ctx, s, clinic, row("p-2", email("a")))
}

func termsIncomplete(ctx context.Context, s phi.TermStore) error {
	cases := []phi.Terms{
		{Row: "p-1"},
		{Entity: "patient"},
		row("p\x00"), row("\xff"),
		row("p-1", phi.Term{Value: value("1")}), row("p-1", phi.Term{Field: "phone", Value: []byte{1}}),
	}
	for i, terms := range cases {
		if err := s.SaveTerms(ctx, clinic, terms); !errors.Is(err, phi.ErrBinding) {
			return fmt.Errorf("case %d: have %v, want ErrBinding", i, err)
		}
	}
	if err := s.SaveTerms(ctx, "", row("p-1")); !errors.Is(err, phi.ErrBinding) {
		return fmt.Errorf("no tenant: have %v, want ErrBinding", err)
	}
	return nil
}

func termsCopied(ctx context.Context, s phi.TermStore) error {
	r := row("p-1", phone("1"))
	if err := save(ctx, s, clinic, r); err != nil {
		return err
	}
	r.List[0].Value[5] ^= 1
	return find(ctx, s, clinic, phone("1"), "p-1")
}

func termsCancelled(ctx context.Context, s phi.TermStore) error {
	if err := save(ctx, s, clinic, row("p-1", phone("1"))); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.SaveTerms(gone, clinic, row("p-1", phone("2"))); err == nil {
		return errors.New("SaveTerms succeeded though it was cancelled")
	}
	if err := s.DeleteTerms(gone, clinic, "patient", "p-1"); err == nil {
		return errors.New("DeleteTerms succeeded though it was cancelled")
	}
	if _, err := s.Lookup(gone, clinic, phi.Query{Entity: "patient", Field: "phone", Terms: [][]byte{value("1")}}); err == nil {
		return errors.New("lookup succeeded though it was cancelled")
	}
	return find(ctx, s, clinic, phone("1"), "p-1")
}
