package phi

import (
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Row is a stored row as the host's SELECT returned it.
type Row struct {
	ID      string
	Patient audit.Patient // where the patient is another column than the id
	// Cols has the columns by field name, nil for NULL. It is for rows that were read without
	// Dest, whose columns are apart; where both have a column, it is this one that counts.
	Cols map[string]Sealed

	scanned []column
	of      *layout // of scanned
}

// column is what Dest scans into.
type column struct {
	field  *field
	sealed Sealed
	loaded bool
}

// Scan stores the column.
func (c *column) Scan(src any) error {
	if err := c.sealed.Scan(src); err != nil {
		return &FieldError{c.field.id, err}
	}
	c.loaded = true
	return nil
}

// Dest returns what rows.Scan needs for a SELECT of the host's own columns followed by those
// of Columns: own, then one destination for each field, all of which are in row afterwards.
//
//	err := rows.Scan(patients.Dest(&row, &row.ID, &therapist)...)
func (c *Codec[T]) Dest(row *Row, own ...any) []any {
	n := len(c.layout.fields)
	row.Cols, row.scanned, row.of = nil, make([]column, n), c.layout
	dest := make([]any, 0, len(own)+n)
	dest = append(dest, own...)
	for i := range row.scanned {
		row.scanned[i].field = &c.layout.fields[i]
		dest = append(dest, &row.scanned[i])
	}
	return dest
}

// Col returns the column of a field as it is stored, nil for NULL, and whether it was loaded.
func (r *Row) Col(field string) (s Sealed, loaded bool) {
	if s, loaded = r.Cols[field]; loaded {
		return s, true
	}
	for i := range r.scanned {
		if c := &r.scanned[i]; c.field.name == field {
			return c.sealed, c.loaded
		}
	}
	return nil, false
}

// at is Col for the i-th field of l.
func (r *Row) at(l *layout, i int) (Sealed, bool) {
	if r.of == l && len(r.Cols) == 0 {
		return r.scanned[i].sealed, r.scanned[i].loaded
	}
	return r.Col(l.fields[i].name)
}

// fits refuses columns of fields that l does not have.
func (r *Row) fits(l *layout) error {
	if r.of == l && len(r.Cols) == 0 {
		return nil
	}
	for name := range r.all() {
		if l.find(name) == nil {
			return &FieldError{l.entity + "." + name, ErrNoField}
		}
	}
	return nil
}

// all yields the columns that were loaded.
func (r *Row) all() iter.Seq2[string, Sealed] {
	return func(yield func(string, Sealed) bool) {
		for name, s := range r.Cols {
			if !yield(name, s) {
				return
			}
		}
		for i := range r.scanned {
			c := &r.scanned[i]
			if _, twice := r.Cols[c.field.name]; !twice && c.loaded && !yield(c.field.name, c.sealed) {
				return
			}
		}
	}
}
