package phitest

import (
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// decoyed is a decoy for every printer: an error, with methods that encoders use.
type decoyed string

// Error returns the decoy.
func (d decoyed) Error() string { return string(d) }

// inside is how values hide from their own methods: fmt calls none on an unexported field.
type inside struct {
	Kind string
	v    any
}

type printer struct {
	name  string
	print func(w io.Writer, v any)
}

// printers are ways in which a value gets out of a program. What cannot be encoded at all is
// not a leak; what the encoder says about it is printed.
func printers() []printer {
	encoded := func(w io.Writer, err error) {
		if err != nil {
			fmt.Fprintln(w, err)
		}
	}
	return []printer{
		{"fmt", func(w io.Writer, v any) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(w, verb+"\n", v)
				fmt.Fprintf(w, verb+"\n", inside{"x", v})
			}
		}},
		{"json", func(w io.Writer, v any) { encoded(w, json.NewEncoder(w).Encode([]any{v})) }},
		{"xml", func(w io.Writer, v any) { encoded(w, xml.NewEncoder(w).Encode(v)) }},
		{"gob", func(w io.Writer, v any) { encoded(w, gob.NewEncoder(w).Encode(v)) }},
		{"slog text", func(w io.Writer, v any) { slog.New(slog.NewTextHandler(w, nil)).Info("seen", "v", v) }},
		{"slog json", func(w io.Writer, v any) { slog.New(slog.NewJSONHandler(w, nil)).Info("seen", "v", v) }},
		{"errors", func(w io.Writer, v any) {
			err, ok := v.(error)
			if !ok {
				err = fmt.Errorf("for %v", v)
			}
			printTree(w, err)
		}},
	}
}

// printTree prints err and everything that it wraps.
func printTree(w io.Writer, err error) {
	fmt.Fprintf(w, "%v\n%+v\n%#v\n", err, err, err)
	if e := errors.Unwrap(err); e != nil {
		printTree(w, e)
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			printTree(w, e)
		}
	}
}
