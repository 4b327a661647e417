package redact

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/wardkit/wardkit/phi"
)

// LogOptions are what NewLogHandler can be told. The zero value is safe.
type LogOptions struct {
	// OnHit is told of each identifier that was about to be logged, never its value: a hit is a bug
	// in what logs. It is called before the record is handled and must not log through the
	// handler. Nil: Hits counts alone.
	OnHit func(ctx context.Context, class phi.Class, rule string)
	// Keys are names of attributes whose values are never logged, in lower case, beside the usual
	// ones: "ssn", "dob", "phone", "email", "mrn", "patient_name", "diagnosis", "note", "password", "token" and
	// their like.
	Keys []string
}

// LogHandler is a safety net under a log: it replaces what looks like an identifier in messages and
// attributes, "[phi:ssn]", and counts it. It is no permission to log PHI: it knows no names.
type LogHandler struct {
	next   slog.Handler
	net    *net
	secret bool // in a group whose name says that its values are identifiers
}

type net struct {
	onHit func(context.Context, phi.Class, string)
	keys  map[string]bool
	hits  atomic.Int64
}

var _ slog.Handler = (*LogHandler)(nil)

// NewLogHandler returns a handler that cleans records before next gets them. It panics without next.
func NewLogHandler(next slog.Handler, o *LogOptions) *LogHandler {
	if next == nil {
		panic("redact: a log handler without a next one")
	}
	n := &net{keys: map[string]bool{}}
	for _, k := range []string{
		"ssn", "social_security_number", "dob", "date_of_birth", "birth_date", "birthdate", "phone", "phone_number", "email", "e_mail", "mrn",
		"first_name", "last_name", "full_name", "patient_name", "address", "diagnosis", "note", "notes", "password", "secret", "token", "authorization", "cookie",
	} {
		n.keys[k] = true
	}
	if o != nil {
		n.onHit = o.OnHit
		for _, k := range o.Keys {
			n.keys[strings.ToLower(k)] = true
		}
	}
	return &LogHandler{next, n, false}
}

// Hits returns how many identifiers were kept out of the log so far: a number to alarm on.
func (h *LogHandler) Hits() int64 { return h.net.hits.Load() }

// Enabled implements slog.Handler.
func (h *LogHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *LogHandler) Handle(ctx context.Context, r slog.Record) error {
	message, hit := h.net.clean(ctx, r.Message)
	dirty := hit || h.secret
	if !dirty {
		r.Attrs(func(a slog.Attr) bool {
			dirty = h.net.suspicious(a)
			return !dirty
		})
	}
	if !dirty {
		return h.next.Handle(ctx, r)
	}
	out := slog.NewRecord(r.Time, r.Level, message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.net.attr(ctx, a, h.secret))
		return true
	})
	return h.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h *LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.net.attr(context.Background(), a, h.secret)
	}
	return &LogHandler{h.next.WithAttrs(clean), h.net, h.secret}
}

// WithGroup implements slog.Handler.
func (h *LogHandler) WithGroup(name string) slog.Handler {
	clean, _ := h.net.clean(context.Background(), name)
	return &LogHandler{h.next.WithGroup(clean), h.net, h.secret || h.net.named(name)}
}

// suspicious reports whether an attribute has to be looked at closely. It allocates nothing for
// what programs mostly log.
func (n *net) suspicious(a slog.Attr) bool {
	if smells(a.Key) {
		return true
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return n.named(a.Key) || smells(a.Value.String())
	case slog.KindGroup, slog.KindLogValuer, slog.KindAny:
		return true
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindTime:
		return n.named(a.Key)
	}
	return false
}

// named reports whether a key says that its value is an identifier.
func (n *net) named(key string) bool {
	if n.keys[key] {
		return true
	}
	for i := range len(key) {
		if 'A' <= key[i] && key[i] <= 'Z' || key[i] == '-' || key[i] == ' ' {
			return n.keys[snake(key)]
		}
	}
	return false
}

// snake returns patient_name for "patientName", "Patient-Name" and "PATIENT_NAME".
func snake(key string) string {
	var b strings.Builder
	lower := false
	for i := range len(key) {
		c := key[i]
		switch {
		case c == '-' || c == ' ':
			c, lower = '_', false
		case 'A' <= c && c <= 'Z':
			if lower {
				b.WriteByte('_')
			}
			c, lower = c|0x20, false
		default:
			lower = 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// attr returns the attribute as it may be logged; secret says that the group it is in has a name that
// says what is in it.
func (n *net) attr(ctx context.Context, a slog.Attr, secret bool) slog.Attr {
	v := a.Value.Resolve()
	secret = secret || n.named(a.Key)
	key, _ := n.clean(ctx, a.Key)
	if v.Kind() == slog.KindGroup {
		in := v.Group()
		out := make([]slog.Attr, len(in))
		for i := range in {
			out[i] = n.attr(ctx, in[i], secret)
		}
		return slog.Attr{Key: key, Value: slog.GroupValue(out...)}
	}
	if secret && !phiValue(v) && !empty(v) {
		n.hit(ctx, phi.ClassOtherID, "key")
		return slog.String(key, "[phi]")
	}
	switch v.Kind() {
	case slog.KindString:
		s, _ := n.clean(ctx, v.String())
		return slog.String(key, s)
	case slog.KindAny:
		return slog.Attr{Key: key, Value: n.any(ctx, v)}
	}
	return slog.Attr{Key: key, Value: v}
}

// phiValue reports whether a value cannot be printed anyway.
func phiValue(v slog.Value) bool { return v.Kind() == slog.KindString && v.String() == "[PHI]" }

func empty(v slog.Value) bool { return v.Kind() == slog.KindString && v.String() == "" }

// clean replaces what the rules for logs find.
func (n *net) clean(ctx context.Context, s string) (string, bool) {
	if !smells(s) {
		return s, false
	}
	found := inLine(s)
	if len(found) == 0 {
		return s, false
	}
	var b strings.Builder
	end := 0
	for _, f := range merge(found) {
		b.WriteString(s[end:f.From])
		b.WriteString("[phi:" + string(f.Class) + "]")
		end = f.To
		n.hit(ctx, f.Class, f.Rule)
	}
	b.WriteString(s[end:])
	return b.String(), true
}

func (n *net) hit(ctx context.Context, c phi.Class, rule string) {
	n.hits.Add(1)
	if n.onHit != nil {
		n.onHit(ctx, c, rule)
	}
}
