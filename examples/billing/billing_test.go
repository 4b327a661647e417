package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// company starts the server on a port of its own.
func start(t *testing.T) (*host, func(who audit.ActorID, method, path string, form url.Values) (int, string)) {
	t.Helper()
	h, err := newHost(t.Context(), t.TempDir())
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, func(who audit.ActorID, method, path string, form url.Values) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if who != "" {
			req.Header.Set("Authorization", "Bearer "+h.tokens[who])
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
}

// places are the practices that the lines of an answer speak of, each once, in order.
func places(body string, column int) (out []string) {
	for line := range strings.Lines(body) {
		practice := strings.Split(strings.TrimSpace(line), "\t")[column]
		if len(out) == 0 || out[len(out)-1] != practice {
			out = append(out, practice)
		}
	}
	return out
}

// A biller limited to four of eight practices is limited in lists, sums, single records and
// payments, in the addresses typed by hand as in the links.
func TestFourOfEightPractices(t *testing.T) {
	t.Parallel()
	_, ask := start(t)
	four, eight := []string{"alder", "birch", "cedar", "dogwood"}, []string{"alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel"}
	for who, want := range map[audit.ActorID][]string{"arjun": four, "olga": eight} {
		status, body := ask(who, http.MethodGet, "/claims", nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, want, places(body, 1), who)
		require.Equal(t, 3*len(want), strings.Count(body, "\n"))
		status, body = ask(who, http.MethodGet, "/report", nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, want, places(body, 0), who)
		for _, practice := range eight {
			status, body := ask(who, http.MethodGet, "/claims/"+practice+"-1", nil)
			if strings.Contains(strings.Join(want, " "), practice) {
				require.Equal(t, http.StatusOK, status, practice)
				continue
			}
			require.Equal(t, http.StatusNotFound, status, practice)
			_, nowhere := ask(who, http.MethodGet, "/claims/"+practice+"-99", nil)
			require.Equal(t, nowhere, body, "the answer does not tell that there is one")
		}
	}
	status, _ := ask("", http.MethodGet, "/claims", nil)
	require.Equal(t, http.StatusUnauthorized, status)
	status, _ = ask("newcomer", http.MethodGet, "/claims", nil)
	require.Equal(t, http.StatusForbidden, status)
}

func TestPayments(t *testing.T) {
	t.Parallel()
	_, ask := start(t)
	post := func(claim, id, cents string) (int, string) {
		status, body := ask("arjun", http.MethodPost, "/claims/"+claim+"/payments", url.Values{
			"id": {id}, "cents": {cents}, "practice": {"alder"}, "patient": {"alder-patient-a"}, // which nobody asked for
		})
		return status, strings.TrimSpace(body)
	}
	status, id := post("dogwood-1", "pay-1", "2500")
	require.Equal(t, http.StatusOK, status)
	for _, wrong := range []struct {
		claim, cents string
		status       int
	}{
		{"elm-1", "2500", http.StatusNotFound}, // a payment of another practice's claim
		{"dogwood-1", "-2500", http.StatusUnprocessableEntity},
		{"dogwood-1", "lots", http.StatusUnprocessableEntity},
	} {
		status, _ := post(wrong.claim, "pay-1", wrong.cents)
		require.Equal(t, wrong.status, status)
	}
	status, body := ask("arjun", http.MethodGet, "/payments/"+id, nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, id+"\tdogwood\tdogwood-1\t$25.00\n", body)
	status, _ = ask("arjun", http.MethodGet, "/payments/pay-1", nil)
	require.Equal(t, http.StatusNotFound, status)
	// naming the id of a payment tells nothing, whoever's it is: it is not asked for
	status, again := post("dogwood-1", id, "100")
	require.Equal(t, http.StatusOK, status)
	require.NotEqual(t, id, again)

	_, report := ask("arjun", http.MethodGet, "/report", nil)
	require.Contains(t, report, "dogwood\t3 claims\tbilled $1203.00\tpaid $26.00\n")

	status, _ = ask("arjun", http.MethodPost, "/claims/dogwood-1/paid", nil)
	require.Equal(t, http.StatusOK, status)
	status, _ = ask("arjun", http.MethodPost, "/claims/elm-1/paid", nil)
	require.Equal(t, http.StatusNotFound, status)
	status, _ = ask("olga", http.MethodPost, "/claims/dogwood-1/denied", nil)
	require.Equal(t, http.StatusForbidden, status, "an owner reads the books and does not keep them")
	_, body = ask("olga", http.MethodGet, "/claims/dogwood-1", nil)
	require.Contains(t, body, "\tpaid\t")
}

// A contract that shrinks is in force with the next request; one that ends leaves nothing.
func TestTheContractChanges(t *testing.T) {
	t.Parallel()
	h, ask := start(t)
	setup := audit.WithActor(t.Context(), audit.System(company, "contracts"))
	var old rbac.Grant
	for g, err := range h.access.Team(setup) {
		require.NoError(t, err)
		if g.Person == "arjun" {
			old = g
		}
	}
	_, err := h.access.Change(setup, rbac.Draft{
		Revoke: []rbac.Ref{{Person: "arjun", ID: old.ID}},
		Grant:  []rbac.Grant{{Person: "arjun", Role: rbac.Biller, Practices: []rbac.PracticeID{"cedar"}, Why: "contract"}},
	})
	require.NoError(t, err)
	_, body := ask("arjun", http.MethodGet, "/claims", nil)
	require.Equal(t, []string{"cedar"}, places(body, 1))
	status, _ := ask("arjun", http.MethodGet, "/claims/alder-1", nil)
	require.Equal(t, http.StatusNotFound, status)
	for g, err := range h.access.Team(setup) {
		require.NoError(t, err)
		if g.Person == "arjun" && g.Ended.IsZero() {
			require.NoError(t, h.access.Revoke(setup, "arjun", g.ID))
		}
	}
	status, _ = ask("arjun", http.MethodGet, "/claims", nil)
	require.Equal(t, http.StatusForbidden, status)
}

// What the books list is what a check of each claim and payment allows, on the company's own tables.
func TestListsAgreeWithChecks(t *testing.T) {
	t.Parallel()
	h, ask := start(t)
	for _, claim := range []string{"alder-1", "dogwood-2"} {
		status, _ := ask("arjun", http.MethodPost, "/claims/"+claim+"/payments", url.Values{"cents": {"100"}})
		require.Equal(t, http.StatusOK, status)
	}
	_, err := h.books.db.ExecContext(t.Context(), `INSERT INTO payment (id, tenant, practice, patient, claim, amount)
		VALUES ('pay-elm', ?, 'elm', 'elm-patient-a', 'elm-1', 100)`, string(company))
	require.NoError(t, err)
	var people []audit.Actor
	for _, who := range []audit.ActorID{"olga", "arjun", "newcomer"} {
		people = append(people, audit.Actor{ID: who, Kind: audit.KindStaff, Tenant: company, Assurance: audit.AAL2})
	}
	claims := func(ctx context.Context, where string, args []any) (out []Claim, err error) {
		all, err := h.books.query(ctx, where, args)
		for _, c := range all {
			out = append(out, *c)
		}
		return out, err
	}
	rows, err := claims(t.Context(), "1 = 1", nil)
	require.NoError(t, err)
	rbactest.FilterAgreesWithCheck(t, rbactest.World[Claim]{
		Authorizer: h.access, Actors: people, Rows: rows, Dialect: rbac.SQLite, Alias: "c", Select: claims,
	}, claimRead, claimUpdate)

	payments := func(ctx context.Context, where string, args []any) (out []Payment, err error) {
		rows, err := h.books.db.QueryContext(ctx, `SELECT id, practice, patient FROM payment p WHERE `+where, args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var p Payment
			if err := rows.Scan(&p.ID, &p.Practice, &p.Patient); err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		return out, rows.Err()
	}
	paid, err := payments(t.Context(), "1 = 1", nil)
	require.NoError(t, err)
	require.Len(t, paid, 3)
	rbactest.FilterAgreesWithCheck(t, rbactest.World[Payment]{
		Authorizer: h.access, Actors: people, Rows: paid, Dialect: rbac.SQLite, Alias: "p", Select: payments,
	}, paymentRead, paymentPost)
}

// No route lets in whom it should not.
func TestDenialMatrix(t *testing.T) {
	t.Parallel()
	h, ask := start(t)
	_, id := ask("arjun", http.MethodPost, "/claims/alder-1/payments", url.Values{"cents": {"100"}})
	rbactest.DenialMatrix(t, rbactest.Matrix{
		Mux: h.mux, Store: h.grants, Tenant: company, Form: url.Values{"cents": {"100"}},
		Fill: map[string]string{"claim": "alder-1", "state": "paid", "payment": strings.TrimSpace(id)},
	})
}

// The log says who looked at what, and who was turned away.
func TestLooksAreOnRecord(t *testing.T) {
	t.Parallel()
	h, ask := start(t)
	ask("arjun", http.MethodGet, "/claims/alder-1", nil)
	ask("arjun", http.MethodGet, "/claims/elm-1", nil)
	page, err := h.events.Query(t.Context(), audit.Query{Tenant: company, Actors: []audit.ActorID{"arjun"}, Actions: []audit.Action{"claim.read"}})
	require.NoError(t, err)
	require.Len(t, page.Events, 2)
	require.Equal(t, audit.Failure, page.Events[0].Event.Outcome)
	require.Equal(t, []audit.Patient{"alder-patient-a"}, page.Events[1].Event.Patients)
	require.Equal(t, audit.Success, page.Events[1].Event.Outcome)
}

// Every route is registered with a rule, and these are they.
func TestRoutes(t *testing.T) {
	t.Parallel()
	policy, err := rules()
	require.NoError(t, err)
	access, err := rbac.New(policy, rbac.NewMemory(), audit.Discard{}, nil)
	require.NoError(t, err)
	mux := rbac.NewMux(access, nil)
	routes(mux, &books{})
	require.NoError(t, mux.Err())
	rbactest.Routes(t, mux, "testdata/routes.golden")
}
