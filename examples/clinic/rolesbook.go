package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// book is the policy as its canonical text says it: what the pages about roles read, so that they
// cannot say anything else than what decides.
type book struct {
	Actions []bookAction `json:"actions"`
	Roles   []bookRole   `json:"roles"`
}

type bookAction struct {
	Name        audit.Action  `json:"name"`
	Verb        audit.Verb    `json:"verb"`
	Category    rbac.Category `json:"category"`
	Destructive bool          `json:"destructive"`
}

type bookRole struct {
	Name  rbac.RoleName `json:"name"`
	Label string        `json:"label"`
	Rank  int           `json:"rank"`
	Seat  bool          `json:"seat"`
	Allow []bookAllow   `json:"allow"`
}

type bookAllow struct {
	Action audit.Action    `json:"action"`
	Scope  json.RawMessage `json:"scope"`
	Choice string          `json:"choice"`
}

// openBook reads a policy, its roles highest first.
func openBook(p *rbac.Policy) (b book, err error) {
	err = json.Unmarshal(p.JSON(), &b)
	slices.SortFunc(b.Roles, func(x, y bookRole) int { return y.Rank - x.Rank })
	return b, err
}

func (b book) action(name audit.Action) bookAction {
	i := slices.IndexFunc(b.Actions, func(a bookAction) bool { return a.Name == name })
	if i < 0 {
		return bookAction{Name: name}
	}
	return b.Actions[i]
}

func (b book) label(name rbac.RoleName) string {
	i := slices.IndexFunc(b.Roles, func(r bookRole) bool { return r.Name == name })
	if i < 0 {
		return "a role that does not exist any more"
	}
	return b.Roles[i].Label
}

// may reports whether the role has an action at all.
func (r bookRole) may(action audit.Action) bool {
	return slices.ContainsFunc(r.Allow, func(a bookAllow) bool { return a.Action == action })
}

// on reports whether a permission is in force under the clinic's choices.
func (a bookAllow) on(role rbac.RoleName, chosen rbac.Toggles) bool {
	on := a.Choice != "opt_in"
	for _, c := range chosen.Choices {
		if a.Choice != "" && c.Role == role && c.Action == a.Action {
			on = c.On
		}
	}
	return on
}

// The columns of tables about rights: what can be done with a kind of record.
const (
	doSee = iota
	doAdd
	doChange
	doDelete
	doPurge
	doings
)

func doingNames() []string { return []string{"See", "Add", "Change", "Delete", "Destroy"} }

// doing is the column that an action belongs to.
func (a bookAction) doing() int {
	switch {
	case a.Destructive:
		return doPurge
	case a.Verb == audit.Delete:
		return doDelete
	case a.Verb == audit.Create:
		return doAdd
	case a.Verb == audit.Read:
		return doSee
	}
	return doChange
}

// rightRow is what somebody, or a role, may do with a kind of record.
type rightRow struct {
	Kind  string
	Cells []rightCell
}

type rightCell struct {
	Does string   // the column
	May  []string // where, in words
	Off  bool     // nobody may, and the clinic could allow it
}

// Text is where it may be done, in words.
func (c rightCell) Text() string { return strings.Join(c.May, ", ") }

// rightTable is a table of rights in the making.
type rightTable map[rbac.Category][]rightCell

func (t rightTable) cell(a bookAction) *rightCell {
	if t[a.Category] == nil {
		t[a.Category] = make([]rightCell, doings)
	}
	return &t[a.Category][a.doing()]
}

func (t rightTable) add(a bookAction, scope string) {
	c, words := t.cell(a), scopeWords(a.Category, scope)
	if words == "yes" || words == "all" {
		c.May = []string{words}
	}
	if !slices.Contains(c.May, words) && !slices.Contains(c.May, "all") {
		c.May = append(c.May, words)
	}
}

// rows are the table's rows in the order of the pages, without those that say nothing.
func (t rightTable) rows() (all []rightRow) {
	for _, k := range recordKinds() {
		cells := t[k.category]
		if cells == nil {
			continue
		}
		for i, name := range doingNames() {
			cells[i].Does = name
		}
		if slices.ContainsFunc(cells, func(c rightCell) bool { return len(c.May) > 0 || c.Off }) {
			all = append(all, rightRow{k.name, cells})
		}
	}
	return all
}

// rights is the table of a role.
func (b book) rights(r bookRole, chosen rbac.Toggles) []rightRow {
	t := rightTable{}
	for _, allow := range r.Allow {
		a := b.action(allow.Action)
		if allow.on(r.Name, chosen) {
			t.add(a, strings.Trim(string(allow.Scope), `"`))
			continue
		}
		t.cell(a).Off = true
	}
	return t.rows()
}

// nothing lists the kinds of record of which nothing may be done.
func (t rightTable) nothing() string {
	var kinds []string
	for _, k := range recordKinds() {
		if cells := t[k.category]; cells != nil && !slices.ContainsFunc(cells, func(c rightCell) bool { return len(c.May) > 0 || c.Off }) {
			kinds = append(kinds, k.name)
		}
	}
	return strings.Join(kinds, ", ")
}
