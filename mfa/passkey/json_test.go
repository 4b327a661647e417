package passkey_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa/passkey"
)

func TestReadJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string]string{
		`{}`:              {},
		" {\t}\r\n":       {},
		`{"a":1,"b":"x"}`: {"a": "1", "b": `"x"`},
		` { "a" : { "b" : [ 1 , "}" , { "c" : "\"" } ] } , "d" : null , "e":-1.5e+3}`: {"a": `{ "b" : [ 1 , "}" , { "c" : "\"" } ] }`, "d": "null", "e": "-1.5e+3"},
		`{"a":true}`:             {"a": "true"},
		`{"\u0061\\":"\\\""}`:    {`a\`: `"\\\""`},
		`{"a":[[]],"b":{},"":0}`: {"a": "[[]]", "b": "{}", "": "0"},
	} {
		got, err := passkey.ReadJSON([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, why := range map[string]string{
		``: "not JSON", ` `: "not JSON", `{`: "not JSON", `{}{}`: "not JSON", `{"a":1,}`: "not JSON", `{a:1}`: "not JSON",
		`[]`: "not a JSON object", `"{}"`: "not a JSON object", `null`: "not a JSON object", ` 1 `: "not a JSON object",
		`{"a":1,"a":1}`: "a JSON name twice", `{"a":1,"A":1}`: "a JSON name twice", `{"\u0041":1,"a":1}`: "a JSON name twice",
		"{\"k\":1,\"\u212a\":1}": "a JSON name twice", // the Kelvin sign, which encoding/json takes for a k
		"{\"\xff\":1}":           "not UTF-8",
	} {
		_, err := passkey.ReadJSON([]byte(text))
		require.Error(t, err, text)
		refusedFor(t, err, why)
	}
}
