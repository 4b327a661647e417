package export

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// CSV writes a table (RFC 4180, with a header) for people and spreadsheets: one event on a line,
// what is personal left out. Lists are joined by spaces. A cell that a spreadsheet would take for
// a formula has an apostrophe before it. The canonical bytes are not in it, so it proves nothing by
// itself; the manifest covers its bytes.
type CSV struct{}

var _ Encoder = CSV{}

// Name implements Encoder.
func (CSV) Name() string { return "csv" }

// columns are the header. Their order never changes; further ones are added at the end.
func columns() []string {
	return []string{
		"index", "id", "recorded", "action", "verb", "outcome", "code",
		"actor", "actor_kind", "on_behalf_of", "organization", "roles", "session", "assurance", "emergency",
		"patients", "objects", "purpose", "app", "location", "server", "request",
		"rule", "scope", "grant", "detail", "leaf",
	}
}

// Begin implements Encoder.
func (CSV) Begin(dst []byte) []byte {
	return appendRow(dst, columns())
}

// Append implements Encoder.
func (CSV) Append(dst []byte, entry *audit.Entry) ([]byte, error) {
	e, err := audit.Decode(entry.Body)
	if err != nil {
		return dst, err
	}
	row := []string{
		strconv.FormatInt(entry.Index, 10), e.ID, e.Recorded.UTC().Format("2006-01-02T15:04:05.000000Z"), string(e.Action), string(e.Verb),
		strconv.Itoa(int(e.Outcome)), e.Code,
		string(e.Actor.ID), string(e.Actor.Kind), string(e.Actor.OnBehalfOf), e.Actor.Organization, strings.Join(e.Actor.Roles, " "),
		e.Actor.Session, strconv.Itoa(int(e.Actor.Assurance)), e.Actor.Emergency,
		joined(e.Patients), objects(e.Objects), e.Purpose, e.Client.App, e.Client.Location, e.Server.ID, e.Correlation.Request,
		e.Decision.Rule, e.Decision.Scope, e.Decision.Grant, detail(e.Detail), base64.StdEncoding.EncodeToString(entry.Leaf[:]),
	}
	for i := range row {
		row[i] = safe(row[i])
	}
	return appendRow(dst, row), nil
}

// appendRow appends a record of RFC 4180. A csv.Writer for each would cost more than all the rest.
func appendRow(dst []byte, row []string) []byte {
	for i, cell := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !strings.ContainsAny(cell, "\",\r\n") {
			dst = append(dst, cell...)
			continue
		}
		dst = append(dst, '"')
		dst = append(dst, strings.ReplaceAll(cell, `"`, `""`)...)
		dst = append(dst, '"')
	}
	return append(dst, "\r\n"...)
}

// safe keeps a spreadsheet from computing what is only text.
func safe(cell string) string {
	if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r\n|%") || fullWidth(cell) {
		return "'" + cell
	}
	return cell
}

// fullWidth reports whether a cell begins with a form of these signs that some programs fold.
func fullWidth(cell string) bool {
	for _, sign := range []string{"＝", "＋", "－", "＠"} {
		if strings.HasPrefix(cell, sign) {
			return true
		}
	}
	return false
}

func joined[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, " ")
}

func objects(list []audit.Object) string {
	out := make([]string, len(list))
	for i, o := range list {
		out[i] = o.Type
		if o.ID != "" {
			out[i] += "/" + o.ID
		}
	}
	return strings.Join(out, " ")
}

func detail(m map[string]string) string {
	var out []string
	for _, k := range sortedKeys(m) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}
