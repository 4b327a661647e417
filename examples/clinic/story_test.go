package main

import (
	"errors"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// story is a clinic and the people in it, told in steps: each step is a subtest, and what it
// needs the steps before it have made. A step that fails ends the story.
type story struct {
	t      *testing.T
	args   []string
	clinic *clinic
	all    []*clinic // every process there was, for what they logged
	cast   []*person
}

// tell starts a clinic for a story.
func tell(t *testing.T, args ...string) *story {
	t.Helper()
	s := &story{t: t, args: args}
	s.restart(t)
	return s
}

// restart starts the clinic again on the same data; everybody keeps their cookies.
func (s *story) restart(t *testing.T) {
	t.Helper()
	c, err := launch(s.args...)
	for end := time.Now().Add(time.Minute); errors.Is(err, errTaken) && time.Now().Before(end); c, err = launch(s.args...) {
		time.Sleep(time.Second) // whoever was given the port may give it back
	}
	if c != nil {
		s.t.Cleanup(c.kill)
	}
	require.NoError(t, err)
	s.clinic = c
	s.all = append(s.all, c)
	for _, p := range s.cast {
		p.clinic = c
	}
}

// enter brings in somebody with a fresh browser.
func (s *story) enter() *person {
	p := newPerson(s.t, s.clinic)
	s.cast = append(s.cast, p)
	return p
}

func (s *story) step(name string, f func(t *testing.T)) {
	s.t.Helper()
	ok := s.t.Run(name, func(t *testing.T) {
		for _, p := range s.cast {
			p.t = t
		}
		f(t)
	})
	for _, p := range s.cast {
		p.t = s.t
	}
	if !ok {
		log := strings.Split(s.logged(), "\n")
		s.t.Fatalf("the story ends here; the clinic logged last:\n%s", strings.Join(log[max(0, len(log)-10):], "\n"))
	}
}

// logged is everything that every process of the story logged.
func (s *story) logged() string {
	var all strings.Builder
	for _, c := range s.all {
		all.WriteString(c.log.String())
	}
	return all.String()
}

var (
	rowPattern  = regexp.MustCompile(`(?s)<tr[^>]*>(.*?)</tr>`)
	cellPattern = regexp.MustCompile(`(?s)<td[^>]*>(.*?)</td>`)
)

// table returns the cells of the page's table rows as text.
func (p page) table() (rows [][]string) {
	for _, row := range rowPattern.FindAllStringSubmatch(p.body, -1) {
		var cells []string
		for _, cell := range cellPattern.FindAllStringSubmatch(row[1], -1) {
			text := untagged(strings.NewReplacer("<br>", " ", "<div>", " ").Replace(cell[1]), "")
			cells = append(cells, strings.Join(strings.Fields(html.UnescapeString(text)), " "))
		}
		if cells != nil {
			rows = append(rows, cells)
		}
	}
	return rows
}

// column returns one column of the page's table.
func (p page) column(i int) (cells []string) {
	for _, row := range p.table() {
		if i < len(row) {
			cells = append(cells, row[i])
		}
	}
	return cells
}

// links returns the first group of every match of the pattern, in order, each once.
func (p page) links(pattern string) (found []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(p.body, -1) {
		if text := html.UnescapeString(m[1]); !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	return found
}

// fact returns what a page says under a heading of its list of facts.
func (p page) fact(t *testing.T, name string) string {
	t.Helper()
	cell := p.match(t, `(?s)<dt>`+regexp.QuoteMeta(html.EscapeString(name))+`</dt><dd>(.*?)</dd>`)
	return strings.Join(strings.Fields(untagged(cell, " ")), " ")
}

const eventLink = `href="/audit/([0-9a-f-]{36})["?]`

const patientLink = `href="/patients/(p-[a-z0-9]+)"`

// patient returns the path of the record that a search for an e-mail address finds.
func (p *person) patient(email string) string {
	p.t.Helper()
	found := p.post("/patients/find", url.Values{"q": {email}}).links(patientLink)
	require.Len(p.t, found, 1, "looking for one patient")
	return "/patients/" + found[0]
}

// claim submits a claim for a patient and returns its path.
func (p *person) claim(patient string) string {
	p.t.Helper()
	at := p.post(patient+"/claims", url.Values{"served": {"2026-03-02"}, "payer": {"Lighthouse Mutual"}, "amount": {"140.50"}})
	require.Equal(p.t, 200, at.status, at.text())
	path, _, done := strings.Cut(at.path, "?done=claim")
	require.True(p.t, done && strings.HasPrefix(path, "/claims/c-"), at.path)
	return path
}

// mail returns the path of the newest link in the demo's mailbox.
func (p *person) mail() string {
	p.t.Helper()
	link, err := url.Parse(p.get("/demo").match(p.t, `<a href="(http://localhost:\d+/link/[^"]+)"`))
	require.NoError(p.t, err)
	return link.Path
}

// events returns the ids of all audit events that a filter lets through, page by page.
func (p *person) events(filter url.Values) (ids []string) {
	p.t.Helper()
	next := "/audit?" + filter.Encode()
	for range 200 {
		at := p.get(next)
		require.Equal(p.t, 200, at.status, at.text())
		ids = append(ids, at.links(eventLink)...)
		older := at.links(`<a href="([^"]+)">(?:Older|More) events</a>`)
		if len(older) == 0 {
			return ids
		}
		next = older[0]
	}
	p.t.Fatal("the audit has no end")
	return nil
}

var codePattern = regexp.MustCompile(`^[a-z]+\.[a-z_]+`)

// speaksPlainly checks that the audit has words for everything that happened.
func (p *person) speaksPlainly() {
	p.t.Helper()
	next := "/audit?period=24h"
	for range 200 {
		at := p.get(next)
		for _, what := range at.column(2) {
			require.NotRegexp(p.t, codePattern, what, "a code where the page should have words")
		}
		older := at.links(`<a href="([^"]+)">(?:Older|More) events</a>`)
		if len(older) == 0 {
			return
		}
		next = older[0]
	}
}
