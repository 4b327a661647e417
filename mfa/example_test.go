package mfa_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

// must keeps the examples short.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// mailer stands in for the host's mail: it prints what it would send.
type mailer struct{}

func (mailer) Notify(_ context.Context, m audit.Message) error {
	fmt.Println("mail to", m.Person, "about", m.Topic)
	return nil
}

// signOut stands in for session.Manager.
type signOut struct{}

func (signOut) EndAll(_ context.Context, _ audit.Tenant, person audit.ActorID, _ string) error {
	fmt.Println("signed out", person)
	return nil
}

// newFactors is what a host does once, at start.
func newFactors(now func() time.Time) *mfa.Factors {
	vault := must(phi.Open(context.Background(), "example", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil))
	return must(mfa.New(mfa.NewMemory(), vault, audit.Discard{}, "Smith & Sons: Therapy", &mfa.Options{
		Sessions: signOut{}, Notices: mailer{}, Now: now,
	}))
}

// A person scans the QR code and types the first code; from then on each code passes once.
func Example() {
	ctx := context.Background()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	factors := newFactors(func() time.Time { return now })

	uri, manual, err := factors.Begin(ctx, "clinic", "p-lin", "dr.lin@example.com")
	fmt.Println(len(strings.Fields(manual)), "groups of four,", err)

	phone := must(mfa.ParseURI(uri)) // the app, which scanned the QR code
	fmt.Println(phone.Issuer(), "/", phone.Account())
	fmt.Println(factors.Confirm(ctx, "clinic", "p-lin", must(phone.Code(now))))

	now = now.Add(time.Minute)
	code := must(phone.Code(now))
	fmt.Println(factors.Verify(ctx, "clinic", "p-lin", code[:3]+" "+code[3:]))
	fmt.Println(factors.Verify(ctx, "clinic", "p-lin", code))
	// Output:
	// 8 groups of four, <nil>
	// Smith & Sons: Therapy / dr.lin@example.com
	// mail to p-lin about mfa.enrolled
	// true <nil>
	// [otp] <nil>
	// [] <nil>
}

// An administrator ends the factor of somebody who lost their phone.
func ExampleFactors_Reset() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	factors := newFactors(func() time.Time { return now })
	ctx := context.Background()
	uri, _, _ := factors.Begin(ctx, "clinic", "p-lin", "dr.lin@example.com")
	_, _ = factors.Confirm(ctx, "clinic", "p-lin", must(must(mfa.ParseURI(uri)).Code(now)))

	ctx = audit.WithActor(ctx, audit.Actor{ID: "p-admin", Kind: audit.KindStaff, Tenant: "clinic"})
	fmt.Println(factors.Reset(ctx, "clinic", "p-lin", "lost her phone"))
	fmt.Println(must(factors.Status(ctx, "clinic", "p-lin")).State)
	// Output:
	// mail to p-lin about mfa.enrolled
	// signed out p-lin
	// signed out p-lin
	// mail to p-lin about mfa.reset
	// <nil>
	// off
}

// A team page joins the host's list of people with those who have a second factor.
func ExampleFactors_List() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	factors := newFactors(func() time.Time { return now })
	ctx := context.Background()
	uri, _, _ := factors.Begin(ctx, "clinic", "p-lin", "dr.lin@example.com")
	_, _ = factors.Confirm(ctx, "clinic", "p-lin", must(must(mfa.ParseURI(uri)).Code(now)))
	_, _, _ = factors.Begin(ctx, "clinic", "p-diaz", "dr.diaz@example.com")
	for s, err := range factors.List(ctx, "clinic") {
		fmt.Println(s.Person, s.State, s.LastUsed.Format(time.TimeOnly), err)
	}
	// Output:
	// mail to p-lin about mfa.enrolled
	// p-diaz pending 00:00:00 <nil>
	// p-lin on 09:00:00 <nil>
}

// The picture goes into the page itself, so that nothing caches it.
func ExampleSVG() {
	factors := newFactors(time.Now)
	uri, _, _ := factors.Begin(context.Background(), "clinic", "p-lin", "dr.lin@example.com")
	svg, err := mfa.SVG(uri)
	fmt.Println(strings.HasPrefix(svg, "<svg "), err)
	_, err = mfa.SVG("https://example.com")
	fmt.Println(err)
	// Output:
	// true <nil>
	// mfa: not an otpauth URI of this package's kind
}

// Recovery codes are for the day the phone is gone: each passes once, and one of them lets the
// person move to a new phone.
func ExampleFactors_IssueCodes() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	factors := newFactors(func() time.Time { return now })
	ctx := audit.WithActor(context.Background(), audit.Actor{ID: "p-lin", Kind: audit.KindStaff, Tenant: "clinic"})
	uri, _, _ := factors.Begin(ctx, "clinic", "p-lin", "dr.lin@example.com")
	phone := must(mfa.ParseURI(uri))
	_ = must(factors.Confirm(ctx, "clinic", "p-lin", must(phone.Code(now))))

	now = now.Add(time.Minute)
	codes, ok, err := factors.IssueCodes(ctx, "clinic", "p-lin", must(phone.Code(now)))
	fmt.Println(len(codes.Reveal()), "codes,", codes, ok, err)

	fmt.Println(factors.Verify(ctx, "clinic", "p-lin", codes.Reveal()[0]))
	fmt.Println(factors.Verify(ctx, "clinic", "p-lin", codes.Reveal()[0]))
	fmt.Println(must(factors.Status(ctx, "clinic", "p-lin")).Codes, "left")

	uri, _, ok, err = factors.Replace(ctx, "clinic", "p-lin", codes.Reveal()[1], "dr.lin@example.com")
	fmt.Println("a new phone:", ok, err)
	phone = must(mfa.ParseURI(uri))
	fmt.Println(factors.ConfirmReplacement(ctx, "clinic", "p-lin", must(phone.Code(now))))
	// Output:
	// mail to p-lin about mfa.enrolled
	// mail to p-lin about mfa.codes_issued
	// 10 codes, [recovery codes] true <nil>
	// mail to p-lin about mfa.recovered
	// [recovery] <nil>
	// [] <nil>
	// 9 left
	// mail to p-lin about mfa.recovered
	// a new phone: true <nil>
	// signed out p-lin
	// signed out p-lin
	// mail to p-lin about mfa.replaced
	// true <nil>
}
