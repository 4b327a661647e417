package session_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

func request(remote string, forwarded ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	if forwarded != nil {
		r.Header["X-Forwarded-For"] = forwarded
	}
	return r
}

func TestRemoteAddr(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.7:80":              "192.0.2.7",
		"[2001:db8::1]:443":         "2001:db8::1",
		"[::ffff:192.0.2.7]:80":     "192.0.2.7",
		"[fe80::1%eth0]:80":         "fe80::1",
		"@":                         "invalid IP",
		"":                          "invalid IP",
		"clinic.example.com:80":     "invalid IP",
		"192.0.2.7":                 "invalid IP",
		"192.0.2.7:80, 203.0.113.1": "invalid IP",
	} {
		require.Equal(t, want, session.RemoteAddr(request(remote, "203.0.113.66")).String(), remote)
	}
}

func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	client := session.TrustedProxy(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48"))
	for name, c := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"no proxy":                        {"192.0.2.7:1", nil, "192.0.2.7"},
		"no proxy, forged header":         {"192.0.2.7:1", []string{"203.0.113.66"}, "192.0.2.7"},
		"proxy":                           {"10.0.0.1:1", []string{"192.0.2.7"}, "192.0.2.7"},
		"two proxies":                     {"10.0.0.1:1", []string{"192.0.2.7, 10.2.3.4"}, "192.0.2.7"},
		"client forged an entry":          {"10.0.0.1:1", []string{"203.0.113.66, 192.0.2.7"}, "192.0.2.7"},
		"client forged a proxy":           {"10.0.0.1:1", []string{"203.0.113.66, 10.0.0.9, 192.0.2.7"}, "192.0.2.7"},
		"several lines":                   {"10.0.0.1:1", []string{"203.0.113.66", "192.0.2.7, 10.2.3.4"}, "192.0.2.7"},
		"several lines, proxies last":     {"10.0.0.1:1", []string{"192.0.2.7", "10.2.3.4", "10.2.3.5"}, "192.0.2.7"},
		"with a port":                     {"10.0.0.1:1", []string{"192.0.2.7:5000"}, "192.0.2.7"},
		"version 6":                       {"[2001:db8:ffff::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		"version 6 with a port":           {"10.0.0.1:1", []string{"[2001:db8::7]:5000"}, "2001:db8::7"},
		"version 4 written as 6":          {"[::ffff:10.0.0.1]:1", []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
		"the proxy itself":                {"10.0.0.1:1", nil, "10.0.0.1"},
		"a client inside":                 {"10.0.0.1:1", []string{"10.0.0.77"}, "10.0.0.77"},
		"no address":                      {"10.0.0.1:1", []string{"unknown"}, "invalid IP"},
		"empty":                           {"10.0.0.1:1", []string{""}, "invalid IP"},
		"empty entry":                     {"10.0.0.1:1", []string{"192.0.2.7,"}, "invalid IP"},
		"obfuscated":                      {"10.0.0.1:1", []string{"192.0.2.7, _hidden"}, "invalid IP"},
		"rubbish left of the client":      {"10.0.0.1:1", []string{"<script>, 192.0.2.7"}, "192.0.2.7"},
		"unix socket, nobody to vouch":    {"@", []string{"192.0.2.7"}, "invalid IP"},
		"version 6 zone does not matter":  {"10.0.0.1:1", []string{"fe80::1%evil"}, "fe80::1"},
		"address right of what is forged": {"10.0.0.1:1", []string{"10.0.0.1, 10.0.0.1", "198.51.100.3"}, "198.51.100.3"},
	} {
		require.Equal(t, c.want, client(request(c.remote, c.forwarded...)).String(), name)
	}
}

func TestTrustedProxyTrustsNobodyByMistake(t *testing.T) {
	t.Parallel()
	for name, prefixes := range map[string][]netip.Prefix{
		"none":         nil,
		"zero":         {{}},
		"everybody":    {netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
		"invalid bits": {netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 77)},
	} {
		client := session.TrustedProxy(prefixes...)
		require.Equal(t, "10.0.0.1", client(request("10.0.0.1:1", "203.0.113.66")).String(), name)
	}
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	client := session.TrustedProxy(prefixes...)
	prefixes[0] = netip.MustParsePrefix("192.0.2.0/24")
	require.Equal(t, "192.0.2.7", client(request("192.0.2.7:1", "203.0.113.66")).String(), "the list is copied")
}

// Whatever a client writes, it cannot choose its own address: appending the peer's address
// on the right is what the proxy does, and that is what counts.
func FuzzTrustedProxy(f *testing.F) {
	f.Add("203.0.113.66")
	f.Add("10.0.0.1, 10.0.0.1,")
	f.Add(",,[::1]:80\t,%")
	client := session.TrustedProxy(netip.MustParsePrefix("10.0.0.0/8"))
	f.Fuzz(func(t *testing.T, forged string) {
		require.Equal(t, "192.0.2.7", client(request("10.0.0.1:1", forged+", 192.0.2.7")).String())
		require.Equal(t, "192.0.2.7", client(request("10.0.0.1:1", forged, "192.0.2.7")).String())
		require.Equal(t, "192.0.2.7", client(request("192.0.2.7:1", forged)).String())
	})
}

func TestDeviceLabel(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                           "Firefox on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                      "Safari on macOS",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                                      "Chrome on Linux",
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1":          "Chrome on iPad",
		"Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 16000.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0":               "Opera on ChromeOS",
		"ClinicApp/3.2 (iPhone)": "iPhone",
		"Firefox/140.0":          "Firefox",
		"curl/8.5.0":             "Unknown device",
		"":                       "Unknown device",
	} {
		require.Equal(t, want, session.DeviceLabel(agent), agent)
	}
}
