package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

// Answer is a response to grade. A page that shows somebody's data, over HTTPS, is the zero
// value with its Header.
type Answer struct {
	Header  http.Header
	Profile session.Profile
	// Plain says that it came over plain HTTP, as on localhost in development.
	Plain bool
	// SignedOut says that it answers signing out.
	SignedOut bool
}

// TestHeaders grades the headers of a host's response, each rule as a subtest:
//
//	sessiontest.TestHeaders(t, sessiontest.Answer{Header: w.Result().Header})
//
// The rules are what session.SecurityHeaders sets, or stricter; a page that may use other
// origins (session.Sources) keeps them too. For each rule wardkit's own tests hold an answer,
// spoiled in that one place, that this rule catches and no other does.
func TestHeaders(t *testing.T, a Answer) {
	t.Helper()
	conform.Test(t, HeaderRules(), func(testing.TB) Answer { return a })
}

// CheckHeaders returns everything that the response lacks, nil if nothing. It is TestHeaders
// for callers with many responses, or outside a test.
func CheckHeaders(ctx context.Context, a Answer) error {
	return conform.Check(ctx, HeaderRules(), func() (Answer, error) { return a, nil })
}

type headerRule = conform.Rule[Answer]

// HeaderRules returns the rules of TestHeaders.
func HeaderRules() []headerRule {
	all := append(policyRules(), []headerRule{
		oneOf("x_frame_options", "X-Frame-Options: DENY, for browsers that do not know frame-ancestors", "X-Frame-Options", "DENY"),
		oneOf("nosniff", "X-Content-Type-Options: nosniff (ASVS 5.0, 3.4.4)", "X-Content-Type-Options", "nosniff"),
		oneOf("referrer_policy", "Referrer-Policy: same-origin or no-referrer (ASVS 5.0, 3.4.5)", "Referrer-Policy", "same-origin", "no-referrer"),
		oneOf("opener_policy", "Cross-Origin-Opener-Policy: same-origin (ASVS 5.0, 3.4.8)", "Cross-Origin-Opener-Policy", "same-origin"),
		oneOf("resource_policy", "Cross-Origin-Resource-Policy: same-origin", "Cross-Origin-Resource-Policy", "same-origin"),
		oneOf("no_store", "Cache-Control: no-store (ASVS 5.0, 14.3.2)", "Cache-Control", "no-store"),
		{Name: "embedder_policy", Clause: "Cross-Origin-Embedder-Policy: require-corp, on public pages also credentialless", Run: embedder},
		{Name: "permissions_policy", Clause: "Permissions-Policy leaves no device feature to other origins", Run: permissions},
		{Name: "hsts", Clause: "Strict-Transport-Security of a year at least, with subdomains (ASVS 5.0, 3.4.1)", Run: hsts},
		{Name: "no_hsts_over_http", Clause: "Strict-Transport-Security must not be sent over plain HTTP (RFC 6797, section 7.2)", Run: noHSTS},
		{Name: "cookies", Clause: "Cookies are __Host-, Secure, HttpOnly, SameSite, Path=/ and without Domain (ASVS 5.0, 3.3)", Run: cookies},
		{Name: "no_sharing", Clause: "No other origin reads the response (ASVS 5.0, 3.4.2)", Run: noSharing},
		{Name: "no_server_named", Clause: "No product and no version is named (ASVS 5.0, 13.4.6)", Run: noServer},
		{Name: "clear_site_data", Clause: "Signing out clears cache and storage (ASVS 5.0, 14.3.1)", Run: clearSiteData},
	}...)
	for i, rule := range all {
		all[i].Run = func(ctx context.Context, a Answer) error { return rule.Run(ctx, a.canonical()) }
	}
	return all
}

// canonical is the answer as it is read off the wire: a handler may have written names in any case.
func (a Answer) canonical() Answer {
	h := make(http.Header, len(a.Header))
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		for _, v := range a.Header[name] {
			h.Add(name, v)
		}
	}
	a.Header = h
	return a
}

// one returns the only line of a field.
func one(h http.Header, field string) (string, error) {
	switch lines := h.Values(field); len(lines) {
	case 0:
		return "", fmt.Errorf("no %s", field)
	case 1:
		return lines[0], nil
	}
	return "", fmt.Errorf("more than one %s", field)
}

// oneOf is a rule for a field that has one of few values.
func oneOf(name, clause, field string, values ...string) headerRule {
	return headerRule{Name: name, Clause: clause, Run: func(_ context.Context, a Answer) error {
		got, err := one(a.Header, field)
		if err == nil && !slices.Contains(values, strings.TrimSpace(got)) {
			err = fmt.Errorf("%s is %q", field, got)
		}
		return err
	}}
}

func embedder(ctx context.Context, a Answer) error {
	values := []string{"require-corp"}
	if a.Profile == session.PublicProfile {
		values = append(values, "credentialless")
	}
	return oneOf("", "", "Cross-Origin-Embedder-Policy", values...).Run(ctx, a)
}

// permissions wants each feature that reaches a device or money named, with nobody or the
// page's own origin behind it: what is not named is allowed (W3C Permissions Policy).
func permissions(_ context.Context, a Answer) error {
	line, err := one(a.Header, "Permissions-Policy")
	if err != nil {
		return err
	}
	said := map[string]string{}
	for entry := range strings.SplitSeq(line, ",") {
		feature, allowed, _ := strings.Cut(strings.TrimSpace(entry), "=")
		if feature == "" || strings.Trim(feature, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return errors.New("Permissions-Policy is no dictionary of RFC 9651, so browsers leave it out") //nolint:revive // a field's name
		}
		said[feature] = allowed
	}
	for _, feature := range []string{
		"bluetooth", "camera", "display-capture", "geolocation", "hid", "microphone", "midi", "payment", "serial", "usb",
	} {
		if allowed, named := said[feature]; !named || allowed != "()" && allowed != "(self)" && allowed != "self" {
			return fmt.Errorf("Permissions-Policy says %q of %s", allowed, feature) //nolint:revive // a field's name
		}
	}
	return nil
}

const year = 365 * 24 * 60 * 60 // seconds

func hsts(_ context.Context, a Answer) error {
	if a.Plain {
		return nil
	}
	line, err := one(a.Header, "Strict-Transport-Security")
	if err != nil {
		return err
	}
	age, subdomains, seen := 0, false, map[string]bool{}
	for part := range strings.SplitSeq(strings.ToLower(line), ";") {
		name, value, valued := strings.Cut(strings.TrimSpace(part), "=")
		if seen[name] && name != "" {
			return fmt.Errorf("%s is there twice", name) // RFC 6797, section 6.1
		}
		seen[name] = true
		switch name {
		case "max-age":
			n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if age = int(n); err != nil {
				return errors.New("max-age is no number")
			}
		case "includesubdomains":
			subdomains = !valued
		}
	}
	if age < year || !subdomains {
		return fmt.Errorf("%d seconds, with subdomains %v", age, subdomains)
	}
	return nil
}

func noHSTS(_ context.Context, a Answer) error {
	if a.Plain && a.Header.Get("Strict-Transport-Security") != "" {
		return errors.New("it is sent")
	}
	return nil
}

func cookies(_ context.Context, a Answer) error {
	for _, line := range a.Header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		switch {
		case err != nil:
			return errors.New("one that cannot be read")
		case !strings.HasPrefix(c.Name, "__Host-"), c.Path != "/", c.Domain != "":
			return fmt.Errorf("%s is not for this host alone", c.Name)
		case !c.Secure, !c.HttpOnly, c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode:
			return fmt.Errorf("%s is not Secure, HttpOnly and SameSite", c.Name)
		}
	}
	return nil
}

func noSharing(_ context.Context, a Answer) error {
	switch got := strings.TrimSpace(a.Header.Get("Access-Control-Allow-Origin")); {
	case got != "" && a.Profile == session.AppProfile, strings.EqualFold(got, "null"),
		got != "" && got != "*" && a.Header.Get("Access-Control-Allow-Credentials") != "":
		return fmt.Errorf("Access-Control-Allow-Origin is %s", got) //nolint:revive // a field's name
	}
	return nil
}

func noServer(_ context.Context, a Answer) error {
	for _, field := range []string{"Server", "X-Powered-By", "X-Aspnet-Version"} {
		if a.Header.Get(field) != "" {
			return fmt.Errorf("%s is sent", field)
		}
	}
	return nil
}

func clearSiteData(_ context.Context, a Answer) error {
	if !a.SignedOut {
		return nil
	}
	line := strings.Join(a.Header.Values("Clear-Site-Data"), ",")
	if strings.Contains(line, `"*"`) {
		return nil
	}
	for _, want := range []string{`"cache"`, `"storage"`} {
		if !strings.Contains(line, want) {
			return fmt.Errorf("without %s", want)
		}
	}
	return nil
}
