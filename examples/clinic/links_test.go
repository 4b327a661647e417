package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// TestAnOldInvitationOffersANewOne: who comes with an invitation that is too old asks for a new one
// with one click; it goes to the address that was invited, and an old link brings no second mail.
func TestAnOldInvitationOffersANewOne(t *testing.T) {
	t.Parallel()
	c, err := parseConfig([]string{"-data", t.TempDir(), "-url", "http://localhost:8080"})
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler)) // the demo's mailbox, nobody in it
	require.NoError(t, err)
	t.Cleanup(a.close)
	setup := audit.WithActor(t.Context(), audit.System(tenant, "setup"))
	_, err = a.people.Invite(setup, tenant, authn.Newcomer{ID: "ida", Kind: audit.KindStaff, Identifier: "ida.holt@example.com", Role: "nurse"})
	require.NoError(t, err)
	mails := func() (all []string) {
		found, err := rows[demoMail](t.Context(), a.demo, kindMail)
		require.NoError(t, err)
		for _, m := range found {
			if m.To == "ida.holt@example.com" {
				all = append(all, path.Base(m.Link))
			}
		}
		return all
	}
	first := mails()[0]
	ask := func(method, path string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost:8080"+path, strings.NewReader(url.Values{}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		body, err := io.ReadAll(w.Result().Body)
		require.NoError(t, err)
		return w.Code, string(body)
	}
	status, same := ask(http.MethodPost, "/link/"+first+"/again")
	require.Equal(t, http.StatusOK, status, same)
	require.Len(t, mails(), 1, "the first is still good")

	for _, statement := range []string{"UPDATE authn_link SET expires = 1", "UPDATE authn_person SET changed = 1 WHERE id = 'ida'"} {
		_, err = a.db.pool.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	status, body := ask(http.MethodGet, "/link/"+first)
	require.Equal(t, http.StatusGone, status)
	require.Contains(t, body, `action="/link/`+first+`/again"`)
	require.Len(t, mails(), 1, "a mail scanner follows links and asks for nothing")
	for range 3 {
		status, body = ask(http.MethodPost, "/link/"+first+"/again")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, same, body, "whatever comes of it")
		require.NotContains(t, body, "ida.holt")
	}
	require.Len(t, mails(), 2, "one mail for all clicks")
	_, body = ask(http.MethodPost, "/link/"+strings.Repeat("A", len(first))+"/again")
	require.Equal(t, same, body, "nobody's link")
	status, _ = ask(http.MethodGet, "/link/"+mails()[0])
	require.Equal(t, http.StatusOK, status, "the new one works")
}
