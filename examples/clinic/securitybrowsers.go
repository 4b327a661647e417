package main

import (
	"context"
	"net/http"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/session"
)

// browserRow is a browser in which somebody has signed in before.
type browserRow struct {
	ID, Label, Since, Seen string
	Current                bool
}

func (a *app) browserRows(ctx context.Context, s session.Session, c authn.Client) (rows []browserRow, err error) {
	all, err := a.people.Devices(ctx, tenant, s.Person, c)
	for _, d := range all {
		rows = append(rows, browserRow{d.ID, d.Label, a.config.when(d.Created), a.config.when(d.Seen), d.Current})
	}
	return rows, err
}

func (a *app) forgetBrowser(w http.ResponseWriter, r *http.Request) {
	s, _ := session.From(r.Context())
	err := a.people.ForgetDevice(r.Context(), tenant, s.Person, r.PathValue("browser"))
	a.changedOwn(w, r, "/security?done=browser-forgotten", err)
}

func (a *app) forgetBrowsers(w http.ResponseWriter, r *http.Request) {
	s, _ := session.From(r.Context())
	a.changedOwn(w, r, "/security?done=browsers-forgotten", a.people.ForgetDevices(r.Context(), tenant, s.Person))
}
