package passkey_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

const (
	noRegistration = "go-webauthn refuses the registration"
	noAssertion    = "go-webauthn refuses the assertion"
)

// What a response can say that is signed and well-formed, and still must not be accepted. In one
// ceremony or in both.
func TestLies(t *testing.T) {
	t.Parallel()
	clientData := func(change func(string) string) func(*passkeytest.Claims) {
		return func(c *passkeytest.Claims) {
			client, _ := c.Bytes()
			c.ClientData = []byte(change(string(client)))
		}
	}
	authData := func(change func([]byte) []byte) func(*passkeytest.Claims) {
		return func(c *passkeytest.Claims) {
			_, auth := c.Bytes()
			c.AuthData = change(auth)
		}
	}
	from := func(origin string) func(*passkeytest.Claims) {
		return func(c *passkeytest.Claims) { c.Origin = origin }
	}
	const lib = "lib" // go-webauthn's rule; whether it is switched on is tested
	for name, c := range map[string]struct {
		lie func(*passkeytest.Claims)
		why string
	}{
		"wrong origin":             {from("https://evil.example"), "another origin"},
		"subdomain":                {from("https://a.app.clinic.example"), "another origin"},
		"parent domain":            {from("https://clinic.example"), "another origin"},
		"http":                     {from("http://app.clinic.example"), "another origin"},
		"port":                     {from("https://app.clinic.example:8443"), "another origin"},
		"default port":             {from("https://app.clinic.example:443"), "another origin"},
		"slash":                    {from("https://app.clinic.example/"), "another origin"},
		"path":                     {from("https://app.clinic.example/evil"), "another origin"},
		"user":                     {from("https://evil@app.clinic.example"), "another origin"},
		"upper case":               {from("https://APP.clinic.example"), "another origin"},
		"another app":              {from(app[:len(app)-2] + "AA"), "another origin"},
		"opaque origin":            {from("null"), "another origin"},
		"empty origin":             {from(""), "another origin"},
		"cross-origin iframe":      {func(c *passkeytest.Claims) { c.CrossOrigin = true }, lib},
		"cross-origin, top origin": {func(c *passkeytest.Claims) { c.CrossOrigin, c.TopOrigin = true, origin }, lib},
		"top origin alone":         {func(c *passkeytest.Claims) { c.TopOrigin = origin }, lib},
		"other ceremony's type":    {func(c *passkeytest.Claims) { c.Type = other(c.Type) }, lib},
		"payment type":             {func(c *passkeytest.Claims) { c.Type = "payment.get" }, lib},
		"other challenge":          {func(c *passkeytest.Claims) { c.Challenge = strings.Repeat("A", 43) }, lib},
		"empty challenge":          {func(c *passkeytest.Claims) { c.Challenge = "" }, lib},
		"padded challenge":         {func(c *passkeytest.Claims) { c.Challenge += "=" }, lib},
		"another RP's hash":        {func(c *passkeytest.Claims) { c.RPID = "evil.example" }, lib},
		"subdomain's hash":         {func(c *passkeytest.Claims) { c.RPID = "app.clinic.example" }, lib},
		"not present":              {func(c *passkeytest.Claims) { c.Flags &^= passkeytest.UP }, lib},
		"not verified":             {func(c *passkeytest.Claims) { c.Flags &^= passkeytest.UV }, lib},
		"BS without BE":            {func(c *passkeytest.Claims) { c.Flags |= passkeytest.BS }, "backed up, but not eligible"},
		"another ID":               {func(c *passkeytest.Claims) { c.ID = bytes.Repeat([]byte{7}, 15) }, "short ID or another"},
		"origin twice": {clientData(func(s string) string {
			return strings.Replace(s, `{`, `{"origin":"https://evil.example",`, 1)
		}), "a JSON name twice"},
		"crossOrigin in other case": {clientData(func(s string) string {
			return strings.Replace(s, `{`, `{"CrossOrigin":true,`, 1)
		}), "a JSON name twice"},
		"escaped name twice": {clientData(func(s string) string {
			return strings.Replace(s, `{`, `{"\u006frigin":"https://evil.example",`, 1)
		}), "a JSON name twice"},
		"Origin for origin": {clientData(func(s string) string {
			return strings.Replace(s, `"origin"`, `"Origin"`, 1)
		}), "no origin"},
		"origin is a list": {clientData(func(s string) string {
			return strings.Replace(s, `"`+origin+`"`, `["`+origin+`"]`, 1)
		}), "no origin"},
		"trailing bytes":      {clientData(func(s string) string { return s + "x" }), "not JSON"},
		"second object":       {clientData(func(s string) string { return s + s }), "not JSON"},
		"byte order mark":     {clientData(func(s string) string { return "\ufeff" + s }), "not JSON"},
		"not UTF-8":           {clientData(func(s string) string { return s[:1] + "\"\xff\":1," + s[1:] }), "not UTF-8"},
		"client data a list":  {clientData(func(s string) string { return "[" + s + "]" }), "not a JSON object"},
		"client data cut":     {clientData(func(s string) string { return s[:len(s)-1] }), "not JSON"},
		"client data, null":   {clientData(func(string) string { return "null" }), "not a JSON object"},
		"token binding":       {clientData(func(s string) string { return strings.Replace(s, `{`, `{"tokenBinding":{},`, 1) }), lib},
		"auth data cut":       {authData(func(p []byte) []byte { return p[:36] }), "parse"},
		"auth data, trailing": {authData(func(p []byte) []byte { return append(p, 0) }), "parse"},
		"extensions missing":  {authData(func(p []byte) []byte { p[32] |= passkeytest.ED; return p }), "parse"},
		"extensions broken":   {authData(func(p []byte) []byte { p[32] |= passkeytest.ED; return append(p, 0xff) }), "parse"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			why := func(mine, parse, ids string) string {
				return strings.NewReplacer("lib", mine, "parse", parse, "short ID or another", ids).Replace(c.why)
			}
			s := newSite(t)
			options, state, err := s.Create(owner(1))
			require.NoError(t, err)
			s.device.Lie = c.lie
			response, err := s.device.Create(options)
			require.NoError(t, err)
			_, err = s.Created(state, response)
			refusedFor(t, err, why(noRegistration, "not a registration", "a credential ID that is too short"))

			s.device.Lie = nil
			key := s.register(t) // the newest, which Get takes
			s.device.Lie = c.lie
			state, response = s.assertion(t)
			_, err = s.Asserted(state, response, key)
			refusedFor(t, err, why(noAssertion, "not an assertion", "another passkey"))
		})
	}
}

func other(kind string) string {
	if kind == "webauthn.get" {
		return "webauthn.create"
	}
	return "webauthn.get"
}

// What only a registration can say.
func TestRegistrationLies(t *testing.T) {
	t.Parallel()
	key := func(edit func([]byte)) func(*passkeytest.Claims) {
		return func(c *passkeytest.Claims) { edit(c.Key) }
	}
	for name, c := range map[string]struct {
		lie func(*passkeytest.Claims)
		why string
	}{
		"no attested data":       {func(c *passkeytest.Claims) { c.Flags &^= passkeytest.AT }, "not a registration"},
		"ID of 15 bytes":         {func(c *passkeytest.Claims) { c.ID = make([]byte, 15) }, "a credential ID that is too short"},
		"no ID":                  {func(c *passkeytest.Claims) { c.ID = nil }, "no rawId"},
		"ID of 1024 bytes":       {func(c *passkeytest.Claims) { c.ID = make([]byte, 1024) }, "no usable credential ID"},
		"ES384 for ES256":        {key(func(k []byte) { k[4] = 0x38; k[3] = 0x03 }), "not a registration"},
		"PS256, not offered":     {key(func(k []byte) { k[4] = 0x2f }), noRegistration},
		"alg 0":                  {key(func(k []byte) { k[4] = 0 }), noRegistration},
		"EdDSA on P-256":         {key(func(k []byte) { k[4] = 0x27 }), "an unusable public key"},
		"ES256 of another curve": {key(func(k []byte) { k[6] = 2 }), "an unusable public key"},
		"point off the curve":    {key(func(k []byte) { k[20] ^= 1 }), "an unusable public key"},
		"point at zero":          {key(func(k []byte) { clear(k[10:42]); clear(k[45:]) }), "an unusable public key"},
		"key type 0":             {key(func(k []byte) { k[2] = 0 }), "an unusable public key"},
		"key a list":             {func(c *passkeytest.Claims) { c.Key = []byte{0x80} }, noRegistration},
		"key of nothing":         {func(c *passkeytest.Claims) { c.Key = []byte{0xa0} }, noRegistration},
		"key with a label twice": {func(c *passkeytest.Claims) { c.Key = []byte{0xa2, 1, 2, 1, 2} }, "not a registration"},
		"key nested deeply":      {func(c *passkeytest.Claims) { c.Key = bytes.Repeat([]byte{0x81}, 9000) }, "not a registration"},
		"key of endless length":  {func(c *passkeytest.Claims) { c.Key = []byte{0xbf, 1, 2, 0xff} }, "not a registration"},
		"RSA of 1024 bits":       {rsa(128, 0x80, 1, 65537), "an unusable public key"},
		"RSA of 8192 bits":       {rsa(1024, 0x80, 1, 65537), "an unusable public key"},
		"RSA with exponent 3":    {rsa(256, 0x80, 1, 3), "an unusable public key"},
		"RSA, even modulus":      {rsa(256, 0x80, 2, 65537), "an unusable public key"},
		"RSA, modulus from zero": {rsa(256, 0, 1, 65537), "an unusable public key"},
		"RSA without modulus":    {rsa(0, 0, 0, 65537), "an unusable public key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.device.Lie = c.lie
			state, response := s.registration(t)
			_, err := s.Created(state, response)
			refusedFor(t, err, c.why)
		})
	}
	for name, lie := range map[string]func(*passkeytest.Claims){
		"RSA of 2048 bits": rsa(256, 0x80, 1, 65537),
		"RSA of 4096 bits": rsa(512, 0x80, 1, 65537),
		"ID of 16 bytes":   func(c *passkeytest.Claims) { c.ID = make([]byte, 16) },
		"ID of 1023 bytes": func(c *passkeytest.Claims) { c.ID = make([]byte, 1023) },
		"credProtect extension": func(c *passkeytest.Claims) {
			_, auth := c.Bytes()
			auth[32] |= passkeytest.ED
			c.AuthData = append(auth, "\xa1\x6bcredProtect\x03"...)
		},
	} {
		s := newSite(t)
		s.device.Lie = lie
		state, response := s.registration(t)
		key, err := s.Created(state, response)
		require.NoError(t, err, name)
		require.NotEmpty(t, key.Key, name)
	}
}

// rsa is a key of n bytes whose first and last byte are given; nobody can sign with it.
func rsa(n int, first, last byte, e int) func(*passkeytest.Claims) {
	return func(c *passkeytest.Claims) {
		modulus := bytes.Repeat([]byte{0xa5}, n)
		if n > 0 {
			modulus[0], modulus[n-1] = first, last
		}
		key := []byte{0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, byte(n >> 8), byte(n)}
		key = append(key, modulus...)
		c.Key = append(key, 0x21, 0x43, byte(e>>16), byte(e>>8), byte(e))
	}
}

// A device that offers again what was excluded, as a hostile one would to take over a row.
func TestExcludedPasskey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.register(t)
	options, state, err := s.Create(owner(1, key))
	require.NoError(t, err)
	again := passkeytest.New(origin)
	again.Lie = func(c *passkeytest.Claims) { c.ID = key.ID }
	response, err := again.Create(options)
	require.NoError(t, err)
	_, err = s.Created(state, response)
	refusedFor(t, err, "a passkey that was excluded")
}

// Attestation is not asked for. None and the key's own signature are taken, and nothing else is
// even looked at.
func TestAttestationFormats(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	state, response := s.registration(t)
	auth := bytesAt(t, response, "authenticatorData")
	object := func(format, statement string) string {
		return b64([]byte("\xa3\x63fmt"), []byte{0x60 + byte(len(format))}, []byte(format+"\x67attStmt"+statement+"\x68authData\x58"), []byte{byte(len(auth))}, auth)
	}
	const alg, sig = "\x63alg\x26", "\x63sig\x40"
	for name, c := range map[string]struct{ object, why string }{
		"none with a statement":     {object("none", "\xa1"+alg), noRegistration},
		"packed, no statement":      {object("packed", "\xa0"), noRegistration},
		"packed, empty signature":   {object("packed", "\xa2"+alg+sig), noRegistration},
		"packed with certificates":  {object("packed", "\xa3"+alg+sig+"\x63x5c\x80"), "an attestation that was not asked for"},
		"packed with ECDAA":         {object("packed", "\xa3"+alg+sig+"\x6aecdaaKeyId\x40"), "an attestation that was not asked for"},
		"fido-u2f":                  {object("fido-u2f", "\xa0"), "an attestation that was not asked for"},
		"tpm":                       {object("tpm", "\xa0"), "an attestation that was not asked for"},
		"apple":                     {object("apple", "\xa0"), "an attestation that was not asked for"},
		"android-key":               {object("android-key", "\xa0"), "an attestation that was not asked for"},
		"android-safetynet":         {object("android-safetynet", "\xa0"), "an attestation that was not asked for"},
		"compound":                  {object("compound", "\x80"), "an attestation that was not asked for"},
		"unknown":                   {object("evil", "\xa0"), "an attestation that was not asked for"},
		"no format":                 {b64([]byte("\xa1\x68authData\x58"), []byte{byte(len(auth))}, auth), "an attestation that was not asked for"},
		"no authenticator data":     {b64([]byte("\xa1\x63fmt\x64none")), "not a registration"},
		"trailing bytes":            {object("none", "\xa0") + "AAAA", "not a registration"},
		"not CBOR":                  {b64([]byte{0xff}), "not a registration"},
		"a length beyond all bytes": {b64([]byte{0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), "not a registration"},
	} {
		_, err := s.Created(state, edit(t, response, "attestationObject", c.object))
		require.Error(t, err, name)
		refusedFor(t, err, c.why)
	}
	_, err := s.Created(state, edit(t, response, "attestationObject", object("none", "\xa0")))
	require.NoError(t, err)
}

// What an assertion must have in common with the ceremony and with the key.
func TestAssertionOfAnother(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lin, mine := passkeytest.New(origin), s.device
	s.device = lin
	victim := s.register(t)
	s.device = mine
	key := s.register(t)
	someone := owner(2).Handle

	state, response := s.assertion(t)
	_, err := s.Asserted(state, response, victim)
	refusedFor(t, err, "another passkey")

	borrowed := victim // the victim's key under my ID, as a confused caller might hand it in
	borrowed.ID = key.ID
	_, err = s.Asserted(state, response, borrowed)
	refusedFor(t, err, noAssertion)

	stranger := key
	stranger.Handle = someone
	_, err = s.Asserted(state, response, stranger)
	refusedFor(t, err, "another user handle")

	s.device.Lie = func(c *passkeytest.Claims) { c.Handle = someone }
	state, response = s.assertion(t)
	_, err = s.Asserted(state, response, key)
	refusedFor(t, err, "another user handle")

	s.device.Lie = func(c *passkeytest.Claims) { c.Handle = nil }
	state, response = s.assertion(t)
	_, handle, err := s.Claimed(response)
	require.NoError(t, err)
	require.Nil(t, handle)
	_, err = s.Asserted(state, response, key)
	refusedFor(t, err, "no user handle, and nobody was asked for")
	state, response = s.assertion(t, key)
	_, err = s.Asserted(state, response, key)
	require.NoError(t, err) // asked for by its ID

	options, state, err := s.Request([]mfa.PublicKey{victim})
	require.NoError(t, err)
	challenge := challengeOf(t, options)
	s.device.Lie = func(c *passkeytest.Claims) { c.Challenge = challenge }
	_, response = s.assertion(t)
	_, err = s.Asserted(state, response, key)
	refusedFor(t, err, "a passkey that was not asked for")

	for name, broken := range map[string][]byte{"none": nil, "cut": key.Key[:len(key.Key)-1], "other": {0xa0}} {
		spoilt := key
		spoilt.Key = broken
		s.device.Lie = nil
		state, response = s.assertion(t)
		_, err = s.Asserted(state, response, spoilt)
		require.Error(t, err, name)
		refusedFor(t, err, noAssertion)
	}
}

// Eligibility belongs to the key (WebAuthn Level 3, section 6.1.3): it does not change.
func TestBackupEligibilityDoesNotChange(t *testing.T) {
	t.Parallel()
	for _, synced := range []bool{false, true} {
		s := newSite(t)
		s.device.Synced = synced
		key := s.register(t)
		s.device.Lie = func(c *passkeytest.Claims) {
			c.Flags ^= passkeytest.BE
			if synced {
				c.Flags &^= passkeytest.BS
			}
		}
		state, response := s.assertion(t)
		_, err := s.Asserted(state, response, key)
		refusedFor(t, err, "another backup eligibility than at registration")
	}
}

// WebAuthn Level 3, section 6.1.1: a counter grows, or there are two.
func TestCounter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stored, sent uint32
		cloned       bool
	}{
		"grows":         {5, 6, false},
		"jumps":         {5, 4_000_000_000, false},
		"first":         {0, 1, false},
		"has none":      {0, 0, false},
		"equal":         {5, 5, true},
		"back":          {5, 4, true},
		"back to none":  {5, 0, true},
		"highest twice": {1<<32 - 1, 1<<32 - 1, true},
		"wraps":         {1<<32 - 1, 0, true},
	} {
		s := newSite(t)
		key := s.register(t)
		key.Count = c.stored
		s.device.Lie = func(k *passkeytest.Claims) { k.Count = c.sent }
		state, response := s.assertion(t)
		used, err := s.Asserted(state, response, key)
		require.NoError(t, err, name)
		require.Equal(t, mfa.Assertion{Count: c.sent, Cloned: c.cloned}, used, name)
	}
}

// The second copy of a key is seen as soon as both were used.
func TestCloneIsSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.register(t)
	original, thief := s.device, s.device.Clone()
	cloned := false
	for _, d := range []*passkeytest.Device{thief, original} {
		s.device = d
		state, response := s.assertion(t)
		used, err := s.Asserted(state, response, key)
		require.NoError(t, err)
		key.Count, cloned = used.Count, used.Cloned
	}
	require.True(t, cloned)
}

// States answer for their own ceremony, within their time, unchanged.
func TestStates(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	createState, created := s.registration(t)
	otherCreate, _ := s.registration(t)
	key := s.register(t)
	getState, got := s.assertion(t)
	otherGet, _ := s.assertion(t)

	_, err := s.Created(getState, created)
	refusedFor(t, err, "the state of another kind of ceremony")
	_, err = s.Asserted(createState, got, key)
	refusedFor(t, err, "the state of another kind of ceremony")
	_, err = s.Created(otherCreate, created)
	refusedFor(t, err, noRegistration)
	_, err = s.Asserted(otherGet, got, key)
	refusedFor(t, err, noAssertion)

	for _, bad := range [][]byte{
		nil,
		{},
		getState[:41], getState[:42], getState[:43], append(slices.Clone(getState), 0),
		append(slices.Clone(getState), 0, 0), append(slices.Clone(getState), 0, 1), []byte("{}"),
		append([]byte{2}, getState[1:]...), append([]byte{1, 'x'}, getState[2:]...), make([]byte, 100_000),
		append([]byte{1, 'g'}, createState[2:]...), append([]byte{1, 'c'}, getState[2:]...),
		passkey.StateOf(make([]byte, 32), nil, s.now.Add(1), make([]byte, 1024)),
		passkey.StateOf(make([]byte, 32), nil, s.now.Add(1), slices.Repeat([][]byte{{1}}, 65)...),
	} {
		_, err := s.Asserted(bad, got, key)
		refusedFor(t, err, "unreadable state")
		_, err = s.Created(bad, created)
		refusedFor(t, err, "unreadable state")
	}

	s.now = s.now.Add(passkey.Lifetime - time.Microsecond)
	_, err = s.Created(createState, created)
	require.NoError(t, err)
	s.now = s.now.Add(time.Microsecond)
	_, err = s.Created(createState, created)
	refusedFor(t, err, "expired")
	_, err = s.Asserted(getState, got, key)
	refusedFor(t, err, "expired")
}

// Another deployment's state and response, to the byte, are of another relying party.
func TestAnotherRelyingParty(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.register(t)
	state, response := s.assertion(t)
	rp := party()
	rp.ID = "app.clinic.example" // may ask from the same origin
	v, err := passkey.New(rp, &passkey.Options{Now: func() time.Time { return s.now }})
	require.NoError(t, err)
	_, err = v.Asserted(state, response, key)
	refusedFor(t, err, noAssertion)
}

// The JSON around what is signed.
func TestMalformedResponses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.register(t)
	state, response := s.assertion(t)
	id := b64(key.ID)
	replace := func(old, with string) []byte {
		require.Contains(t, string(response), old)
		return bytes.Replace(response, []byte(old), []byte(with), 1)
	}
	signature := b64(bytesAt(t, response, "signature"))
	for name, c := range map[string]struct {
		response []byte
		why      string
	}{
		"nothing":             {nil, "not JSON"},
		"null":                {[]byte("null"), "not a JSON object"},
		"a list":              {append(append([]byte("["), response...), ']'), "not a JSON object"},
		"text":                {[]byte("\"a\""), "not a JSON object"},
		"not JSON":            {[]byte("{a}"), "not JSON"},
		"cut":                 {response[:len(response)-1], "not JSON"},
		"trailing object":     {append(slices.Clone(response), "{}"...), "not JSON"},
		"trailing zero":       {append(slices.Clone(response), 0), "not JSON"},
		"65,537 bytes":        {append(slices.Clone(response), bytes.Repeat([]byte(" "), passkey.MaxResponse+1-len(response))...), "too large"},
		"ID twice":            {replace(`{"id"`, `{"id":"AAAA","id"`), "a JSON name twice"},
		"ID in another case":  {replace(`{"id"`, `{"ID":"AAAA","id"`), "a JSON name twice"},
		"signature twice":     {replace(`"signature"`, `"signature":"AAAA","signature"`), "a JSON name twice"},
		"no ID":               {replace(`"id"`, `"ID"`), "no id"},
		"no raw ID":           {replace(`"rawId"`, `"rawid"`), "no rawId"},
		"empty ID":            {replace(`"id":"`+id+`"`, `"id":""`), "no id"},
		"ID null":             {replace(`"id":"`+id+`"`, `"id":null`), "no id"},
		"ID a number":         {replace(`"id":"`+id+`"`, `"id":7`), "no id"},
		"IDs differ":          {replace(`"id":"`+id+`"`, `"id":"AAAA"`), "no usable credential ID"},
		"another type":        {replace(`"type":"public-key"`, `"type":"password"`), "another type of credential"},
		"no type":             {replace(`"type":"public-key"`, `"typ":"public-key"`), "no type"},
		"no response":         {replace(`"response"`, `"answer"`), "not a JSON object"},
		"response a list":     {replace(`"response":{`, `"response":[{`), "not JSON"},
		"no client data":      {replace(`"clientDataJSON"`, `"clientdatajson"`), "no clientDataJSON"},
		"no authenticator":    {replace(`"authenticatorData"`, `"a"`), "no authenticatorData"},
		"no signature":        {replace(`"signature"`, `"s"`), "no signature"},
		"empty signature":     {edit(t, response, "signature", ""), "no signature"},
		"padded":              {edit(t, response, "signature", signature+strings.Repeat("=", 4-len(signature)%4)), "not base64url"},
		"line break":          {replace(signature, signature[:8]+`\n`+signature[8:]), "not base64url"},
		"standard alphabet":   {edit(t, response, "signature", "++//"), "not base64url"},
		"spare bits":          {edit(t, response, "signature", "AB"), "not base64url"},
		"handle not base64":   {edit(t, response, "userHandle", "!"), "not base64url"},
		"handle of 65 bytes":  {edit(t, response, "userHandle", b64(make([]byte, 65))), "a user handle that is too long"},
		"handle a number":     {bytes.Replace(edit(t, response, "userHandle", "X"), []byte(`"X"`), []byte("7"), 1), "no userHandle"},
		"client data, base64": {edit(t, response, "clientDataJSON", b64([]byte("{}"))+"="), "not base64url"},
		"33 names":            {append([]byte(manyNames(33)), response[1:]...), "too many JSON names"},
		"not UTF-8":           {append([]byte("{\"\xff\":1,"), response[1:]...), "not UTF-8"},
		"nested a mile deep":  {append([]byte(`{"a":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`,`), response[1:]...), "not JSON"},
	} {
		_, err := s.Asserted(state, c.response, key)
		require.Error(t, err, name)
		require.EqualError(t, err, mfa.ErrPasskey.Error()+": "+c.why, name)
		if c.why != "another passkey" {
			_, _, err = s.Claimed(c.response)
			require.ErrorIs(t, err, mfa.ErrPasskey, name)
		}
	}
	_, err := s.Asserted(state, append([]byte(manyNames(26)), response[1:]...), key) // with its own 6
	require.NoError(t, err)
	full := append(slices.Clone(response), bytes.Repeat([]byte(" "), passkey.MaxResponse-len(response))...)
	_, err = s.Asserted(state, full, key)
	require.NoError(t, err)
	for _, none := range []string{`null`, `""`} {
		state, response := s.assertion(t, key)
		handle := `"` + b64(key.Handle) + `"`
		_, err := s.Asserted(state, bytes.Replace(response, []byte(handle), []byte(none), 1), key)
		require.NoError(t, err)
	}
}

// Transports are hints: what does not look like one is left out, and nothing is refused.
func TestTransports(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for told, want := range map[string][]string{
		`["usb","nfc","smart-card","new-in-2030"]`: {"usb", "nfc", "smart-card", "new-in-2030"},
		`["usb","usb","","<script>","USB"," ble"]`: {"usb"},
		`["a","b","c","d","e","f","g","h","i"]`:    {"a", "b", "c", "d", "e", "f", "g", "h"},
		`"usb"`:                                    nil,
		`[1]`:                                      nil,
		`null`:                                     nil,
		`["usb"`:                                   nil,
		`[["a"]]`:                                  nil,
	} {
		state, response := s.registration(t)
		response = bytes.Replace(response, []byte(`["hybrid","internal"]`), []byte(told), 1)
		key, err := s.Created(state, response)
		if !json.Valid(response) {
			require.ErrorIs(t, err, mfa.ErrPasskey)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, key.Transports, told)
	}
}

// Whatever is signed, changed by one bit, is refused; so is every shorter form of it.
func TestEveryBitCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.register(t)
	state, response := s.assertion(t)
	for _, name := range []string{"clientDataJSON", "authenticatorData", "signature", "userHandle"} {
		value := bytesAt(t, response, name)
		for i := range value {
			for bit := range 8 {
				changed := slices.Clone(value)
				changed[i] ^= 1 << bit
				_, err := s.Asserted(state, edit(t, response, name, b64(changed)), key)
				require.ErrorIs(t, err, mfa.ErrPasskey, "%s, byte %d, bit %d", name, i, bit)
			}
			if i > 0 {
				_, err := s.Asserted(state, edit(t, response, name, b64(value[:i])), key)
				require.ErrorIs(t, err, mfa.ErrPasskey, "%s cut to %d", name, i)
			}
		}
		_, err := s.Asserted(state, edit(t, response, name, b64(value, []byte{0})), key)
		require.ErrorIs(t, err, mfa.ErrPasskey, "%s, longer", name)
	}
	_, err := s.Asserted(state, response, key)
	require.NoError(t, err)
}

// Panics below are refusals.
func TestPanicsAreRefusals(t *testing.T) {
	t.Parallel()
	n, err := passkey.Guarded(func() (int, error) { return 7, nil })
	require.NoError(t, err)
	require.Equal(t, 7, n)
	n, err = passkey.Guarded(func() (int, error) { panic("values that somebody sent") })
	refusedFor(t, err, "go-webauthn panicked")
	require.Zero(t, n)
}

// manyNames begins an object.
func manyNames(n int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"name %d" : { "a" : ["}", 1, "\\"] } , `, i)
	}
	return b.String()
}

// edit replaces a text member of "response".
func edit(t testing.TB, response []byte, name, value string) []byte {
	t.Helper()
	var outer map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(response, &outer))
	var inner map[string]any
	require.NoError(t, json.Unmarshal(outer["response"], &inner))
	require.Contains(t, inner, name)
	inner[name] = value
	var err error
	outer["response"], err = json.Marshal(inner)
	require.NoError(t, err)
	out, err := json.Marshal(outer)
	require.NoError(t, err)
	return out
}

// bytesAt reads a member of "response".
func bytesAt(t testing.TB, response []byte, name string) []byte {
	t.Helper()
	var r struct {
		Response map[string]any `json:"response"`
	}
	require.NoError(t, json.Unmarshal(response, &r))
	raw, err := base64.RawURLEncoding.DecodeString(r.Response[name].(string))
	require.NoError(t, err)
	return raw
}

func b64(parts ...[]byte) string {
	return base64.RawURLEncoding.EncodeToString(slices.Concat(parts...))
}
