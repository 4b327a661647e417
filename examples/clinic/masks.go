package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// maskHome is the page that says who sees how much.
const maskHome = "/settings/masks"

// masksChange lowers how much roles see, or lets them see again what the policy lets them.
var masksChange = rbac.Define[rbac.InTenant]("masks.change", rbac.Columns{}, rbac.Verb(audit.Update), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Settings))

func maskActions() []rbac.AnyAction { return []rbac.AnyAction{masksChange, deidRead, deidMake} }

func maskWords() []option {
	return []option{
		{"masks.change", "Ask to change who sees how much"},
		{string(rbac.ActionMask), "Who sees how much changed"},
	}
}

func (a *app) maskRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET "+maskHome, settingsRead, a.masksPage)
	here.Handle("POST "+maskHome, masksChange, a.saveMasks)
	here.Handle("GET "+deidHome, deidRead, a.deidPage)
	here.Handle("POST "+deidHome, deidMake, a.deidentify)
}

// SaveToggles puts what the clinic has chosen in the place of what it had: rbac.Choose records it before.
func (s *choices) SaveToggles(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
	on, err := json.Marshal(next.Choices)
	if err != nil {
		return err
	}
	masks, err := json.Marshal(next.Masks)
	if err != nil {
		return err
	}
	var res sql.Result
	if next.Version == 0 {
		res, err = s.db.pool.ExecContext(ctx, s.db.q(`INSERT INTO clinic_choice (tenant, version, choices, masks) VALUES (?, 1, ?, ?)
			ON CONFLICT (tenant) DO NOTHING`), string(t), string(on), string(masks))
	} else {
		res, err = s.db.pool.ExecContext(ctx, s.db.q(`UPDATE clinic_choice SET version = version + 1, choices = ?, masks = ? WHERE tenant = ? AND version = ?`),
			string(on), string(masks), string(t), next.Version)
	}
	if err = touched(res, err); errors.Is(err, errChanged) {
		return rbac.ErrConflict
	}
	return err
}

// maskCell is how much a role sees of one class.
type maskCell struct {
	Class, Name, Now, Ceiling string
	Lowered                   bool
	Choices                   []option // up to the ceiling
}

type maskRole struct {
	ID, Name string
	Cells    []maskCell
}

type masksData struct {
	Roles     []maskRole
	Version   int64
	Digest    string
	MayChange bool
}

// classWords are the classes of 45 CFR 164.514(b)(2) and the clinic's two in plain words.
func classWords() []option {
	return []option{
		{string(phi.ClassName), "Names"},
		{string(phi.ClassGeography), "Addresses"},
		{string(phi.ClassDate), "Dates, such as birthdays"},
		{string(phi.ClassPhone), "Telephone numbers"},
		{string(phi.ClassFax), "Fax numbers"},
		{string(phi.ClassEmail), "E-mail addresses"},
		{string(phi.ClassSSN), "Social security numbers"},
		{string(phi.ClassMRN), "Medical record numbers"},
		{string(phi.ClassHealthPlan), "Insurance numbers"},
		{string(phi.ClassAccount), "Account numbers"},
		{string(phi.ClassLicence), "Licence numbers"},
		{string(phi.ClassVehicle), "Vehicle numbers"},
		{string(phi.ClassDevice), "Device numbers"},
		{string(phi.ClassURL), "Web addresses"},
		{string(phi.ClassIP), "Network addresses"},
		{string(phi.ClassBiometric), "Fingerprints and voices"},
		{string(phi.ClassPhoto), "Photographs"},
		{string(phi.ClassOtherID), "Other numbers"},
		{string(phi.ClassClinical), "What is written about health"},
		{string(phi.ClassFinancial), "Payments"},
	}
}

func levelWords() []option {
	return []option{{"hide", "Nothing"}, {"mask", "That there is one"}, {"partial", "A part, such as the last four digits"}, {"full", "All of it"}}
}

// masksPage shows the table that decides, as the policy in force and the clinic's choices make it.
func (a *app) masksPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	v := view{}
	if r.URL.Query().Get("reason") == "missing" {
		v.Problem = "Nothing was changed. Please type a reason of a few words. It is kept with the record of the change."
	}
	ctx := r.Context()
	t, err := a.choices.Toggles(ctx, tenant)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	now, digest := a.access.Policy().MasksUnder(t)
	d := masksData{Version: t.Version, Digest: digest, MayChange: holds(ctx, a, masksChange)}
	ceilings := a.access.Policy().Masks()
	for _, role := range a.access.Policy().Roles() {
		d.Roles = append(d.Roles, maskRole{string(role.Name), role.Label, maskCells(role.Name, now, ceilings)})
	}
	v.Title, v.Data = "Who sees how much", d
	a.render(w, r, http.StatusOK, "masks", v)
}

func maskCells(role rbac.RoleName, now, ceilings rbac.Masks) (cells []maskCell) {
	for _, class := range phi.Classes() {
		ceiling, level := ceilings.Level(role, class), now.Level(role, class)
		if ceiling == phi.Hide {
			continue
		}
		cells = append(cells, maskCell{
			Class: string(class), Name: wordOf(classWords(), string(class)), Now: level.String(), Ceiling: wordOf(levelWords(), ceiling.String()),
			Lowered: level < ceiling, Choices: levelWords()[:int(ceiling)+1],
		})
	}
	return cells
}

// typedMasks returns what the clinic chose, as far as it fits the policy by now, with one role's row replaced by the
// form's. A form that names no role, or a class that the role cannot see, is one that no page sent.
func typedMasks(p *rbac.Policy, was rbac.Toggles, form url.Values) (rbac.Toggles, error) {
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	role := rbac.RoleName(form.Get("role"))
	ceilings, known := p.Masks()[role]
	if err != nil || !known {
		return rbac.Toggles{}, errInput
	}
	typed := map[string]string{}
	for class, ceiling := range ceilings {
		if ceiling != phi.Hide {
			typed[string(class)] = form.Get("sees-" + string(class))
		}
	}
	text, err := json.Marshal(map[rbac.RoleName]map[string]string{role: typed})
	if err != nil {
		return rbac.Toggles{}, err
	}
	var row rbac.Masks
	if err := json.Unmarshal(text, &row); err != nil {
		return rbac.Toggles{}, fmt.Errorf("%w: %w", errInput, err)
	}
	next := fitting(p, was)
	next.Version = version
	if next.Masks[role] = row[role]; maps.Equal(row[role], ceilings) {
		delete(next.Masks, role)
	}
	return next, next.Validate(p)
}

// fitting returns of what the clinic chose what is in force under p: a release that takes a role or a choice away, or
// lowers a ceiling, must not keep the clinic from lowering the rest.
func fitting(p *rbac.Policy, was rbac.Toggles) rbac.Toggles {
	inForce, _ := p.MasksUnder(was)
	next := rbac.Toggles{Version: was.Version, Masks: rbac.Masks{}}
	for role := range was.Masks {
		if row, known := inForce[role]; known {
			next.Masks[role] = row
		}
	}
	for _, c := range p.Choices() {
		if slices.ContainsFunc(was.Choices, func(have rbac.Choice) bool { return have.Role == c.Role && have.Action == c.Action }) {
			c.On = chosenOn(was, c)
			next.Choices = append(next.Choices, c)
		}
	}
	return next
}

// saveMasks puts a role's row into force, for everybody's next request on every server.
func (a *app) saveMasks(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	was, err := a.choices.Toggles(ctx, tenant)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	next, err := typedMasks(a.access.Policy(), was, r.PostForm)
	if err == nil && next.Version != was.Version {
		a.fail(w, r, http.StatusConflict)
		return
	}
	if err != nil {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	_, err = a.access.Choose(ctx, next)
	switch {
	case errors.Is(err, rbac.ErrConflict):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, maskHome+"?done=masks#"+url.PathEscape(r.PostForm.Get("role")), http.StatusSeeOther)
	}
}

// maskFacts say by which table of who sees how much an event came about, and how a change altered it.
func maskFacts(e audit.Event) []fact {
	if e.Action != rbac.ActionMask {
		return []fact{{Name: "Table of who sees how much", Value: e.Decision.Mask}}
	}
	level := func(name string) string { return wordOf(levelWords(), e.Detail[name]) }
	return []fact{
		{Name: "Role", Value: e.Detail["role"]},
		{Name: "Sees", Value: wordOf(classWords(), e.Detail["class"]) + ": " + level("after") + " (was: " + level("before") + ")"},
		{Name: "Table before", Value: e.Detail["masks_before"]},
		{Name: "Table after", Value: e.Detail["masks_after"]},
	}
}

// maskTypes are the kinds of record of these events.
func maskTypes() []option {
	return slices.Concat([]option{{"masks", "Who sees how much"}}, deidTypes())
}
