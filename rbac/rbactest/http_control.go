package rbactest

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// control asks as people who hold every role in force whether the matrix can tell anything: a
// guard that denies everything, or a record that is not there, would pass it.
func (m Matrix) control(ctx context.Context) error {
	insiders, err := m.insiders(ctx)
	if err != nil {
		return err
	}
	var errs []error
	let, guarded := false, false
	for _, r := range m.Mux.Routes() {
		if r.Guard != "action" && r.Guard != "list" {
			continue
		}
		guarded = true
		reached, missing := false, false
		for _, p := range insiders {
			code, err := m.decides(ctx, r, p)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s %s %s: %w", p.name, r.Method, r.Path, err))
				continue
			}
			let = let || code == rbac.CodeAllowed
			missing = missing || code == rbac.CodeNotFound
			reached = reached || code != rbac.CodeNotFound && code != rbac.CodeNoPermission
		}
		if missing && !reached {
			errs = append(errs, fmt.Errorf("rbactest: %s %s: nobody gets as far as to a record: Matrix.Fill names none that is there", r.Method, r.Path))
		}
	}
	if guarded && !let && len(errs) == 0 {
		errs = append(errs, errors.New("rbactest: no route lets anybody in: this matrix proves nothing; see Matrix.Insider"))
	}
	return errors.Join(errs...)
}

// insiders are people of the tenant with every role for their kind.
func (m Matrix) insiders(ctx context.Context) ([]person, error) {
	if m.Store == nil {
		return nil, errors.New("rbactest: Matrix.Store is required")
	}
	var out []person
	for _, kind := range []audit.Kind{audit.KindStaff, audit.KindPatient, audit.KindProxy, audit.KindService, audit.KindAgent} {
		p := person{name: "insider, " + string(kind), actor: somebody("insider-"+audit.ActorID(kind), kind, m.Tenant)}
		if kind == audit.KindService || kind == audit.KindAgent {
			var all []audit.Action
			for _, r := range m.Mux.Routes() {
				all = append(all, r.Action)
			}
			p.actor = p.actor.Within(all...)
		}
		if err := m.grantAll(ctx, p); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if m.Insider != nil {
		out = append(out, person{name: "Matrix.Insider", actor: *m.Insider})
	}
	return out, nil
}

// errSeen keeps a handler from running: what is decided for the request cannot be recorded.
var errSeen = errors.New("rbactest: the decision is all that is asked for")

// first is a recorder that keeps the first decision and records nothing.
type first struct{ event *audit.Event }

func (f *first) Record(_ context.Context, events ...audit.Event) error {
	if f.event == nil && len(events) > 0 {
		f.event = &events[0]
	}
	return errSeen
}

// decides returns the code of the first decision about a request, and lets no handler run.
func (m Matrix) decides(ctx context.Context, r rbac.Route, p person) (rbac.Code, error) {
	req, err := m.request(r)
	if err != nil {
		return "", err
	}
	rec := &first{}
	ctx, trail := audit.WithTrail(audit.WithActor(ctx, p.actor), rec, audit.Event{})
	trail.Return() // so that every decision waits for its record
	m.Mux.ServeHTTP(httptest.NewRecorder(), req.WithContext(ctx))
	switch {
	case rec.event == nil:
		return "", errors.New("rbactest: nothing was decided")
	case rec.event.Outcome == audit.Success:
		return rbac.CodeAllowed, nil
	case rec.event.Outcome != audit.Failure:
		return "", fmt.Errorf("rbactest: undecided, with code %q", rec.event.Code)
	}
	switch code := rbac.Code(rec.event.Code); code {
	case rbac.CodeReason, rbac.CodeStepUp, rbac.CodeSecondPerson, rbac.CodeLicence: // said only to who may do it otherwise
		return rbac.CodeAllowed, nil
	default:
		return code, nil
	}
}
