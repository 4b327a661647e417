package auditsql

import (
	"bytes"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// facts is what a filter asks of an event, read from its canonical bytes, of which it is parts.
type facts struct {
	actor, action []byte
	patients      [][]byte
	objects       []objectFacts
}

type objectFacts struct{ kind, id []byte }

// read reads canonical bytes, and reuses the room of f. It is quicker than audit.Decode and trusts
// them to be canonical: whoever serves the event checks that. It reports false for bytes that it
// cannot read.
func (f *facts) read(body []byte) bool {
	*f = facts{patients: f.patients[:0], objects: f.objects[:0]}
	s := scanner{b: body}
	ok := s.object(func(key []byte) bool {
		switch string(key) {
		case "act":
			return s.object(func(key []byte) bool { return s.field(key, "v", &f.action) })
		case "who":
			return s.object(func(key []byte) bool { return s.field(key, "id", &f.actor) })
		case "pat":
			return s.list(func() bool {
				p, ok := s.text()
				f.patients = append(f.patients, p)
				return ok
			})
		case "obj":
			return s.list(func() bool {
				var o objectFacts
				ok := s.object(func(key []byte) bool {
					if len(key) == 1 {
						return s.field(key, "t", &o.kind)
					}
					return s.field(key, "id", &o.id)
				})
				f.objects = append(f.objects, o)
				return ok
			})
		}
		return s.skip()
	})
	return ok && s.at == len(body)
}

// entry returns what an entry with these facts is found by.
func (f *facts) entry(tenant audit.Tenant) audit.Entry {
	e := audit.Entry{Tenant: tenant, Actor: audit.ActorID(f.actor), Action: audit.Action(f.action)}
	for _, p := range f.patients {
		e.Patients = append(e.Patients, audit.Patient(p))
	}
	for _, o := range f.objects {
		e.Objects = append(e.Objects, audit.Ref{Type: string(o.kind), ID: string(o.id)})
	}
	return e
}

// match reports whether the entry e, whose body says f, is selected. The body decides, not
// the hashes that led to it.
func (f *facts) match(filter *audit.Filter, e *audit.Entry) bool {
	wide := *filter
	wide.Patient, wide.ObjectType, wide.ObjectID = "", "", ""
	return wide.Matches(e) &&
		(filter.Patient == "" || slices.ContainsFunc(f.patients, func(p []byte) bool { return string(p) == string(filter.Patient) })) &&
		(filter.ObjectType == "" || slices.ContainsFunc(f.objects, func(o objectFacts) bool {
			return string(o.kind) == filter.ObjectType && (filter.ObjectID == "" || string(o.id) == filter.ObjectID)
		}))
}

// scanner reads JSON without white space, from left to right.
type scanner struct {
	b  []byte
	at int
}

func (s *scanner) next(c byte) bool {
	if s.at < len(s.b) && s.b[s.at] == c {
		s.at++
		return true
	}
	return false
}

// object calls member for each key, which reads the value.
func (s *scanner) object(member func(key []byte) bool) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		key, ok := s.raw()
		if !ok || !s.next(':') || !member(key) {
			return false
		}
		if !s.next(',') {
			return s.next('}')
		}
	}
}

func (s *scanner) list(item func() bool) bool {
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	for item() {
		if !s.next(',') {
			return s.next(']')
		}
	}
	return false
}

// field reads the value of key into to, if it is the one that is wanted.
func (s *scanner) field(key []byte, want string, to *[]byte) (ok bool) {
	if string(key) != want {
		return s.skip()
	}
	*to, ok = s.text()
	return ok
}

// raw reads a string and returns what is between its quotes.
func (s *scanner) raw() ([]byte, bool) {
	if !s.next('"') {
		return nil, false
	}
	start := s.at
	for ; s.at < len(s.b); s.at++ {
		switch s.b[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return s.b[start : s.at-1], true
		}
	}
	return nil, false
}

// text is raw without escapes; canonical bytes have two kinds of them.
func (s *scanner) text() ([]byte, bool) {
	raw, ok := s.raw()
	if !ok || bytes.IndexByte(raw, '\\') < 0 {
		return raw, ok
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' {
			i++
		}
		out = append(out, raw[i])
	}
	return out, true
}

// skip reads any value. Containers are skipped without looking at their grammar.
func (s *scanner) skip() bool {
	for depth := 0; s.at < len(s.b); {
		switch c := s.b[s.at]; {
		case c == '"':
			if _, ok := s.raw(); !ok {
				return false
			}
		case c == '{' || c == '[':
			depth++
			s.at++
			continue
		case (c == '}' || c == ']') && depth > 0:
			depth--
			s.at++
		case c == '}' || c == ']' || c == ',' || c == ':':
			if depth == 0 {
				return false
			}
			s.at++
			continue
		default:
			s.scalar()
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

// scalar skips a number or a word.
func (s *scanner) scalar() {
	for s.at < len(s.b) && !bytes.ContainsRune([]byte(`,:]}{["`), rune(s.b[s.at])) {
		s.at++
	}
}
