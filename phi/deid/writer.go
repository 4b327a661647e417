package deid

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Writer writes rows in a format.
type Writer struct {
	format string
	w      io.Writer
	head   func(columns []string) ([]byte, error)
	row    func(columns, values []string) ([]byte, error)
}

// CSV writes comma-separated values, RFC 4180, with the names of the columns in the first line. A
// value that a spreadsheet would take for a formula has an apostrophe before it.
func CSV(w io.Writer) Writer {
	return Writer{"csv", w, csvLine, func(_, values []string) ([]byte, error) { return csvLine(values) }}
}

// JSONLines writes one JSON object for each row, in a line of its own. What was left out is null.
func JSONLines(w io.Writer) Writer {
	return Writer{"jsonl", w, func([]string) ([]byte, error) { return nil, nil }, jsonLine}
}

func csvLine(values []string) ([]byte, error) {
	safe := make([]string, len(values))
	for i, v := range values {
		if safe[i] = v; isFormula(v) {
			safe[i] = "'" + v
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(safe); err != nil {
		return nil, err
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// isFormula looks behind white space, which spreadsheets may drop, and knows the wide forms of the signs, which they may
// narrow.
func isFormula(v string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(v, unicode.IsSpace))
	return v != "" && (strings.ContainsRune("\t\r\n", rune(v[0])) || strings.ContainsRune("=+-@=+-@", first)) && !isNumber(v)
}

func isNumber(v string) bool {
	whole, part, point := strings.Cut(strings.TrimPrefix(v, "-"), ".")
	return digits(whole) && (!point || digits(part))
}

func jsonLine(columns, values []string) ([]byte, error) {
	row := map[string]*string{}
	for i, c := range columns {
		if row[c] = &values[i]; values[i] == "" {
			row[c] = nil
		}
	}
	text, err := json.Marshal(row)
	return append(text, '\n'), err
}
