package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// administrator gives the first account the highest role.
func administrator(t *testing.T, a *app) {
	t.Helper()
	_, err := a.access.Grant(audit.WithActor(t.Context(), audit.System(tenant, "setup")), rbac.Grant{Person: firstAdminID, Role: roleAdmin})
	require.NoError(t, err)
}

// TestMembersOfAnotherTenant: an administrator of this clinic changes nothing about an account that
// another tenant keeps in the same database, whatever the address names.
func TestMembersOfAnotherTenant(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		a := inside(t, args...)
		const other audit.Tenant = "other-clinic"
		administrator(t, a)
		theirs, err := a.people.Invite(audit.WithActor(t.Context(), audit.System(other, "setup")), other,
			authn.Newcomer{ID: "their-therapist", Kind: audit.KindStaff, Identifier: "lena.fox@example.com"})
		require.NoError(t, err)
		token, err := a.sessions.Start(t.Context(), audit.Actor{ID: firstAdminID, Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL2})
		require.NoError(t, err)
		csrf := identifier(t, a, token)
		ask := func(method, path string) int {
			r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost:8080"+path, strings.NewReader(url.Values{"why": {"mine"}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(session.CSRFHeader, csrf)
			r.AddCookie(&http.Cookie{Name: sessionCookie, Value: token})
			w := httptest.NewRecorder()
			a.handler.ServeHTTP(w, r)
			return w.Code
		}
		require.Equal(t, http.StatusOK, ask(http.MethodGet, "/team"), "an administrator")
		require.Equal(t, http.StatusNotFound, ask(http.MethodGet, "/team/their-therapist"))
		for _, change := range []string{"resend", "approve", "unlock", "new-password", "suspend", "reinstate", "remove", "end-sessions", "reset-factor"} {
			require.Equal(t, http.StatusNotFound, ask(http.MethodPost, "/team/their-therapist/"+change), change)
		}
		after, err := a.people.Account(t.Context(), other, "their-therapist")
		require.NoError(t, err)
		require.Equal(t, theirs.Version, after.Person.Version)
		require.Equal(t, authn.Invited, after.Person.State)
	})
}

// TestAMangledBannerLetsNobodyPassUnread: words that somebody changed in the database are not
// shown under the version that people confirmed, and nobody is let in without them.
func TestAMangledBannerLetsNobodyPassUnread(t *testing.T) {
	t.Parallel()
	a := inside(t, "-data", t.TempDir())
	version := versionOf(1, words)
	require.NoError(t, a.banners.keep(t.Context(), version, words))
	got, err := a.banners.words(t.Context(), version)
	require.NoError(t, err)
	require.Equal(t, words, got)
	require.NoError(t, a.banners.keep(t.Context(), version, "other words"), "the first stay")
	got, err = a.banners.words(t.Context(), version)
	require.NoError(t, err)
	require.Equal(t, words, got)
	_, err = a.db.pool.ExecContext(t.Context(), a.db.q("UPDATE clinic_banner SET words = ?"), "do as you like")
	require.NoError(t, err)
	_, err = a.banners.words(t.Context(), version)
	require.ErrorIs(t, err, errBanner)
	_, err = a.banners.words(t.Context(), "9-0000000000000000")
	require.Error(t, err)
	for _, forged := range []string{"1", "-", "x-" + strings.TrimPrefix(version, "1-")} {
		_, err = a.banners.words(t.Context(), forged)
		require.Error(t, err, forged)
	}
}
