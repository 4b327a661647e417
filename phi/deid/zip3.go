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

// areas are the three-digit areas in which people live at all, as ranges. Not in them are those that
// the Postal Service has not assigned, the military's (090-098, 340, 962-966), and those of one
// addressee or of offices only, such as the IRS: the Census counts nobody there.
const areas = `006-054 056-089
100-191 193-201
206-212 214-268 270-299
300-339 341-342 344-344 346-347 349-352 354-374 376-398
400-418 420-427 430-458 460-499
500-516 520-528 530-532 534-535 537-551 553-567 570-577 580-588 590-599
600-620 622-631 633-641 644-648 650-658 660-662 664-681 683-693
700-701 703-708 710-714 716-731 734-741 743-770 772-799
800-816 820-838 840-847 850-853 855-857 859-860 863-865 870-871 873-875 877-884 889-891 893-895 897-898
900-908 910-928 930-961 967-986 988-999`

// inhabited reports whether an area is one of areas.
func inhabited(area string) bool {
	for r := range strings.FieldsSeq(areas) {
		if r[:3] <= area && area <= r[4:] {
			return true
		}
	}
	return false
}

// cut returns the area of a ZIP code of five or nine digits, "" for anything else. 164.514(b)(2)(i)(B)
// lets digits leave only where the Census counts more than 20,000 people. The list names areas
// of fewer; of an area that nobody knows it says nothing, so that is 000 as well.
func (p *Prefixes) cut(zip string) string {
	five, four, long := strings.Cut(zip, "-")
	switch {
	case len(five) != 5 || !digits(five) || long && (len(four) != 4 || !digits(four)):
		return ""
	case len(p.few) == 0 || p.few[five[:3]] || !inhabited(five[:3]):
		return "000"
	}
	return five[:3]
}

func digits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
