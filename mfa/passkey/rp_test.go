package passkey_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa/passkey"
)

func TestRelyingPartyIsChecked(t *testing.T) {
	t.Parallel()
	web := func(id string, origins ...string) passkey.RelyingParty {
		return passkey.RelyingParty{ID: id, Name: "Example Clinic", Origins: origins}
	}
	origins := func(bad string) passkey.RelyingParty { return web(rpID, origin, bad) }
	for name, c := range map[string]struct {
		rp  passkey.RelyingParty
		why string
	}{
		"no ID":              {web("", origin), "ID is empty"},
		"ID with scheme":     {web("https://clinic.example", origin), "ID has a scheme, port or path"},
		"ID with port":       {web("clinic.example:8443", origin), "ID has a scheme, port or path"},
		"ID with path":       {web("clinic.example/", origin), "ID has a scheme, port or path"},
		"ID is IPv4":         {web("192.0.2.1", "https://192.0.2.1"), "ID is an IP address"},
		"ID is IPv6":         {web("2001:db8::1", "https://[2001:db8::1]"), "ID is an IP address"},
		"ID in brackets":     {web("[2001:db8::1]", origin), "ID is an IP address"},
		"ID is short IPv4":   {web("127.1", "https://127.1"), "ID is not a domain that somebody can own"},
		"ID is a TLD":        {web("example", "https://clinic.example"), "ID is not a domain that somebody can own"},
		"ID with wildcard":   {web("*.clinic.example", origin), "ID has a wildcard"},
		"ID in upper case":   {web("Clinic.example", origin), "ID is not a host name"},
		"ID not ASCII":       {web("klínik.example", origin), "ID is not a host name"},
		"ID ends in a dot":   {web("clinic.example.", origin), "ID is not a host name"},
		"ID with underscore": {web("my_clinic.example", origin), "ID is not a host name"},
		"ID label too long":  {web(strings.Repeat("a", 64)+".example", origin), "ID is not a host name"},
		"ID too long":        {web(strings.Repeat("a.", 126)+"example", origin), "ID is not a host name"},
		"no name":            {passkey.RelyingParty{ID: rpID, Origins: []string{origin}}, "Name is empty"},
		"long name":          {passkey.RelyingParty{ID: rpID, Name: strings.Repeat("a", 65), Origins: []string{origin}}, "Name is empty, longer"},
		"no origins":         {web(rpID), "Origins is empty"},
		"33 origins":         {web(rpID, make([]string, 33)...), "Origins has more than 32"},
		"twice":              {origins(origin), "Origins[1] is there twice"},
		"http":               {origins("http://app.clinic.example"), "Origins[1] is http"},
		"http IP":            {origins("http://127.0.0.1:8080"), "Origins[1] has a host that is an IP address"},
		"slash":              {origins("https://clinic.example/"), "Origins[1] has more than scheme"},
		"path":               {origins("https://clinic.example/app"), "Origins[1] has more than scheme"},
		"query":              {origins("https://clinic.example?a"), "Origins[1] has more than scheme"},
		"fragment":           {origins("https://clinic.example#a"), "Origins[1] has more than scheme"},
		"user":               {origins("https://dr@clinic.example"), "Origins[1] has more than scheme"},
		"upper scheme":       {origins("HTTPS://clinic.example"), "Origins[1] has more than scheme"},
		"upper host":         {origins("https://Clinic.example"), "Origins[1] has a host that is not a host name"},
		"port 443":           {origins("https://clinic.example:443"), "Origins[1] names the port"},
		"empty port":         {origins("https://clinic.example:"), "Origins[1] has more than scheme"},
		"port 0":             {origins("https://clinic.example:0"), "Origins[1] has a port"},
		"port 08443":         {origins("https://clinic.example:08443"), "Origins[1] has a port"},
		"port 65536":         {origins("https://clinic.example:65536"), "Origins[1] has a port"},
		"wildcard":           {origins("https://*.clinic.example"), "Origins[1] has a host that has a wildcard"},
		"other site":         {origins("https://clinic.example.org"), "Origins[1] is of a host outside"},
		"suffix, no dot":     {origins("https://evilclinic.example"), "Origins[1] is of a host outside"},
		"parent of the ID":   {web(rpID, "https://example"), "Origins[0] has a host that is not a domain"},
		"localhost apart":    {origins("http://localhost:8080"), "Origins[1] is of a host outside"},
		"subdomain, http":    {web("localhost", "http://a.localhost"), "Origins[0] is http"},
		"empty origin":       {origins(""), "Origins[1] is neither"},
		"null origin":        {origins("null"), "Origins[1] is neither"},
		"file":               {origins("file:///a"), "Origins[1] is neither"},
		"android, no hash":   {origins("android:apk-key-hash:"), "Origins[1] is not the SHA-256"},
		"android, SHA-1":     {origins("android:apk-key-hash:AAECAwQFBgcICQoLDA0ODxAREhM"), "Origins[1] is not the SHA-256"},
		"android, padded":    {origins(app + "="), "Origins[1] is not the SHA-256"},
		"android, spare bit": {origins(app[:len(app)-1] + "9"), "Origins[1] is not the SHA-256"},
		"android, base64":    {origins(strings.ReplaceAll(app, "A", "+")), "Origins[1] is not the SHA-256"},
		"ios, no bundle":     {origins("ios:bundle-id:"), "Origins[1] is neither"},
		"ios, wildcard":      {origins("ios:bundle-id:example.*"), "Origins[1] is neither"},
	} {
		v, err := passkey.New(c.rp, nil)
		require.ErrorContains(t, err, "passkey: RelyingParty."+c.why, name)
		require.Nil(t, v, name)
	}
	for name, rp := range map[string]passkey.RelyingParty{
		"the host":    web(rpID, "https://clinic.example"),
		"a subdomain": web(rpID, "https://a.b.clinic.example", "https://clinic.example"),
		"a port":      web(rpID, "https://clinic.example:8443"),
		"development": web("localhost", "http://localhost:8080", "https://localhost", "http://localhost"),
		"apps":        web(rpID, origin, app, "ios:bundle-id:example.clinic.app"),
		"punycode":    web("xn--klnik-zsa.example", "https://xn--klnik-zsa.example"),
	} {
		_, err := passkey.New(rp, nil)
		require.NoError(t, err, name)
	}
}

// All problems at once, and none of the values.
func TestRelyingPartyNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := passkey.New(passkey.RelyingParty{ID: "192.0.2.7", Name: "\x00", Origins: []string{"http://a.example", "b"}}, nil)
	require.EqualError(t, err, strings.Join([]string{
		"passkey: RelyingParty.ID is an IP address, which cannot have passkeys",
		"passkey: RelyingParty.Name is empty, longer than 64 bytes or holds control characters",
		"passkey: RelyingParty.Origins[0] is http, which browsers allow on localhost only",
		"passkey: RelyingParty.Origins[1] is neither a web origin (https://host) nor an app's",
	}, "\n"))
}

// What the caller does with its slice afterwards changes nothing.
func TestRelyingPartyIsCopied(t *testing.T) {
	t.Parallel()
	rp := party()
	v, err := passkey.New(rp, nil)
	require.NoError(t, err)
	rp.Origins[0] = "https://evil.example"
	s := newSite(t)
	s.Verifier = v
	s.register(t)
}
