package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/rbac"
)

// deletingCell says whether a role may delete, or destroy, a kind of record.
type deletingCell struct {
	ID         string // of its box in the form
	What       string // for the label of its box
	Column     string
	Here, On   bool // the policy knows it; it is on
	Switchable bool
}

type deletingRow struct {
	Role  string
	Cells []deletingCell // two of each kind: delete, destroy
}

type deletingData struct {
	Kinds     []string
	Rows      []deletingRow
	Version   int64
	MayChange bool
	Chosen    []option // what would be saved: boxes that are ticked
	Changes   []personChange
	Proposed  bool
}

func (a *app) deletingPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	chosen, err := a.choices.Toggles(r.Context(), tenant)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v := view{}
	if r.URL.Query().Get("reason") == "missing" {
		v.Problem = "Please type a reason of a few words. Nothing was saved."
	}
	a.showDeleting(w, r, http.StatusOK, v, chosen, deletingData{})
}

func (a *app) showDeleting(w http.ResponseWriter, r *http.Request, status int, v view, t rbac.Toggles, d deletingData) {
	d.Rows, d.Version = deletingRows(a.access.Policy(), t), t.Version
	for _, k := range paperKinds() {
		d.Kinds = append(d.Kinds, k.Many)
	}
	d.MayChange = holds(r.Context(), a, choicesPropose)
	v.Title, v.Data = "Who may delete", d
	a.render(w, r, status, "deleting", v)
}

// deletingRows is the policy's own matrix, a row for each role that is in it.
func deletingRows(p *rbac.Policy, t rbac.Toggles) (rows []deletingRow) {
	cells := p.Deletions(t)
	for _, role := range p.Roles() {
		row := deletingRow{Role: role.Label}
		for _, k := range paperKinds() {
			for _, purge := range []bool{false, true} {
				what := "delete"
				if purge {
					what = "destroy"
				}
				cell := deletingCell{What: role.Label + " may " + what + ": " + k.Many, Column: k.Many + ": " + what}
				i := slices.IndexFunc(cells, func(c rbac.Deletion) bool {
					return c.Role == role.Name && c.Category == k.category && c.Purge == purge
				})
				if i >= 0 {
					cell.Here, cell.On, cell.Switchable = true, cells[i].On, cells[i].Switchable
					cell.ID = choiceID(rbac.Choice{Role: role.Name, Action: cells[i].Action})
				}
				row.Cells = append(row.Cells, cell)
			}
		}
		if slices.ContainsFunc(row.Cells, func(c deletingCell) bool { return c.Here }) {
			rows = append(rows, row)
		}
	}
	return rows
}

func choiceID(c rbac.Choice) string { return string(c.Role) + ":" + string(c.Action) }

// typedChoices reads the boxes of the form. A box that the policy does not know makes the form
// one that no page sent.
func typedChoices(p *rbac.Policy, form url.Values) (rbac.Toggles, error) {
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	if err != nil {
		return rbac.Toggles{}, errInput
	}
	t, boxes := rbac.Toggles{Version: version}, 0
	for _, c := range p.Choices() {
		c.On = slices.Contains(form["on"], choiceID(c))
		if c.On {
			boxes++
		}
		t.Choices = append(t.Choices, c)
	}
	if boxes != len(form["on"]) {
		return rbac.Toggles{}, errInput
	}
	return t, t.Validate(p)
}

// proposeDeleting shows what a change would do, to everybody of the team, before it is saved.
func (a *app) proposeDeleting(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	t, err := typedChoices(a.access.Policy(), r.PostForm)
	if err != nil {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	d, err := a.supposeChoices(r.Context(), t)
	switch {
	case errors.Is(err, errChanged):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		a.showDeleting(w, r, http.StatusOK, view{}, t, d)
	}
}

func (a *app) supposeChoices(ctx context.Context, t rbac.Toggles) (d deletingData, err error) {
	was, err := a.choices.Toggles(ctx, tenant)
	if err != nil {
		return d, err
	}
	if was.Version != t.Version {
		return d, errChanged
	}
	then, err := a.access.Suppose(ctx, rbac.Supposition{Toggles: &t})
	if err != nil {
		return d, err
	}
	d.Proposed = true
	for _, c := range t.Choices {
		if c.On {
			d.Chosen = append(d.Chosen, option{ID: choiceID(c)})
		}
	}
	d.Changes, err = a.effectsOnTeam(ctx, then)
	return d, err
}

// saveDeleting puts the choices into force, on every server with its next request.
func (a *app) saveDeleting(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	t, err := typedChoices(a.access.Policy(), r.PostForm)
	if err != nil {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	was, err := a.choices.Toggles(ctx, tenant)
	if err == nil && was.Version != t.Version {
		err = errChanged
	}
	if err == nil {
		err = a.choices.save(ctx, was, t)
	}
	switch {
	case errors.Is(err, errChanged):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/roles/deleting?done=choices", http.StatusSeeOther)
	}
}
