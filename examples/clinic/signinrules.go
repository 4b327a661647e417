package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// settingsArea is what one proof of who somebody is opens for a few minutes.
const settingsArea = "settings"

// firstRules hold until an administrator saves others.
func firstRules() session.Policy {
	area := session.Duty{Area: settingsArea, Within: 5 * time.Minute}
	p := session.DefaultPolicy()
	p.HighRisk = map[audit.Action]session.Duty{
		settingsRead.Name(): area, settingsChange.Name(): area,
		memberReset.Name(): {}, portalReset.Name(): {}, // each time
		keysRenew.Name(): {}, rolesChange.Name(): {}, choicesChange.Name(): {}, letterPurge.Name(): {}, formPurge.Name(): {}, // each time
		exportRead.Name(): area, exportMake.Name(): area,
		retentionChange.Name(): {}, holdPlace.Name(): area, holdRelease.Name(): {}, purgePropose.Name(): {}, purgeApprove.Name(): {}, patientShred.Name(): {}, purgeExport.Name(): area,
	}
	return p
}

// ruleKinds are the kinds of people that the rules tell apart; "" are all others.
func ruleKinds() []option {
	return []option{{string(audit.KindStaff), "The team"}, {string(audit.KindPatient), "Patients"}, {"", "Everybody else"}}
}

// riskyActions are what an administrator may have people asked again for.
func riskyActions() []audit.Action {
	return []audit.Action{
		patientReveal.Name(), noteWrite.Name(), registerSubmit.Name(), claimSubmit.Name(), claimChange.Name(), teamManage.Name(),
		auditRead.Name(), auditOpen.Name(), accessRead.Name(), settingsRead.Name(), settingsChange.Name(), keysRenew.Name(),
		memberReset.Name(), portalReset.Name(),
		rightsRead.Name(), rolesChange.Name(), choicesChange.Name(), letterPurge.Name(), formPurge.Name(), patientShred.Name(),
		exportRead.Name(), exportMake.Name(),
		retentionChange.Name(), holdPlace.Name(), holdRelease.Name(), purgePropose.Name(), purgeApprove.Name(), purgeExport.Name(),
	}
}

// How often somebody is asked again for an action.
const (
	askNever = ""
	askOnce  = "once" // then not for five minutes, for any action of this sort
	askEach  = "each"
)

// limitsRow and riskRow are lines of the form, as it was typed.
type limitsRow struct {
	Kind, Name               string
	Idle, Absolute, Sessions string // minutes, hours, number
}

type riskRow struct {
	Action    audit.Action
	Name, Ask string
}

type rulesData struct {
	MayChange bool
	Version   int64
	Limits    []limitsRow
	Risks     []riskRow
	HereOnly  bool // signing out ends only the session at hand
}

func (a *app) rulesPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	p, err := a.sessions.Policy(r.Context(), tenant)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.showRules(w, r, http.StatusOK, rulesOf(p), "")
}

func (a *app) showRules(w http.ResponseWriter, r *http.Request, status int, d rulesData, problem string) {
	d.MayChange = holds(r.Context(), a, settingsChange)
	a.render(w, r, status, "rules", view{Title: "Signing in", Problem: problem, Data: d})
}

// rulesOf writes a policy into the form.
func rulesOf(p session.Policy) rulesData {
	d := rulesData{Version: p.Version, HereOnly: p.SignOut == session.ThisDevice}
	for _, k := range ruleKinds() {
		l := p.For(audit.Kind(k.ID))
		d.Limits = append(d.Limits, limitsRow{
			k.ID, k.Name, strconv.Itoa(int(l.Idle.Minutes())), strconv.Itoa(int(l.Absolute.Hours())), strconv.Itoa(l.Sessions),
		})
	}
	for _, action := range riskyActions() {
		duty, listed := p.HighRisk[action]
		ask := askNever
		switch {
		case listed && duty.Area == "":
			ask = askEach
		case listed:
			ask = askOnce
		}
		d.Risks = append(d.Risks, riskRow{action, deedText(action), ask})
	}
	return d
}

// typedRules reads the form as it was typed.
func typedRules(r *http.Request) rulesData {
	form := r.PostForm
	d := rulesData{HereOnly: form.Get("sign-out") == "here"}
	d.Version, _ = strconv.ParseInt(form.Get("version"), 10, 64)
	for _, k := range ruleKinds() {
		d.Limits = append(d.Limits, limitsRow{
			k.ID, k.Name, strings.TrimSpace(form.Get("idle-" + k.ID)), strings.TrimSpace(form.Get("absolute-" + k.ID)), strings.TrimSpace(form.Get("sessions-" + k.ID)),
		})
	}
	for _, action := range riskyActions() {
		d.Risks = append(d.Risks, riskRow{action, deedText(action), form.Get("ask-" + string(action))})
	}
	return d
}

// policy makes a policy of the form; what the form does not show stays as p has it.
func (d rulesData) policy(p session.Policy) (session.Policy, error) {
	p = p.Clone()
	p.Version, p.SignOut, p.Kinds = d.Version, session.Everywhere, map[audit.Kind]session.Limits{}
	if d.HereOnly {
		p.SignOut = session.ThisDevice
	}
	for _, row := range d.Limits {
		l, err := row.limits()
		if err != nil {
			return p, err
		}
		if row.Kind == "" {
			p.Limits = l
			continue
		}
		p.Kinds[audit.Kind(row.Kind)] = l
	}
	if p.HighRisk == nil {
		p.HighRisk = map[audit.Action]session.Duty{}
	}
	for _, row := range d.Risks {
		switch row.Ask {
		case askNever:
			delete(p.HighRisk, row.Action)
		case askOnce:
			p.HighRisk[row.Action] = session.Duty{Area: settingsArea, Within: 5 * time.Minute}
		case askEach:
			p.HighRisk[row.Action] = session.Duty{}
		default:
			return p, errInput
		}
	}
	return p, p.Validate()
}

func (row limitsRow) limits() (session.Limits, error) {
	idle, err1 := strconv.ParseUint(row.Idle, 10, 16)
	absolute, err2 := strconv.ParseUint(row.Absolute, 10, 16)
	sessions, err3 := strconv.ParseUint(row.Sessions, 10, 16)
	if errors.Join(err1, err2, err3) != nil {
		return session.Limits{}, errInput
	}
	return session.Limits{Idle: time.Duration(idle) * time.Minute, Absolute: time.Duration(absolute) * time.Hour, Sessions: int(sessions)}, nil
}

// saveRules puts the form into force, on every server with its next request.
func (a *app) saveRules(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx, d := r.Context(), typedRules(r)
	p, err := a.sessions.Policy(ctx, tenant)
	if err == nil {
		p, err = d.policy(p)
	}
	if err == nil {
		err = a.sessions.SavePolicy(ctx, tenant, p)
	}
	switch {
	case errors.Is(err, errInput), errors.Is(err, session.ErrPolicy):
		a.showRules(w, r, http.StatusUnprocessableEntity, d, "Nothing was saved. Please check the numbers: 1 to 60 minutes without activity, at most 24 hours in all and not less than the minutes, 0 to 1,000 places at once.")
	case errors.Is(err, session.ErrConflict):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/settings/sign-in?done=rules", http.StatusSeeOther)
	}
}

// spellWait writes how long somebody has to wait.
func spellWait(d time.Duration) string {
	if d < time.Minute {
		return plural(int(d.Seconds()), "second")
	}
	return plural(int((d + time.Minute - 1).Minutes()), "minute")
}

// spell writes a duration as people say it.
func spell(d time.Duration) string {
	if hours := int(d.Hours()); d%time.Hour == 0 && hours > 0 {
		return plural(hours, "hour")
	}
	return plural(int(d.Minutes()), "minute")
}
