package phi_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

type person struct {
	ID   string   `phi:",row,patient"`
	Name phi.Text `phi:"name,class=name"`
}

func TestTextInput(t *testing.T) {
	t.Parallel()
	var e exported[phi.Text]
	require.NoError(t, json.Unmarshal([]byte(`{"Name":"Wilhelmina Featherstone"}`), &e))
	require.True(t, e.Name.Equal(phi.NewText(secret)))
	require.NoError(t, json.Unmarshal([]byte(`{"Name":null}`), &e))
	require.True(t, e.Name.IsZero())
	require.NoError(t, json.Unmarshal([]byte(`{"Name":""}`), &e))
	require.False(t, e.Name.IsZero(), "empty is a value")
	require.NoError(t, xml.Unmarshal([]byte(`<exported><Name>x</Name></exported>`), &e))
	require.True(t, e.Name.Equal(phi.NewText("x")))

	require.ErrorIs(t, json.Unmarshal([]byte(`{"Name":"[PHI]"}`), &e), phi.ErrMark)
	require.ErrorIs(t, xml.Unmarshal([]byte(`<exported><Name>[PHI]</Name></exported>`), &e), phi.ErrMark)
	err := json.Unmarshal([]byte(`{"Name":5550123}`), &e)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "5550123")
}

// What was hidden on the way out does not come back as a value.
func TestHiddenDoesNotRoundTrip(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(exported[phi.Text]{phi.NewText(secret)})
	require.NoError(t, err)
	var e exported[phi.Text]
	require.ErrorIs(t, json.Unmarshal(b, &e), phi.ErrMark)
	require.True(t, e.Name.IsZero())

	var buf bytes.Buffer
	require.NoError(t, gob.NewEncoder(&buf).Encode(exported[phi.Text]{phi.NewText(secret)}))
	require.Error(t, gob.NewDecoder(&buf).Decode(&e))
	require.True(t, e.Name.IsZero())
}

func TestTextEqual(t *testing.T) {
	t.Parallel()
	var zero phi.Text
	a, b := phi.NewText("a"), phi.NewText("a")
	require.True(t, a.Equal(b))
	require.False(t, a.Equal(phi.NewText("b")))
	require.False(t, a.Equal(zero))
	require.False(t, zero.Equal(phi.NewText("")))
	require.True(t, zero.Equal(phi.Text{}))
	c, err := phi.For[person](newVault(t), "person")
	require.NoError(t, err)
	opened, same := reopen(t, c, &person{"p-1", a}), reopen(t, c, &person{"p-2", a})
	for _, x := range []phi.Text{a, opened.Name, same.Name} {
		require.True(t, opened.Name.Equal(x) && x.Equal(opened.Name))
		require.False(t, opened.Name.Equal(phi.NewText("ab")) || phi.NewText("").Equal(x))
	}
}

func FuzzTextUnmarshal(f *testing.F) {
	f.Add([]byte(`"x"`))
	f.Add([]byte(`"[PHI]"`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var text phi.Text
		var want *string
		err := text.UnmarshalJSON(data)
		if json.Unmarshal(data, &want) != nil || want != nil && *want == "[PHI]" {
			require.Error(t, err)
			require.True(t, text.IsZero())
			return
		}
		require.NoError(t, err)
		if want == nil {
			require.True(t, text.IsZero())
		} else {
			require.True(t, text.Equal(phi.NewText(*want)))
		}
	})
}
