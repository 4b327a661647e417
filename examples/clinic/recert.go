package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// wireCampaigns makes the desk at which access is reviewed: of the team, of programs, and of the
// platform's support. They are all grants.
func (a *app) wireCampaigns(s *stores) error {
	rules := grantRules(a.access.Policy())
	held, err := recert.NewGrants(a.access, a.grants, &recert.GrantOptions{Exclusive: rules.Exclusive})
	if err != nil {
		return err
	}
	usage, err := recert.NewLogUsage(s.audit)
	if err != nil {
		return err
	}
	o := &recert.Options{Fresh: freshly}
	if a.config.demo {
		o.Every = 10 * time.Second // somebody is waiting to see it
	}
	a.campaigns, err = recert.New(recert.Parts{
		Store: s.recert, Recorder: a.log, Population: held, Policy: held.Policy, Usage: usage, StepUps: a.sessions,
		Effects: held.Effects(),
		OnlyOne: onlyTherapist{a}, Notices: reviewNotices{a},
	}, o)
	return err
}

// onlyTherapist knows whose patients nobody else cares for.
type onlyTherapist struct{ *app }

// OnlyOne satisfies recert.OnlyOne: a colleague counts who may still care for patients.
func (o onlyTherapist) OnlyOne(ctx context.Context, t audit.Tenant, a recert.Access) (bool, error) {
	if !cares([]rbac.RoleName{rbac.RoleName(a.Role)}) {
		return false, nil
	}
	others, err := o.colleagues(ctx, t, a.Subject)
	if err != nil {
		return false, err
	}
	able := map[audit.ActorID]bool{}
	for _, list := range others {
		if !slices.ContainsFunc(list, func(id audit.ActorID) bool {
			if _, asked := able[id]; !asked && err == nil {
				able[id], err = o.mayCare(ctx, t, id)
			}
			return able[id]
		}) {
			return true, err
		}
	}
	return false, err
}

// colleagues returns who else cares for each of somebody's patients now.
func (o onlyTherapist) colleagues(ctx context.Context, t audit.Tenant, id audit.ActorID) (map[string][]audit.ActorID, error) {
	now := time.Now().UnixMicro()
	rows, err := o.db.pool.QueryContext(ctx, o.db.q(`SELECT c.patient, COALESCE(x.therapist, '') FROM clinic_care c
		LEFT JOIN clinic_care x ON x.tenant = c.tenant AND x.patient = c.patient AND x.therapist <> c.therapist AND (x.until = 0 OR x.until > ?)
		WHERE c.tenant = ? AND c.therapist = ? AND (c.until = 0 OR c.until > ?)`), now, string(t), string(id), now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]audit.ActorID{}
	for rows.Next() {
		var patient string
		var other audit.ActorID
		if err := rows.Scan(&patient, &other); err != nil {
			return nil, err
		}
		if out[patient] = append(out[patient], other); other == "" {
			out[patient] = nil
		}
	}
	return out, rows.Err()
}

// mayCare reports whether somebody holds a role that cares for patients, and is not suspended.
func (o onlyTherapist) mayCare(ctx context.Context, t audit.Tenant, id audit.ActorID) (bool, error) {
	held, err := o.grants.Grants(ctx, t, id)
	now, able := time.Now(), false
	for _, g := range held {
		if !g.InForce(now) {
			continue
		}
		if g.Role == rbac.Suspended {
			return false, err
		}
		able = able || cares([]rbac.RoleName{g.Role})
	}
	return able, err
}

// reviewNotices tells the operator's log that reviews wait for people: which review, and nobody's
// name. The dashboard shows each person what waits for them.
type reviewNotices struct{ *app }

// Notify satisfies recert.Notices.
func (n reviewNotices) Notify(ctx context.Context, x recert.Notice) error {
	n.logger.InfoContext(ctx, "an access review waits for somebody", "campaign", x.Campaign, "what", string(x.What), "open", x.Open)
	return nil
}

func (a *app) campaignRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /campaigns", campaignRead, a.campaignsPage)
	here.Handle("POST /campaigns", campaignStart, a.startCampaign)
	here.Handle("GET /campaigns/{campaign}", campaignRead, a.campaignPage)
	here.Handle("POST /campaigns/{campaign}/sign", campaignSign, a.signCampaign)
	here.Handle("GET /campaigns/{campaign}/evidence", campaignEvidence, a.campaignBundle)
	here.Handle("POST /campaigns/{campaign}/check", campaignEvidence, a.checkCampaign)
	here.Handle("GET /my-reviews", campaignMine, a.myReviewsPage)
	here.Handle("POST /my-reviews/{campaign}/{item}", campaignDecide, a.decideReview)
}

// campaignProblem is what went wrong in plain words with its status, "" where there are no better words
// than those of the status.
func campaignProblem(err error) (string, int) {
	for _, known := range []struct {
		err    error
		status int
		words  string
	}{
		{recert.ErrSpec, http.StatusUnprocessableEntity, "Please give the review a name, and between 1 and 366 days; for one that comes again, at most as many days as lie between two of them."},
		{recert.ErrNoReviewer, http.StatusUnprocessableEntity, "Nobody would be left to review some of these people: nobody reviews themselves, and no two people review each other. Please choose three different people who review."},
		{recert.ErrEmpty, http.StatusUnprocessableEntity, "Nobody has what this review would be about."},
		{recert.ErrReason, http.StatusUnprocessableEntity, "Please say in a few words why. It is kept on record."},
		{recert.ErrDelegated, http.StatusConflict, "This was handed on once already. Please decide, or pass."},
		{recert.ErrSelf, http.StatusForbidden, "Nobody reviews their own access. That you tried is on record."},
		{recert.ErrGrantor, http.StatusForbidden, "Who gave an administrator or a program its access does not review that."},
		{recert.ErrMutual, http.StatusForbidden, "That person’s own access is reviewed by whom it is about. Please choose somebody else."},
		{recert.ErrReviewer, http.StatusForbidden, "This does not wait for you, or cannot be handed to whom you chose."},
		{recert.ErrLastAdmin, http.StatusConflict, "Nobody would be left who administers the clinic, so nothing was changed."},
		{recert.ErrRefused, http.StatusConflict, "A rule of the clinic’s roles does not allow this, so nothing was changed."},
		{recert.ErrVerdict, http.StatusUnprocessableEntity, "Please check what you chose: a last day lies in the future, and before the one that there is."},
		{recert.ErrSigned, http.StatusConflict, "This review is signed off. It does not change any more."},
		{recert.ErrOpen, http.StatusConflict, "Something still waits for a decision, or for its effect, so this cannot be signed off yet."},
		{recert.ErrGone, http.StatusConflict, "That access is not there any more, so nothing was changed."},
		{recert.ErrState, http.StatusConflict, "That is not possible any more. The page shows how it stands now."},
		{recert.ErrConflict, http.StatusConflict, "Somebody else changed this review meanwhile, so nothing was saved. Here is how it stands now."},
		{recert.ErrActor, http.StatusForbidden, "Please sign in with a code first: access is reviewed with a second factor."},
	} {
		if errors.Is(err, known.err) {
			return known.words, known.status
		}
	}
	return "", http.StatusServiceUnavailable
}
