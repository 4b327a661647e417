package phi

import (
	"context"
	"fmt"
	"reflect"
	"strings"
)

// View returns what the Sight in ctx leaves of a row, by the names of its fields: for templates and
// for JSON, where a row itself shows "[PHI]" everywhere. Without fields it is all of them. Each
// is as Text.View gives it: the plaintext, an excerpt, a mask, Hidden, or "" for no value; a Number or
// Date in the form in which it is sealed. What is revealed, and no more, is in the request's audit
// event before View returns. Columns of the row that have no class are not part of it.
//
// A view is for reading. Text.UnmarshalJSON refuses Hidden and masks with ErrMark, but not an
// excerpt such as initials: let forms and clients send only what they changed.
//
// It returns ErrNoField for a name that the codec does not have, the errors of Text.View, and with an
// error no view.
func (c *Codec[T]) View(ctx context.Context, p *T, fields ...string) (map[string]string, error) {
	if c == nil || p == nil {
		return nil, fmt.Errorf("%w: viewing: nil codec or nil struct", ErrCodec)
	}
	if _, ok := SightFrom(ctx); !ok {
		return nil, ErrNoSight
	}
	if len(fields) == 0 {
		fields = c.Fields()
	}
	row := reflect.ValueOf(p).Elem()
	out := make(map[string]string, len(fields))
	for _, name := range fields {
		i := c.layout.at(name)
		if i < 0 {
			return nil, &FieldError{c.layout.entity + "." + name, ErrNoField}
		}
		text, err := c.layout.valueIn(row, i).View(ctx)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

func (l *layout) at(name string) int {
	for i := range l.fields {
		if l.fields[i].name == name {
			return i
		}
	}
	return -1
}

// isMark reports whether s is what a value prints as, or what a view shows in its place.
func isMark(s string) bool {
	return s == mark || s == Hidden || strings.Contains(s, "•••")
}
