package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
)

// banners keeps the words that people read before they are signed in. Words are never changed: new
// ones are another version, so that what somebody acknowledged can still be read years later.
type banners struct{ db *database }

// maxBanner is how many bytes a banner may have.
const maxBanner = 4000

// errBanner: the words in the table are not those that the version was given to.
var errBanner = errors.New("the words of the banner were changed")

// versionOf names words by the policy that they come with and by what they say.
func versionOf(policy int64, words string) string {
	sum := sha256.Sum256([]byte(words))
	return strconv.FormatInt(policy, 10) + "-" + hex.EncodeToString(sum[:8])
}

// keep writes the words of a version; those that are there already stay.
func (s *banners) keep(ctx context.Context, version, words string) error {
	_, err := s.db.pool.ExecContext(ctx, s.db.q(`INSERT INTO clinic_banner (tenant, version, words) VALUES (?, ?, ?)
		ON CONFLICT (tenant, version) DO NOTHING`), string(tenant), version, words)
	return err
}

// words returns those of a version, or errBanner if somebody put others in their place.
func (s *banners) words(ctx context.Context, version string) (words string, err error) {
	if version == "" {
		return "", nil
	}
	err = s.db.pool.QueryRowContext(ctx, s.db.q(`SELECT words FROM clinic_banner WHERE tenant = ? AND version = ?`), string(tenant), version).Scan(&words)
	if err != nil {
		return "", err
	}
	n, _, _ := strings.Cut(version, "-")
	policy, err := strconv.ParseInt(n, 10, 64)
	if err != nil || versionOf(policy, words) != version {
		return "", errBanner
	}
	return words, nil
}

// bannerData is the form of the banner.
type bannerData struct {
	Version        int64 // of the policy
	Words, Now     string
	Always         bool
	MayChange      bool
	Read, Everyone int // people of the team who acknowledged these words, and all
}

func (a *app) bannerPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx := r.Context()
	p, err := a.people.Policy(ctx, tenant)
	d := bannerData{Version: p.Version, Always: p.Banner.Always, Now: p.Banner.Version}
	if err == nil {
		d.Words, err = a.banners.words(ctx, p.Banner.Version)
	}
	if errors.Is(err, errBanner) {
		err = nil // the form is empty, and new words can be saved
	}
	if err == nil {
		d.Read, d.Everyone, err = a.readers(ctx, p.Banner.Version)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.showBanner(w, r, http.StatusOK, d, "")
}

func (a *app) showBanner(w http.ResponseWriter, r *http.Request, status int, d bannerData, problem string) {
	d.MayChange = holds(r.Context(), a, settingsChange)
	a.render(w, r, status, "bannerform", view{Title: "Banner", Problem: problem, Data: d})
}

// readers counts the active people of the team, and those who acknowledged a version.
func (a *app) readers(ctx context.Context, version string) (read, everyone int, err error) {
	for p, err := range a.people.People(ctx, tenant, "") {
		if err != nil {
			return 0, 0, err
		}
		if p.Kind != audit.KindStaff || p.State != authn.Active {
			continue
		}
		everyone++
		if p.Banner == version {
			read++
		}
	}
	return read, everyone, nil
}

// saveBanner puts words into force: everybody reads them at the next sign-in. Words that did not
// change keep their version, so that nobody is asked twice.
func (a *app) saveBanner(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	d := bannerData{Words: strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("words"), "\r\n", "\n")), Always: r.PostForm.Get("always") == "yes"}
	d.Version, _ = strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if len(d.Words) > maxBanner {
		a.showBanner(w, r, http.StatusUnprocessableEntity, d, "Nothing was saved. The words are too long: nobody would read them.")
		return
	}
	p, err := a.people.Policy(ctx, tenant)
	var before string
	if err == nil {
		before, err = a.banners.words(ctx, p.Banner.Version)
		if errors.Is(err, errBanner) {
			before, err = "", nil
		}
	}
	version := p.Banner.Version
	switch {
	case err != nil:
	case d.Words == "":
		version = ""
	case d.Words != before:
		version = versionOf(d.Version+1, d.Words)
		err = a.banners.keep(ctx, version, d.Words)
	}
	if err == nil {
		p.Version, p.Banner = d.Version, authn.Banner{Version: version, Always: d.Always && version != ""}
		err = a.people.SavePolicy(ctx, tenant, p, false)
	}
	a.savedPolicy(w, r, err, "/settings/banner?done=banner", func(problem string) {
		a.showBanner(w, r, http.StatusUnprocessableEntity, d, problem)
	})
}
