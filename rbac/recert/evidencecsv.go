package recert

import (
	"strconv"
	"strings"
	"time"
)

// appendRow appends a record of RFC 4180. Every cell is quoted: what another separator than the comma
// would cut stays together.
func appendRow(dst []byte, row []string) []byte {
	for i, cell := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, strings.ReplaceAll(safeCell(cell), `"`, `""`)...)
		dst = append(dst, '"')
	}
	return append(dst, "\r\n"...)
}

// safeCell keeps a spreadsheet from computing what is only text: an apostrophe stands before what
// begins like a formula, in the full-width forms too that some programs fold, and also behind what a
// program could take for the end of a cell.
func safeCell(cell string) string {
	var out strings.Builder
	begins := true
	for _, c := range cell {
		if begins && strings.ContainsRune("=+-@|%\t\r\n＝＋－＠", c) {
			out.WriteByte('\'')
		}
		out.WriteRune(c)
		switch c {
		case ';', '\t', '\r', '\n':
			begins = true
		case ' ', '"':
		default:
			begins = false
		}
	}
	return out.String()
}

// columns are the header of the table. Their order never changes; further ones come at the end.
func columns() []string {
	return []string{
		"campaign", "seq", "kind", "access", "subject", "for", "role", "practices", "locations", "queues", "from", "until",
		"granted", "granted_by", "granted_why", "source", "risk", "looked_since", "last_used", "emergencies", "conflicts", "peers", "recommended",
		"state", "outcome", "reviewed", "reviewer", "steps", "decision", "decided_by", "decided_at", "code", "justified", "event",
		"stays_until", "stays_practices", "stays_locations", "stays_queues",
		"effect", "ordered", "made", "checked", "denied", "seconds_to_effect", "closed", "exception", "exception_since", "granted_again", "others",
	}
}

// table is Bundle.CSV.
func table(c *Campaign, items []Item) []byte {
	out := appendRow(nil, columns())
	for n := range items {
		out = appendRow(out, row(c, &items[n]))
	}
	return out
}

func row(c *Campaign, i *Item) []string {
	a, d, x := &i.Access, &i.Decision, i.Access.Context
	cells := []string{
		c.ID, strconv.FormatInt(i.Seq, 10), string(a.Kind), a.ID, string(a.Subject), string(a.For), a.Role,
		words(a.Reach.Practices), words(a.Reach.Locations), words(a.Reach.Queues), clock(a.From), clock(a.Until),
		clock(a.Granted), string(a.By), a.Why, a.Source, string(i.Risk), clock(x.Looked), clock(x.LastUsed),
		strconv.Itoa(x.Emergencies), words(x.Conflicts), strconv.Itoa(x.Peers), string(x.Recommend),
		string(i.State), string(i.Outcome), yes(i.reviewed()), string(i.Reviewer), chain(i.Steps),
		string(d.Do), string(d.By), clock(d.At), d.Code, yes(d.Justified), d.Event,
		clock(d.Until), words(d.Reach.Practices), words(d.Reach.Locations), words(d.Reach.Queues),
	}
	others := "" // that give some of the same, although this one is denied
	if len(i.Effects) == 0 {
		cells = append(cells, "", "", "", "", "", "")
	} else {
		e := &i.Effects[len(i.Effects)-1] // the JSON has those before
		cells = append(cells, string(e.Do), clock(e.Ordered), clock(e.Made), clock(e.Checked), yes(e.Denied), seconds(e))
		others = words(e.Others)
	}
	return append(cells, clock(i.Closed), string(i.Exception), clock(i.Since), i.Regrant, others)
}

func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for n, s := range list {
		out[n] = string(s)
	}
	return strings.Join(out, " ")
}

// chain is how an item was handed on: "delegate ann>bob abstain bob>cy".
func chain(steps []Step) string {
	var out []string
	for _, s := range steps {
		out = append(out, string(s.Do)+" "+string(s.By)+">"+string(s.To))
	}
	return strings.Join(out, " ")
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// seconds is the time to effect, empty while it is not confirmed.
func seconds(e *Effect) string {
	if !e.Done() {
		return ""
	}
	return strconv.FormatFloat(time.Duration(e.Took*int64(time.Microsecond)).Seconds(), 'f', 6, 64)
}
