package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/session"
)

// policyRules are the rules for the Content-Security-Policy. See session.Profile.
func policyRules() []headerRule {
	return []headerRule{
		{Name: "policy_is_one", Clause: "There is one Content-Security-Policy, and no directive in it twice", Run: policyIsOne},
		directive("policy_default", "default-src 'none': what is not named is refused", "default-src", "'none'"),
		{Name: "policy_scripts", Clause: "script-src names nonces and nothing else (ASVS 5.0, 3.4.3)", Run: policyScripts},
		{Name: "policy_nonce", Clause: "A nonce has 128 bits or more (W3C CSP level 3, section 7.1)", Run: policyNonce},
		{Name: "policy_styles", Clause: "style-src names this origin and nonces", Run: policyStyles},
		{Name: "policy_sources", Clause: "Every other source is this origin or an exact one over TLS", Run: policySources},
		{Name: "policy_forms", Clause: "form-action names this origin or exact ones", Run: policyForms},
		directive("policy_frames", "frame-ancestors 'none' (ASVS 5.0, 3.4.6)", "frame-ancestors", "'none'"),
		directive("policy_base", "base-uri 'none' (ASVS 5.0, 3.4.3)", "base-uri", "'none'"),
		directive("policy_objects", "object-src 'none' (ASVS 5.0, 3.4.3)", "object-src", "'none'"),
		{Name: "policy_trusted_types", Clause: "require-trusted-types-for 'script', except on public pages", Run: policyTrustedTypes},
	}
}

// directives takes the first policy apart; only the first of two equal directives counts.
func directives(a Answer) (said map[string][]string, twice string) {
	said = map[string][]string{}
	for part := range strings.SplitSeq(a.Header.Get("Content-Security-Policy"), ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		if _, there := said[name]; there {
			twice = name
			continue
		}
		said[name] = words[1:]
	}
	return said, twice
}

func policyIsOne(_ context.Context, a Answer) error {
	_, err := one(a.Header, "Content-Security-Policy")
	if _, twice := directives(a); err == nil && twice != "" {
		err = fmt.Errorf("%s is there twice", twice)
	}
	return err
}

// directive is a rule for a directive with one value.
func directive(name, clause, directive, value string) headerRule {
	return headerRule{Name: name, Clause: clause, Run: func(_ context.Context, a Answer) error {
		said, _ := directives(a)
		if got := said[directive]; !slices.Equal(got, []string{value}) {
			return fmt.Errorf("%s is %q", directive, got)
		}
		return nil
	}}
}

// nonce returns the value of a nonce source.
func nonce(source string) (value string, ok bool) {
	value, ok = strings.CutPrefix(source, "'nonce-")
	value, end := strings.CutSuffix(value, "'")
	return value, ok && end
}

func policyScripts(_ context.Context, a Answer) error {
	said, _ := directives(a)
	for _, name := range []string{"script-src", "script-src-elem", "script-src-attr", "worker-src"} {
		sources, there := said[name]
		if !there && name != "script-src" {
			continue
		}
		for _, source := range sources {
			if _, ok := nonce(source); !ok && source != "'none'" && source != "'strict-dynamic'" && source != "'report-sample'" {
				return fmt.Errorf("%s allows %s", name, source)
			}
		}
		if len(sources) == 0 {
			return fmt.Errorf("no %s", name)
		}
	}
	return nil
}

// policyNonce counts at most 6 bits for each character of a nonce.
func policyNonce(_ context.Context, a Answer) error {
	said, _ := directives(a)
	for _, sources := range said {
		for _, source := range sources {
			if value, ok := nonce(source); ok && len(strings.TrimRight(value, "=")) < 22 {
				return errors.New("a nonce is shorter")
			}
		}
	}
	return nil
}

func policyStyles(_ context.Context, a Answer) error {
	said, _ := directives(a)
	for _, name := range []string{"style-src", "style-src-elem", "style-src-attr"} {
		for _, source := range said[name] {
			if _, ok := nonce(source); !ok && source != "'self'" && source != "'none'" {
				return fmt.Errorf("%s allows %s", name, source)
			}
		}
	}
	return nil
}

func policySources(_ context.Context, a Answer) error {
	said, _ := directives(a)
	for _, name := range []string{
		"img-src", "font-src", "media-src", "manifest-src", "connect-src", "frame-src", "child-src", "prefetch-src",
	} {
		for _, source := range said[name] {
			if !exact(source) && (name != "img-src" || source != "data:") {
				return fmt.Errorf("%s allows %s", name, source)
			}
		}
	}
	return nil
}

func policyForms(_ context.Context, a Answer) error {
	said, _ := directives(a)
	if len(said["form-action"]) == 0 {
		return errors.New("no form-action") // default-src does not stand in for it
	}
	for _, source := range said["form-action"] {
		if !exact(source) {
			return fmt.Errorf("form-action allows %s", source)
		}
	}
	return nil
}

// exact reports whether a source is this origin, nobody, or one origin over TLS.
func exact(source string) bool {
	if source == "'self'" || source == "'none'" {
		return true
	}
	u, err := url.Parse(source)
	return err == nil && (u.Scheme == "https" || u.Scheme == "wss") && u.Host != "" &&
		!strings.Contains(u.Host, "*") && source == u.Scheme+"://"+u.Host
}

func policyTrustedTypes(_ context.Context, a Answer) error {
	said, _ := directives(a)
	if got := said["require-trusted-types-for"]; a.Profile == session.AppProfile && !slices.Equal(got, []string{"'script'"}) {
		return fmt.Errorf("require-trusted-types-for is %q", got)
	}
	return nil
}
