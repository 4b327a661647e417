package rbac

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Dialect is the SQL that a Filter is written in.
type Dialect uint8

// The dialects.
const (
	// SQLite writes ? for each argument, in order.
	SQLite Dialect = iota + 1
	// Postgres writes $n, counting from the firstArg given to Filter.SQL.
	Postgres
	// PostgresQ is PostgreSQL behind a library that turns each ? into $n.
	PostgresQ
)

const (
	always = "1 = 1"
	never  = "1 = 0"
)

// Args collects the arguments of a condition and hands out their placeholders. The text must
// use them in the order in which they were added.
type Args struct {
	dialect Dialect
	next    int
	values  []any
}

// NewArgs returns an Args whose first placeholder on Postgres is $firstArg.
func NewArgs(d Dialect, firstArg int) *Args { return &Args{dialect: d, next: firstArg} }

// Values returns the arguments in the order in which they were added.
func (a *Args) Values() []any { return a.values }

// Dialect returns the SQL to be written.
func (a *Args) Dialect() Dialect { return a.dialect }

// Add appends a value and returns its placeholder.
func (a *Args) Add(v any) string {
	a.values = append(a.values, v)
	if a.dialect != Postgres {
		return "?"
	}
	a.next++
	return placeholder(a.next - 1)
}

// ordinals are the first placeholders of Postgres, so that most need no memory.
const ordinals = "$1$2$3$4$5$6$7$8$9$10$11$12$13$14$15$16$17$18$19$20$21$22$23$24$25$26$27$28$29$30$31$32$33$34$35$36$37$38$39"

func placeholder(n int) string {
	switch {
	case n >= 1 && n < 10:
		return ordinals[2*n-2 : 2*n]
	case n >= 10 && n < 40:
		return ordinals[3*n-12 : 3*n-9]
	}
	return "$" + strconv.Itoa(n)
}

// maxMarks is up to how many entries SQLite gets a list written out.
const maxMarks = 8

// Among returns a condition that column is one of list. A list of one is compared plainly: an
// index then yields its rows in their order, which PostgreSQL does not do for a list. A longer
// one is one argument whatever its length, so that the statement's text stays the same and can
// stay prepared; on SQLite only beyond eight entries, and up to those it is two, four or eight
// arguments, the last one repeated, which costs less than a table-valued function.
func (a *Args) Among(column string, list []string) string {
	switch {
	case len(list) == 0:
		return never
	case len(list) == 1:
		return column + " = " + a.Add(list[0])
	case a.dialect != SQLite:
		return column + " = ANY(CAST(" + a.Add(arrayLiteral(list)) + " AS text[]))"
	case len(list) <= maxMarks:
		marks := 2
		for marks < len(list) {
			marks *= 2
		}
		for i := range marks {
			a.Add(list[min(i, len(list)-1)])
		}
		return column + " IN (" + "?, ?, ?, ?, ?, ?, ?, ?"[:3*marks-2] + ")"
	}
	text, err := json.Marshal(list) // a list of strings always has a JSON form
	if err != nil {
		return never
	}
	return column + " IN (SELECT value FROM json_each(" + a.Add(string(text)) + "))"
}

// arrayLiteral writes a list as PostgreSQL's text form of an array.
func arrayLiteral(list []string) string {
	size := 2
	for _, v := range list {
		size += len(v) + 3
	}
	b := make([]byte, 0, size)
	b = append(b, '{')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		for j := range len(v) {
			if v[j] == '"' || v[j] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, v[j])
		}
		b = append(b, '"')
	}
	return string(append(b, '}'))
}

// either joins conditions by OR, leaving out those that cannot be met, which have no
// arguments; none at all can never be met.
func either(conditions []string) string {
	kept := slices.DeleteFunc(conditions, func(c string) bool { return c == never })
	if len(kept) == 0 {
		return never
	}
	return join(" OR ", kept)
}

// join joins conditions, in parentheses if there are several.
func join(by string, conditions []string) string {
	if len(conditions) == 1 {
		return conditions[0]
	}
	return "(" + strings.Join(conditions, by) + ")"
}
