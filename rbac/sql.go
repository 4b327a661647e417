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
	return "$" + strconv.Itoa(a.next-1)
}

// Among returns a condition that column is one of list, as one argument whatever its length,
// so that the statement's text stays the same and can stay prepared. A list of one is compared
// plainly: an index then yields its rows in their order, which PostgreSQL does not do for a list.
func (a *Args) Among(column string, list []string) string {
	if len(list) == 1 {
		return column + " = " + a.Add(list[0])
	}
	if a.dialect == SQLite {
		text, err := json.Marshal(list) // a list of strings always has a JSON form
		if err != nil {
			return never
		}
		return column + " IN (SELECT value FROM json_each(" + a.Add(string(text)) + "))"
	}
	return column + " = ANY(CAST(" + a.Add(arrayLiteral(list)) + " AS text[]))"
}

// arrayLiteral writes a list as PostgreSQL's text form of an array.
func arrayLiteral(list []string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(escape.Replace(v))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
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
