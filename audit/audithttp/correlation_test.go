package audithttp_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

// correlate sends a request with the fields and returns what was answered and recorded.
func correlate(t testing.TB, fields http.Header) (id, recorded, trace string) {
	t.Helper()
	rec := audittest.NewRecorder()
	held, err := audithttp.Hold(rec, guarded(nothing), nil)
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for name, v := range fields {
		r.Header[name] = v
	}
	w := httptest.NewRecorder()
	held.ServeHTTP(w, r)
	event, ok := rec.Last("patient.read")
	require.True(t, ok)
	require.Len(t, w.Header()["X-Request-Id"], 1)
	return w.Header().Get("X-Request-Id"), event.Correlation.Request, event.Correlation.Trace
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func TestRequestID(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"12345678", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "0190b5e2-7d8c-7c2a-9f1e-3b1f4d2c5a60",
		"230b030023ae2822-SJC", "a.b_c-d.e", strings.Repeat("a", 64),
	} {
		id, recorded, _ := correlate(t, http.Header{"X-Request-Id": {good}})
		require.Equal(t, good, id)
		require.Equal(t, good, recorded)
	}
	for _, bad := range [][]string{
		nil,
		{""},
		{"1234567"},
		{strings.Repeat("a", 65)},
		{"-12345678"},
		{"with space"},
		{"=cmd|'/C calc'!A0"},
		{"line\nbreak00"},
		{"ümlaut-0001"},
		{"12345678\x00"},
		{"12345678", "23456789"},
		{"12345678,23456789"},
	} {
		id, recorded, _ := correlate(t, http.Header{"X-Request-Id": bad})
		require.Regexp(t, uuid, id, "%q", bad)
		require.Equal(t, id, recorded)
	}
}

func TestTraceparent(t *testing.T) {
	t.Parallel()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	const good = "00-" + trace + "-" + parent + "-01"
	for _, s := range []string{good, "00-" + trace + "-" + parent + "-00", "01-" + trace + "-" + parent + "-01-more", "cc-" + trace + "-" + parent + "-09"} {
		_, _, got := correlate(t, http.Header{"Traceparent": {s}})
		require.Equal(t, trace, got, s)
	}
	for _, bad := range [][]string{
		nil,
		{""},
		{good[:54]},
		{good + "-more"},
		{good + "0"},
		{"01" + good[2:] + "more"},
		{strings.ToUpper(good)},
		{"ff" + good[2:]},
		{"00-" + strings.Repeat("0", 32) + "-" + parent + "-01"},
		{"00-" + trace + "-" + strings.Repeat("0", 16) + "-01"},
		{strings.ReplaceAll(good, "-", "_")},
		{strings.Replace(good, "0af", "0ag", 1)},
		{good, good},
		{" " + good},
	} {
		_, _, got := correlate(t, http.Header{"Traceparent": bad})
		require.Empty(t, got, "%q", bad)
	}
}

// Whatever a client sends, what is echoed and recorded is one plain word, and it is the
// client's own or a fresh one.
func FuzzCorrelation(f *testing.F) {
	f.Add("12345678", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("=1+1 5678", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x")
	word := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$`)
	hex := regexp.MustCompile(`^[0-9a-f]{32}$`)
	f.Fuzz(func(t *testing.T, sent, parent string) {
		id, recorded, trace := correlate(t, http.Header{"X-Request-Id": {sent}, "Traceparent": {parent}})
		require.Regexp(t, word, id)
		require.Equal(t, id, recorded)
		require.Equal(t, word.MatchString(sent), id == sent)
		if trace != "" {
			require.Regexp(t, hex, trace)
			require.Equal(t, parent[3:35], trace)
		}
	})
}
