package deid

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"io"
	"strings"
)

//go:embed zip3.csv
var census2000 []byte

// Prefixes are the three-digit ZIP areas in which at most 20,000 people live, by a Census.
type Prefixes struct {
	source, date string
	few          map[string]bool
}

// ErrPrefixes: the data is no list of ZIP areas with its source and date.
var ErrPrefixes = errors.New("deid: not a list of ZIP areas")

// Census2000 returns the list that HHS published with its guidance, of the decennial Census of
// 2000: 17 areas.
func Census2000() *Prefixes {
	p, err := ReadPrefixes(bytes.NewReader(census2000))
	if err != nil {
		return &Prefixes{} // knows nobody's area: everything is 000
	}
	return p
}

// ReadPrefixes reads a list: a line "# source: …", a line "# date: …", then one prefix of three
// digits on each line, none twice. Anything else is ErrPrefixes.
func ReadPrefixes(r io.Reader) (*Prefixes, error) {
	p := &Prefixes{few: map[string]bool{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if text, ok := strings.CutPrefix(line, "# source: "); ok && p.source == "" && text != "" {
			p.source = text
			continue
		}
		if text, ok := strings.CutPrefix(line, "# date: "); ok && p.date == "" && text != "" {
			p.date = text
			continue
		}
		if len(line) != 3 || !digits(line) || p.few[line] {
			return nil, ErrPrefixes
		}
		p.few[line] = true
	}
	if lines.Err() != nil || p.source == "" || p.date == "" || len(p.few) == 0 {
		return nil, ErrPrefixes
	}
	return p, nil
}

// Source returns where the list comes from.
func (p *Prefixes) Source() string { return p.source }

// Date returns of when the list is.
func (p *Prefixes) Date() string { return p.date }

// cut returns the area of a ZIP code of five or nine digits, "" for anything else.
func (p *Prefixes) cut(zip string) string {
	five, four, long := strings.Cut(zip, "-")
	switch {
	case len(five) != 5 || !digits(five) || long && (len(four) != 4 || !digits(four)):
		return ""
	case len(p.few) == 0 || p.few[five[:3]]:
		return "000"
	}
	return five[:3]
}

func digits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
