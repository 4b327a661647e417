package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// routes registers what the company's program can ask for. None can be registered without an
// action, and every handler gets what was decided: a Filter for lists, a Granted for records.
func routes(mux *rbac.Mux, b *books) {
	rbac.HandleList(mux, "GET /claims", claimRead, b.listClaims)
	rbac.HandleList(mux, "GET /report", claimRead, b.showReport(mux.Authorizer()))
	claims := rbac.For(mux, func(ctx context.Context, r *http.Request) (Claim, error) { return b.claim(ctx, r.PathValue("claim")) })
	claims.Handle("GET /claims/{claim}", claimRead, b.showClaim)
	claims.Handle("POST /claims/{claim}/{state}", claimUpdate, b.changeClaim)
	payments := rbac.For(mux, func(ctx context.Context, r *http.Request) (Payment, error) {
		return b.payment(ctx, r.PathValue("payment"))
	})
	payments.Handle("GET /payments/{payment}", paymentRead, b.showPayment)
	rbac.For(mux, b.proposed).Handle("POST /claims/{claim}/payments", paymentPost, b.postPayment)
}

func (b *books) listClaims(w http.ResponseWriter, r *http.Request, f rbac.Filter[Claim]) {
	all, err := b.claims(r.Context(), f)
	for i := 0; err == nil && i < len(all); i++ {
		err = write(w, r, *all[i])
	}
	failed(w, err)
}

func (b *books) showClaim(w http.ResponseWriter, r *http.Request, g rbac.Granted[Claim]) {
	failed(w, write(w, r, g.Resource()))
}

// write writes one line about a claim. The name is shown as far as the reader's role may see it.
func write(w http.ResponseWriter, r *http.Request, c Claim) error {
	name, err := c.Name.View(r.Context())
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.ID, c.Practice, name, c.State, dollars(c.Amount))
	}
	return err
}

func (b *books) changeClaim(w http.ResponseWriter, r *http.Request, g rbac.Granted[Claim]) {
	state := r.PathValue("state")
	if !slices.Contains([]string{"submitted", "denied", "appealed", "paid"}, state) {
		http.Error(w, "no such state", http.StatusUnprocessableEntity)
		return
	}
	failed(w, b.setState(r.Context(), g, state))
}

// proposed is the payment as it would be: its practice and patient are the claim's, whatever the
// request says.
func (b *books) proposed(ctx context.Context, r *http.Request) (Payment, error) {
	c, err := b.claim(ctx, r.PathValue("claim"))
	if err != nil {
		return Payment{}, err
	}
	amount, _ := strconv.ParseInt(r.PostFormValue("cents"), 10, 64) // what is wrong with it is the handler's to say
	// The id is the company's own: one that somebody chose would tell, by being taken, of payments
	// that they may not see.
	return Payment{ID: "pay-" + rand.Text(), Claim: c.ID, Practice: c.Practice, Patient: c.Patient, Amount: amount}, nil
}

func (b *books) postPayment(w http.ResponseWriter, r *http.Request, g rbac.Granted[Payment]) {
	p := g.Resource()
	if p.Amount <= 0 {
		http.Error(w, "a payment needs cents", http.StatusUnprocessableEntity)
		return
	}
	err := b.post(r.Context(), g)
	if err == nil {
		_, err = fmt.Fprintln(w, p.ID)
	}
	failed(w, err)
}

func (b *books) showPayment(w http.ResponseWriter, _ *http.Request, g rbac.Granted[Payment]) {
	p := g.Resource()
	_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.ID, p.Practice, p.Claim, dollars(p.Amount))
	failed(w, err)
}

// showReport sums up per practice. The payments in it are those that the reader may see, which is
// a question of its own.
func (b *books) showReport(access *rbac.Authorizer) func(http.ResponseWriter, *http.Request, rbac.Filter[Claim]) {
	return func(w http.ResponseWriter, r *http.Request, claims rbac.Filter[Claim]) {
		payments, err := rbac.Visible(r.Context(), access, paymentRead)
		var all []sum
		if err == nil {
			all, err = b.report(r.Context(), claims, payments)
		}
		for i := 0; err == nil && i < len(all); i++ {
			s := all[i]
			err = audit.Seen(r.Context(), "", audit.Object{Type: "practice_report", ID: string(s.practice)})
			if err == nil {
				_, err = fmt.Fprintf(w, "%s\t%d claims\tbilled %s\tpaid %s\n", s.practice, s.claims, dollars(s.billed), dollars(s.paid))
			}
		}
		failed(w, err)
	}
}

func dollars(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) }

// failed answers a failure, whose cause is nobody's business outside.
func failed(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}
