package phi

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// layout is what For learned about a struct.
type layout struct {
	entity  string
	row     []int // index path of the row id
	patient []int // of the patient id, nil for an entity that belongs to no patient
	same    bool  // row and patient are one field
	fields  []field
	indexes []index
}

type field struct {
	name    string // "phone"
	id      string // "patient.phone"
	class   Class
	path    []int
	indexed bool // an index needs its plaintext
}

// Option configures a Codec.
type Option func(*layout) error

func (l *layout) find(name string) *field {
	i := slices.IndexFunc(l.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &l.fields[i]
}

// isName reports whether s may name an entity or a field: 1 to 63 of a–z, 0–9 and _, a letter
// first.
func isName(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
}

// layoutOf reads the tags of t and reports everything that is wrong with them at once.
func layoutOf(t reflect.Type, entity string, opts []Option) (*layout, error) {
	l := &layout{entity: entity}
	var errs []error
	if !isName(entity) {
		errs = append(errs, fmt.Errorf("entity %q: names are a–z, 0–9 and _", entity))
	}
	if t.Kind() != reflect.Struct {
		return nil, errors.Join(append(errs, fmt.Errorf("%w: not a struct", ErrCodec))...)
	}
	var out [][]int // embedded structs that are left out
	for _, f := range reflect.VisibleFields(t) {
		if f.Tag.Get("phi") == "-" {
			out = append(out, f.Index)
		}
		if within(f.Index, out) {
			continue
		}
		if err := l.read(t, f); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, err))
		}
	}
	l.same = l.patient != nil && slices.Equal(l.row, l.patient)
	if l.row == nil {
		errs = append(errs, errors.New("no field is tagged as the row id"))
	}
	if len(l.fields) == 0 {
		errs = append(errs, errors.New("no field is sealed"))
	}
	for _, o := range opts {
		if o == nil {
			errs = append(errs, errors.New("nil option"))
		} else if err := o(l); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w for entity %q: %w", ErrCodec, entity, errors.Join(errs...))
	}
	return l, nil
}

// read takes one struct field into the layout.
func (l *layout) read(t reflect.Type, f reflect.StructField) error {
	tag, tagged := f.Tag.Lookup("phi")
	sealed := isValue(f.Type)
	switch {
	case !tagged && sealed:
		return errors.New(`a phi value without a tag; say phi:"-" to leave it out`)
	case !tagged && !f.Anonymous && holdsValue(f.Type, nil):
		return errors.New(`holds phi values where they are not found: embed the struct, or say phi:"-"`)
	case !tagged:
		return nil
	case !f.IsExported() || behindPointer(t, f.Index):
		return errors.New("a tagged field must be exported and not behind a pointer")
	}
	name, rest, _ := strings.Cut(tag, ",")
	if sealed {
		return l.readValue(f, name, rest)
	}
	return l.readID(f, name, rest)
}

func (l *layout) readValue(f reflect.StructField, name, rest string) error {
	class, ok := strings.CutPrefix(rest, "class=")
	switch {
	case !isName(name):
		return fmt.Errorf("field name %q: names are a–z, 0–9 and _", name)
	case l.find(name) != nil:
		return fmt.Errorf("field name %q is taken", name)
	case !ok || !slices.Contains(Classes(), Class(class)):
		return fmt.Errorf(`tag %q: want "name,class=…" with one of the classes`, name+","+rest)
	}
	l.fields = append(l.fields, field{
		name: name, id: l.entity + "." + name, class: Class(class), path: f.Index,
	})
	return nil
}

func (l *layout) readID(f reflect.StructField, name, rest string) error {
	if name != "" || f.Type.Kind() != reflect.String {
		return errors.New(`only a phi.Text, Date or Number has a name; ids are strings tagged ",row" or ",patient"`)
	}
	for opt := range strings.SplitSeq(rest, ",") {
		var have *[]int
		switch opt {
		case "row":
			have = &l.row
		case "patient":
			have = &l.patient
		default:
			return fmt.Errorf("unknown option %q", opt)
		}
		if *have != nil {
			return fmt.Errorf("a second field is tagged %q", opt)
		}
		*have = f.Index
	}
	return nil
}

// holdsValue reports whether t is made of values somewhere: a pointer to one, a list, a struct
// that is not embedded. Nobody would seal them.
func holdsValue(t reflect.Type, above []reflect.Type) bool {
	if isValue(t) || slices.Contains(above, t) {
		return isValue(t)
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsValue(t.Elem(), above)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("phi") != "-" && holdsValue(f.Type, above) {
				return true
			}
		}
	}
	return false
}

// within reports whether path is one of the others or leads through it.
func within(path []int, others [][]int) bool {
	return slices.ContainsFunc(others, func(o []int) bool {
		return len(path) >= len(o) && slices.Equal(path[:len(o)], o)
	})
}

func behindPointer(t reflect.Type, path []int) bool {
	for _, i := range path[:len(path)-1] {
		f := t.Field(i)
		if f.Type.Kind() != reflect.Struct || !f.IsExported() && !f.Anonymous {
			return true
		}
		t = f.Type
	}
	return false
}

func (l *layout) rowID(v reflect.Value) string { return v.FieldByIndex(l.row).String() }

func (l *layout) patientID(v reflect.Value) audit.Patient {
	if l.patient == nil {
		return ""
	}
	return audit.Patient(v.FieldByIndex(l.patient).String())
}

// complete checks what the row of at, whose field comes later, is bound to.
func (l *layout) complete(at At) error {
	switch {
	case at.Tenant == "":
		return errNoTenant
	case at.Row == "":
		return errNoRow
	case l.patient != nil && at.Patient == "":
		return errNoPatient
	}
	return nil
}

// isValue reports whether t is Text, Date or Number.
func isValue(t reflect.Type) bool {
	return t == reflect.TypeFor[Text]() || t == reflect.TypeFor[Date]() || t == reflect.TypeFor[Number]()
}

// value returns the i-th sealed field of the struct v, to be set.
func (l *layout) value(v reflect.Value, i int) *value {
	switch t := l.fieldOf(v, i).Addr().Interface().(type) {
	case *Text:
		return &t.value
	case *Date:
		return &t.value
	default:
		return &t.(*Number).value
	}
}

// valueIn returns what the i-th sealed field of the struct v holds, in less time than value.
func (l *layout) valueIn(v reflect.Value, i int) value {
	v = l.fieldOf(v, i)
	if t, ok := reflect.TypeAssert[Text](v); ok {
		return t.value
	}
	if t, ok := reflect.TypeAssert[Date](v); ok {
		return t.value
	}
	t, _ := reflect.TypeAssert[Number](v)
	return t.value
}

func (l *layout) fieldOf(v reflect.Value, i int) reflect.Value {
	for _, k := range l.fields[i].path { // several of an embedded struct
		v = v.Field(k)
	}
	return v
}
