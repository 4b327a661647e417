package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// campaignBundle hands out the evidence of a review as a file, the same bytes each time.
func (a *app) campaignBundle(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	b, err := a.campaigns.Evidence(r.Context(), r.PathValue("campaign"))
	if err != nil {
		a.noEvidence(w, r, err)
		return
	}
	file, err := reviewZip(b)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="access-review.zip"`)
	_, _ = w.Write(file)
}

func (a *app) noEvidence(w http.ResponseWriter, r *http.Request, err error) {
	words, status := campaignProblem(err)
	switch {
	case errors.Is(err, recert.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	case words != "":
		a.showCampaign(w, r, status, words, nil)
	case errors.Is(err, recert.ErrDamaged):
		a.showCampaign(w, r, http.StatusConflict, "What is stored of this review is not what was recorded. Somebody should look at the database.", nil)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

func reviewZip(b recert.Bundle) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range []struct {
		name string
		text []byte
	}{{"access-review.jsonl", b.JSON}, {"access-review.csv", b.CSV}} {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write(f.text)
		}
		if err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// bundleCheck is what a check of the evidence came to.
type bundleCheck struct {
	OK      bool
	Records int
	Digest  string
	Log     string // what the audit says of it
}

// checkCampaign makes the evidence, checks it the way an auditor would, and compares it with the audit.
func (a *app) checkCampaign(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	b, err := a.campaigns.Evidence(r.Context(), r.PathValue("campaign"))
	if err != nil {
		a.noEvidence(w, r, err)
		return
	}
	check := &bundleCheck{Digest: b.Digest}
	v, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
	if err == nil {
		err = v.VerifyTable(bytes.NewReader(b.CSV))
	}
	if check.OK = err == nil; check.OK {
		check.Records = v.Records
		if check.Log, check.OK, err = a.anchored(r.Context(), &v); err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
	}
	a.showCampaign(w, r, http.StatusOK, "", check)
}

// anchored compares a bundle with the event of its sign-off, or of its beginning while nobody has signed:
// who signed, when, and what.
func (a *app) anchored(ctx context.Context, v *recert.Verified) (string, bool, error) {
	what := "Nobody has signed yet. The audit has who had which access when it began."
	if !v.SignOff.IsZero() {
		what = "The audit has the same from the moment it was signed."
	}
	entry, err := a.events.Get(ctx, tenant, v.Anchor())
	if errors.Is(err, audit.ErrNotFound) {
		return "The audit has no event of it.", false, nil
	}
	if err != nil {
		return "", false, err
	}
	if e, err := audit.Decode(entry.Body); err != nil || v.Anchored(e) != nil {
		return "The audit says something else.", false, nil
	}
	return what, true, nil
}
