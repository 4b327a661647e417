package redact

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// any cleans what is printed of a value: where that has a hit, its text without the hit is logged
// instead of the value. Handlers print one value in several ways; where only another way than the
// usual one has a hit, nothing of it is logged.
func (n *net) any(ctx context.Context, v slog.Value) slog.Value {
	x := v.Any()
	if x == nil {
		return v
	}
	if clean, hit := n.clean(ctx, usual(x)); hit {
		return slog.StringValue(clean)
	}
	for _, text := range []string{marshalled(x), textual(x), formatted(x)} {
		if smells(text) && len(inLine(text)) > 0 {
			n.hit(ctx, phi.ClassOtherID, "printed")
			return slog.StringValue("[phi]")
		}
	}
	return v
}

// usual is what programmers expect to see of a value.
func usual(x any) string {
	switch x := x.(type) {
	case error:
		return survive(x.Error)
	case fmt.Stringer:
		return survive(x.String)
	}
	if v := reflect.ValueOf(x); v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return string(v.Bytes())
	}
	return fmt.Sprintf("%+v", x)
}

// formatted is what fmt makes of an error or a fmt.Stringer with a mind of its own.
func formatted(x any) string {
	if _, ok := x.(fmt.Formatter); !ok {
		return ""
	}
	return survive(func() string { return fmt.Sprintf("%+v", x) })
}

// textual is what a slog.TextHandler makes of an encoding.TextMarshaler.
func textual(x any) string {
	m, ok := x.(encoding.TextMarshaler)
	if !ok {
		return ""
	}
	return survive(func() string {
		text, err := m.MarshalText()
		if err != nil {
			return err.Error()
		}
		return string(text)
	})
}

// marshalled is what a slog.JSONHandler prints, with spaces for what JSON escapes.
func marshalled(x any) string {
	if _, ok := x.(json.Marshaler); !ok {
		if _, ok := x.(error); ok {
			return "" // by its message
		}
	}
	return survive(func() string {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(x); err != nil {
			return err.Error()
		}
		return strings.NewReplacer(`\n`, " ", `\t`, " ", `\r`, " ").Replace(b.String())
	})
}

// survive returns what f returns, or what it panics with: a handler prints that.
func survive(f func() string) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = fmt.Sprint(p)
		}
	}()
	return f()
}
