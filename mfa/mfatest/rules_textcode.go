package mfatest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/mfa"
)

// tried is one TryText with what it must return and leave behind.
func tried(ctx context.Context, s mfa.Store, n mfa.Number, r mfa.Ref, code string, now time.Time, count int) error {
	have, err := s.TryText(ctx, r, code, 5, 100, now)
	if err != nil || have != count {
		return fmt.Errorf("a try counts to %d, want %d (%v)", have, count, err)
	}
	if count > 0 {
		n.Tries++
		n.Failures++
		n.Version++
	}
	return expectNumber(ctx, s, n)
}

func tryCounts(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	return first(err, tried(ctx, s, n, n.Ref(), "c-1", at(8), 3))
}

func tryCrowd(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	counts := make([]int, crowd())
	err = together(len(counts), func(i int) error {
		count, err := s.TryText(ctx, n.Ref(), "c-1", 6, 100, at(8))
		counts[i] = count
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(counts)
	if got := counts[len(counts)-6:]; !slices.Equal(got, []int{0, 3, 4, 5, 6, 7}) {
		return fmt.Errorf("a code of 6 tries, one of them used, counted to %v at once", got)
	}
	return nil
}

func tryFailures(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1")) // Failures 2
	if err != nil {
		return err
	}
	for _, want := range []int{3, 4, 0} {
		have, err := s.TryText(ctx, n.Ref(), "c-1", 50, 4, at(8))
		if err != nil || have != want {
			return fmt.Errorf("a try counts to %d, want %d (%v)", have, want, err)
		}
	}
	return nil
}

// strangers are the references and codes that are not those of the number n-1 of lin.
func strangers() map[mfa.Ref]string {
	return map[mfa.Ref]string{
		{Tenant: clinic, Person: lin, ID: "n-1"}:  "c-0",
		{Tenant: clinic, Person: lin, ID: "n-0"}:  "c-1",
		{Tenant: clinic, Person: diaz, ID: "n-1"}: "c-1",
		{Tenant: other, Person: lin, ID: "n-1"}:   "c-1",
	}
}

func tryOther(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	for r, code := range strangers() {
		if err := tried(ctx, s, n, r, code, at(8), 0); err != nil {
			return err
		}
	}
	return noNumber(ctx, s, clinic, diaz)
}

func tryExpired(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	return first(err, tried(ctx, s, n, n.Ref(), "c-1", n.Expires, 0))
}

func tryLocked(ctx context.Context, s mfa.Store) error {
	n := sampleNumber(clinic, lin, "n-1")
	n.Locked = at(3)
	n, err := putNumber(ctx, s, n)
	return first(err, tried(ctx, s, n, n.Ref(), "c-1", at(8), 0))
}

// staleNumber expects that write makes an update of the version before it a conflict.
func staleNumber(ctx context.Context, s mfa.Store, write func(mfa.Number) error) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	if err := write(n); err != nil {
		return err
	}
	c := updateNumber(n, func(n *mfa.Number) { n.Failures = 0 })
	return want("updating what was read before", s.ApplyNumber(ctx, c), mfa.ErrConflict)
}

func tryCounted(ctx context.Context, s mfa.Store) error {
	return staleNumber(ctx, s, func(n mfa.Number) error {
		_, err := s.TryText(ctx, n.Ref(), "c-1", 5, 100, at(8))
		return err
	})
}

func burnCounted(ctx context.Context, s mfa.Store) error {
	return staleNumber(ctx, s, func(n mfa.Number) error {
		_, err := s.BurnText(ctx, n.Ref(), "c-1", at(8))
		return err
	})
}

// burnt is one BurnText with what it must report and leave behind.
func burnt(ctx context.Context, s mfa.Store, n mfa.Number, r mfa.Ref, code string, ok bool) error {
	have, err := s.BurnText(ctx, r, code, at(8))
	if err != nil || have != ok {
		return fmt.Errorf("burning a code reports %v, want %v (%v)", have, ok, err)
	}
	if ok {
		n.Code, n.CodeID, n.Expires, n.Failures, n.Used = nil, "", time.Time{}, 0, at(8)
		n.Version++
	}
	return expectNumber(ctx, s, n)
}

func burnSets(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	return first(err, burnt(ctx, s, n, n.Ref(), "c-1", true))
}

func burnOnce(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	var won atomic.Int64
	err = together(crowd(), func(int) error {
		ok, err := s.BurnText(ctx, n.Ref(), "c-1", at(8))
		if ok {
			won.Add(1)
		}
		return err
	})
	return first(err, one("burns of a code", won.Load()))
}

func burnOther(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	for r, code := range strangers() {
		if err := burnt(ctx, s, n, r, code, false); err != nil {
			return err
		}
	}
	return noNumber(ctx, s, clinic, diaz)
}

func burnLocked(ctx context.Context, s mfa.Store) error {
	n := sampleNumber(clinic, lin, "n-1")
	n.Locked = at(3)
	n, err := putNumber(ctx, s, n)
	return first(err, burnt(ctx, s, n, n.Ref(), "c-1", false))
}
