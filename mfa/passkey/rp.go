package passkey

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// RelyingParty is the site that passkeys are made for. It is chosen once: passkeys of another ID
// are never found again.
type RelyingParty struct {
	// ID is the host name that passkeys belong to: the host of every web origin, or a parent
	// domain of all of them ("clinic.example" for "https://app.clinic.example"). Lower case, no
	// scheme, no port, no IP address; an international name in its ASCII form. "localhost" is for
	// development.
	ID string
	// Name is what a device shows the person, 1 to 64 bytes.
	Name string
	// Origins are where responses may come from, compared byte for byte:
	//   - "https://app.clinic.example", with a port only if it is not 443, and nothing after it;
	//   - "https://clinic.example", the ID itself, which apps on iOS and macOS send;
	//   - "http://localhost:8080", if the ID is "localhost";
	//   - "android:apk-key-hash:…", the SHA-256 of an Android app's signing certificate, base64url;
	//   - "ios:bundle-id:…", which some kits for apps send.
	Origins []string
}

const (
	maxOrigins  = 32
	maxNameSize = 64
	maxHostSize = 253
	androidApp  = "android:apk-key-hash:"
	localhost   = "localhost"
)

var (
	label    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	bundleID = regexp.MustCompile(`^ios:bundle-id:[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
)

// check names every problem.
func (rp *RelyingParty) check() error {
	var problems []error
	if why := badHost(rp.ID); why != "" {
		problems = append(problems, fmt.Errorf("passkey: RelyingParty.ID %s", why))
	}
	if !printable(rp.Name, maxNameSize) {
		problems = append(problems, errors.New("passkey: RelyingParty.Name is empty, longer than 64 bytes or holds control characters"))
	}
	switch {
	case len(rp.Origins) == 0:
		problems = append(problems, errors.New("passkey: RelyingParty.Origins is empty"))
	case len(rp.Origins) > maxOrigins:
		problems = append(problems, fmt.Errorf("passkey: RelyingParty.Origins has more than %d entries", maxOrigins))
	}
	for i, o := range rp.Origins {
		why := rp.badOrigin(o)
		if why == "" && slices.Index(rp.Origins, o) < i {
			why = "is there twice"
		}
		if why != "" {
			problems = append(problems, fmt.Errorf("passkey: RelyingParty.Origins[%d] %s", i, why))
		}
	}
	return errors.Join(problems...)
}

// badHost says what is wrong with a host as relying party ID, or nothing.
func badHost(host string) string {
	labels := strings.Split(host, ".")
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case host == "":
		return "is empty"
	case host == localhost:
		return ""
	case err == nil:
		return "is an IP address, which cannot have passkeys"
	case strings.ContainsAny(host, ":/"):
		return "has a scheme, port or path: it is a host name alone"
	case strings.ContainsAny(host, "*"):
		return "has a wildcard: name a parent domain"
	case len(host) > maxHostSize || slices.ContainsFunc(labels, func(s string) bool { return !label.MatchString(s) }):
		return "is not a host name in lower case and ASCII"
	case len(labels) < 2 || strings.Trim(labels[len(labels)-1], "0123456789") == "":
		return "is not a domain that somebody can own"
	}
	return ""
}

// badOrigin says what is wrong with an origin, or nothing.
func (rp *RelyingParty) badOrigin(origin string) string {
	if hash, ok := strings.CutPrefix(origin, androidApp); ok {
		if raw, err := decode(hash); err != nil || len(raw) != 32 {
			return "is not the SHA-256 of a certificate in base64url without padding"
		}
		return ""
	}
	if bundleID.MatchString(origin) {
		return ""
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "is neither a web origin (https://host) nor an app's"
	}
	host, port := u.Hostname(), u.Port()
	if why := badHost(host); why != "" {
		return "has a host that " + why
	}
	if u.Scheme+"://"+u.Host != origin || strings.HasSuffix(u.Host, ":") {
		return "has more than scheme, host and port, or is not in lower case"
	}
	if n, _ := strconv.ParseUint(port, 10, 16); port != "" && (n == 0 || strconv.FormatUint(n, 10) != port) {
		return "has a port that is none"
	}
	switch {
	case u.Scheme == "https" && port == "443", u.Scheme == "http" && port == "80":
		return "names the port that browsers leave out"
	case u.Scheme == "http" && host != localhost:
		return "is http, which browsers allow on localhost only"
	case host != rp.ID && !strings.HasSuffix(host, "."+rp.ID):
		return "is of a host outside RelyingParty.ID"
	}
	return ""
}
