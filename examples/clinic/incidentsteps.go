package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/rbac"
)

// incidentStep is one change of a case, out of a form.
type incidentStep func(ctx context.Context, d *incident.Desk, id string, version int64, f url.Values) (incident.Case, error)

func incidentSteps() map[string]incidentStep {
	return map[string]incidentStep{
		"triage": triageStep, "assess": assessStep, "affected": affectedStep, "told": toldStep, "delay": delayStep,
		"assign": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			return d.Assign(ctx, id, v, audit.ActorID(f.Get("owner")), f.Get("why"))
		},
		"start": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			return d.Start(ctx, id, v, f.Get("why"))
		},
		"note": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			return d.Note(ctx, id, v, f.Get("text"))
		},
		"link": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			return d.Link(ctx, id, v, incident.LinkEvent, lastPart(f.Get("event")), nil, f.Get("why"))
		},
		"discovered": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			day, _ := incident.ParseDay(f.Get("day")) // no day is refused like a wrong one
			return d.Discovered(ctx, id, v, day, f.Get("why"))
		},
		"sign": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			return d.Sign(ctx, id, v, f.Get("answer") == "agree", f.Get("why"))
		},
		"dismiss": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			return d.Dismiss(ctx, id, v, f.Get("why"))
		},
		"close": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			return d.Close(ctx, id, v, f.Get("why"))
		},
		"reopen": func(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
			return d.Reopen(ctx, id, v, f.Get("why"))
		},
	}
}

// changeIncident carries out one step and leads back to the page.
func (a *app) changeIncident(w http.ResponseWriter, r *http.Request, g rbac.Granted[Incident]) {
	if !a.form(w, r) {
		return
	}
	step, ok := incidentSteps()[r.PathValue("step")]
	if !ok {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		a.fail(w, r, http.StatusBadRequest)
		return
	}
	id := g.Resource().ID
	_, err = step(r.Context(), a.incidents, id, version, r.PostForm)
	if err == nil {
		http.Redirect(w, r, "/incidents/"+url.PathEscape(id)+"?done=incident", http.StatusSeeOther)
		return
	}
	words := incidentProblem(err)
	if words == "" || errors.Is(err, incident.ErrUnavailable) {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.showIncident(w, r, incidentStatus(err), id, words)
}

func triageStep(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
	t := incident.Triage{
		Kind: f.Get("kind"), PHI: incident.Involved(f.Get("phi")), Part2: f.Get("part2") == "yes",
		Owner: audit.ActorID(f.Get("owner")), Text: f.Get("why"),
	}
	for _, who := range f["about"] {
		if who != "" {
			t.About = append(t.About, audit.ActorID(who))
		}
	}
	return d.Triage(ctx, id, v, t)
}

func assessStep(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
	answer := func(name string) incident.Answer {
		return incident.Answer{Rating: incident.Rating(f.Get(name)), Why: f.Get(name + "-why")}
	}
	as := incident.Assessment{
		Nature: answer("nature"), Recipient: answer("recipient"), Acquired: answer("acquired"), Mitigated: answer("mitigated"),
		Exception: incident.Exception(f.Get("exception")), Conclusion: incident.Conclusion(f.Get("conclusion")),
	}
	switch as.Conclusion {
	case incident.Excepted:
		as.ExceptionWhy = f.Get("why")
	case incident.Secured:
		as.SecuredWhy = f.Get("why")
	}
	return d.Assess(ctx, id, v, as, f.Get("why"))
}

// affectedStep adds one patient to the list, or says how many people there are about.
func affectedStep(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
	region := strings.ToUpper(strings.TrimSpace(f.Get("region")))
	if p := lastPart(f.Get("patient")); p != "" {
		return d.AddAffected(ctx, id, v, []incident.Affected{{Patient: audit.Patient(p), Region: region}}, f.Get("why"))
	}
	n, _ := strconv.Atoi(strings.TrimSpace(f.Get("number"))) // no number is refused like 0
	return d.Estimate(ctx, id, v, []incident.Count{{Region: region, N: n}}, f.Get("why"))
}

func toldStep(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
	day, _ := incident.ParseDay(f.Get("day"))
	n, _ := strconv.Atoi(strings.TrimSpace(f.Get("number")))
	return d.Notify(ctx, id, v, incident.Notice{For: f.Get("for"), On: day, How: f.Get("how"), Count: n, All: f.Get("all") == "yes"}, nil, f.Get("why"))
}

func delayStep(ctx context.Context, d *incident.Desk, id string, v int64, f url.Values) (incident.Case, error) {
	said, _ := incident.ParseDay(f.Get("said"))
	until, _ := incident.ParseDay(f.Get("until"))
	return d.SetDelay(ctx, id, v, incident.Delay{Said: said, Until: until, Written: f.Get("written") == "yes"}, f.Get("why"))
}

// lastPart takes what people copy, an ID or the address of a page, and returns the ID.
func lastPart(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	if u, err := url.Parse(s); err == nil && u.Path != "" {
		return path.Base(u.Path)
	}
	return s
}

// incidentPacket hands out the evidence of a case as a file.
func (a *app) incidentPacket(w http.ResponseWriter, r *http.Request, g rbac.Granted[Incident]) {
	body, err := a.incidents.Packet(r.Context(), g.Resource().ID)
	if err != nil {
		a.fail(w, r, incidentStatus(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="incident.json"`)
	_, _ = w.Write(body)
}
