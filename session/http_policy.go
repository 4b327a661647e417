package session

import (
	"fmt"
	"net/url"
	"strings"
)

// Profile is a kind of page. Both are strict; they differ in what scripts may do and in what
// other sites' resources may be shown. The directives, all of W3C CSP level 3:
//
//	default-src 'none'               what is not named is refused: plug-ins, workers, frames
//	script-src 'nonce-…'             only scripts that this response itself names; not even
//	                                 'self', or an uploaded file could be run as one
//	style-src 'self' 'nonce-…'       style sheets of this origin, inline ones by nonce
//	img-src 'self' data:             pictures of this origin; nothing leaks by an address
//	font-src, media-src, manifest-src, connect-src 'self'
//	form-action 'self'               a form that is slipped in posts nowhere else
//	frame-ancestors 'none'           no other site frames a page (ASVS 5.0, 3.4.6)
//	base-uri 'none', object-src 'none' (ASVS 5.0, 3.4.3)
//	require-trusted-types-for 'script'   AppProfile only: strings never become code or markup
type Profile uint8

// The profiles.
const (
	// AppProfile is for pages behind the sign-in and for everything that was not said to be
	// public.
	AppProfile Profile = iota
	// PublicProfile is for pages that show nobody's data. Their scripts may use the sinks
	// that Trusted Types guard, and pictures of Sources.Images need no permission of theirs.
	PublicProfile
)

// Sources are origins, as "https://media.example.com", in addition to the page's own. Each
// one can read what pages send it.
type Sources struct {
	Connect []string // that scripts may call (connect-src); "wss://" too
	Images  []string // that pictures may come from (img-src)
	Frames  []string // that may be shown in a frame (frame-src)
	// Forms may be posted to, or be redirected to after a form was posted (form-action): the
	// identity provider, where signing in begins with a form.
	Forms []string
}

// csp is a Content-Security-Policy around its nonces.
type csp struct {
	parts    [3]string // before, between and after the two nonces
	embedder string
	report   string
}

func newCSP(profile Profile, o HeaderOptions) (p csp, err error) {
	for _, list := range [][]string{o.Sources.Connect, o.Sources.Images, o.Sources.Frames, o.Sources.Forms} {
		for _, source := range list {
			if !exactOrigin(source) {
				return p, fmt.Errorf("session: a source of the security headers is not an origin such as https://media.example.com")
			}
		}
	}
	if o.Report != "" && !reportAddress(o.Report) {
		return p, fmt.Errorf("session: where violations are reported is neither a path nor an HTTPS address")
	}
	p.parts[0] = "default-src 'none'; script-src 'nonce-"
	p.parts[1] = "'; style-src 'self' 'nonce-"
	end := []string{
		"'", sourceList("img-src 'self' data:", o.Sources.Images), "font-src 'self'", "media-src 'self'", "manifest-src 'self'",
		sourceList("connect-src 'self'", o.Sources.Connect), sourceList("form-action 'self'", o.Sources.Forms),
		"frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'",
	}
	if len(o.Sources.Frames) > 0 {
		end = append(end, sourceList("frame-src", o.Sources.Frames))
	}
	p.embedder = "credentialless"
	if profile == AppProfile {
		p.embedder = "require-corp"
		end = append(end, "require-trusted-types-for 'script'")
	}
	if o.Report != "" {
		p.report = o.Report
		end = append(end, "report-uri "+o.Report, "report-to csp")
	}
	p.parts[2] = strings.Join(end, "; ")
	return p, nil
}

func (p csp) header(nonce string) string {
	return p.parts[0] + nonce + p.parts[1] + nonce + p.parts[2]
}

func sourceList(first string, more []string) string {
	return strings.Join(append([]string{first}, more...), " ")
}

// exactOrigin reports whether s is the scheme https or wss, a host without a wildcard,
// perhaps a port, and nothing else.
func exactOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "wss") && plainHost(u.Host) && s == u.Scheme+"://"+u.Host
}

// plainHost reports whether host is letters, digits, dots, dashes, brackets and a port, so
// that it ends no directive and no header.
func plainHost(host string) bool {
	for _, b := range []byte(host) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		case b == '.', b == '-', b == ':', b == '[', b == ']':
		default:
			return false
		}
	}
	return host != "" && host[0] != ':'
}

func reportAddress(s string) bool {
	path := s
	if !strings.HasPrefix(s, "/") {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" || !plainHost(u.Host) {
			return false
		}
		path = strings.TrimPrefix(s, "https://"+u.Host)
	}
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsAny(path, "\"\\ ,;'\t\r\n")
}
