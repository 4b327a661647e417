package rbac

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// maxPolicy is the length in bytes up to which a policy is read.
const maxPolicy = 16 << 20

// ReadPolicy compiles a policy from the JSON that Policy.JSON writes, edited or not: roles,
// permissions and forbids come from the text, actions and relations from the program, and what
// the text says about them must be what the program says. Unknown fields, names, scopes and
// labels, a field named twice and whatever Compile refuses are errors, so that nothing in the
// text is skipped; the order of lists and the spaces do not matter.
func ReadPolicy(text []byte, actions []AnyAction, relations Relations) (*Policy, error) {
	if len(text) > maxPolicy {
		return nil, errors.New("rbac: reading a policy: too long")
	}
	if err := noRepeats(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return nil, fmt.Errorf("rbac: reading a policy: %w", err)
	}
	var f policyForm
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("rbac: reading a policy: %w", err)
	}
	r := reader{actions: map[audit.Action]AnyAction{}}
	for _, a := range actions {
		if a != nil && a.definition() != nil {
			r.actions[a.Name()] = a
		}
	}
	rules := Rules{Actions: actions, Relations: relations}
	r.program(f, relations)
	for _, role := range f.Roles {
		rules.Roles = append(rules.Roles, r.role(role))
	}
	for _, forbid := range f.Forbid {
		rules.Forbid = append(rules.Forbid, r.forbid(forbid))
	}
	if len(r.wrong) > 0 {
		return nil, fmt.Errorf("rbac: reading a policy:\n%w", errors.Join(r.wrong...))
	}
	return Compile(rules)
}

// reader turns the form of a policy into rules and collects what is wrong.
type reader struct {
	actions map[audit.Action]AnyAction
	wrong   []error
}

func (r *reader) errorf(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf(format, args...))
}

// program compares what the text says about actions and relations with the program.
func (r *reader) program(f policyForm, relations Relations) {
	if f.Format != formFormat {
		r.errorf("format %d is not %d", f.Format, formFormat)
	}
	seen := map[audit.Action]bool{}
	for _, a := range f.Actions {
		mine, ok := r.actions[a.Name]
		if !ok || seen[a.Name] || !bytes.Equal(canonical(a), canonical(mine.definition().form())) {
			r.errorf("action %q: not as the program defines it", a.Name)
		}
		seen[a.Name] = true
	}
	if len(seen) != len(r.actions) {
		r.errorf("%d actions, the program has %d", len(seen), len(r.actions))
	}
	list, names := relations.list()
	declared := map[string]string{}
	for i, rel := range list {
		if rel != nil {
			declared[names[i]] = rel.Digest()
		}
	}
	if !bytes.Equal(canonical(f.Relations), canonical(declared)) {
		r.errorf("the relations are not those of the program")
	}
}

func (r *reader) role(f roleForm) Role {
	out := Role{Name: f.Name, Label: f.Label, Rank: f.Rank, Seat: f.Seat, Kind: f.Kind, Sight: f.Sight}
	for _, a := range f.Allow {
		action, ok := r.actions[a.Action]
		if !ok {
			r.errorf("role %q: there is no action %q", f.Name, a.Action)
		}
		if !slices.Contains([]choiceKind{fixed, optIn, optOut}, a.Choice) {
			r.errorf("role %q: action %q: unknown choice", f.Name, a.Action)
		}
		out.Allow = append(out.Allow, Allow{a.Scope.Scope, []AnyAction{action}, a.Choice})
	}
	return out
}

func (r *reader) forbid(f forbidForm) Forbid {
	labels, ok := LabelsOf(f.Labels...)
	if !ok {
		r.errorf("forbid %q: an unknown label", f.Name)
	}
	out := Forbid{Name: f.Name, Labels: labels, Kinds: f.Kinds, ExceptRoles: f.ExceptRoles, Why: f.Why}
	for _, name := range f.Actions {
		action, ok := r.actions[name]
		if !ok {
			r.errorf("forbid %q: there is no action %q", f.Name, name)
		}
		out.Actions = append(out.Actions, action)
	}
	if f.Except != nil {
		out.Except = f.Except.Scope
	}
	return out
}

// errScope: JSON that is no scope.
var errScope = errors.New("unknown scope")

// UnmarshalJSON reads a scope.
func (f *scopeForm) UnmarshalJSON(text []byte) error {
	var name string
	if json.Unmarshal(text, &name) == nil {
		for b := Tenant; b <= lastBase; b++ {
			if b.String() == name {
				f.Scope = b
				return nil
			}
		}
		return errScope
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || len(object) != 1 {
		return errScope
	}
	for key, value := range object {
		return f.combination(key, value)
	}
	return nil
}

func (f *scopeForm) combination(key string, value json.RawMessage) error {
	switch key {
	case "related":
		var name string
		if json.Unmarshal(value, &name) != nil {
			return errScope
		}
		f.Scope = Related(name)
		return nil
	case string(opNot):
		var part scopeForm
		if err := json.Unmarshal(value, &part); err != nil || part.Scope == nil {
			return errScope
		}
		f.Scope = Not(part.Scope)
		return nil
	case string(opAll), string(opAny):
		var parts []scopeForm
		if err := json.Unmarshal(value, &parts); err != nil {
			return errScope
		}
		c := &combined{op: op(key)}
		for _, p := range parts {
			c.parts = append(c.parts, p.Scope)
		}
		f.Scope = c
		return nil
	}
	return errScope
}

// noRepeats refuses objects that name a field twice, in whatever case, and text after the value:
// encoding/json would take the last and ignore the rest.
func noRepeats(dec *json.Decoder) error {
	if err := oneValue(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

func oneValue(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth > 100 {
		return errors.New("too deep")
	}
	keys := map[string]bool{}
	for dec.More() {
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			name = strings.ToLower(strings.ToUpper(name)) // as encoding/json compares: \u017f is an s
			if keys[name] {
				return errors.New("a field is named twice")
			}
			keys[name] = true
		}
		if err := oneValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
