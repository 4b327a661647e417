package evidence

import (
	"encoding/json"
	"fmt"
	"html"
	"strings"
)

// JSON returns the packet for programs.
func (p *Packet) JSON() ([]byte, error) { return json.MarshalIndent(p, "", "  ") }

// precise is how a packet says when it was made.
const precise = "2006-01-02 15:04:05 MST"

// words are the states as people read them.
func words(s State) string {
	switch s {
	case InForce:
		return "in force"
	case Partly:
		return "partly"
	case NotUsed:
		return "not used"
	case Failing:
		return "FAILING"
	case Attested:
		return "attested"
	case Expired:
		return "EXPIRED"
	}
	return "UNKNOWN"
}

// Markdown returns the packet for people, as text.
func (p *Packet) Markdown() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Security controls of %s\n\n%s\n\n%s\n", line(string(p.Tenant)), p.Made.Format(precise), p.Standing)
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "\n## %s\n\n| control | state | how it is set | how one knows | source |\n|---|---|---|---|---|\n", line(s.Name))
		for _, c := range s.Controls {
			set := line(c.Detail)
			if c.Warning != "" {
				set = strings.TrimSpace(set + " **" + line(c.Warning) + "**")
			}
			fmt.Fprintf(&b, "| %s (%s) | %s | %s | %s | %s |\n", line(c.What), line(c.ID), words(c.State), set, line(c.Verified+until(c)), line(strings.Join(c.Citations, "; ")))
		}
	}
	return []byte(b.String())
}

// until is how long an attestation counts.
func until(c Control) string {
	if c.Expires.IsZero() {
		return ""
	}
	return ", until " + c.Expires.Format("2006-01-02")
}

// line keeps a text in its cell, and what looks like markup as text (GitHub Flavored Markdown,
// sections 4.10 and 6.1). A backslash goes first: before a bar it would undo that bar's own.
func line(s string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "\n", " ", "\r", " ", "&", "&amp;", "<", "&lt;", "[", `\[`, "]", `\]`, "`", "\\`", "*", `\*`).Replace(s)
}

// HTML returns the packet as one page without scripts, styles of others or links. Every text of a
// source stands between tags, never inside one, and is escaped.
func (p *Packet) HTML() ([]byte, error) {
	var b strings.Builder
	title := "Security controls of " + html.EscapeString(string(p.Tenant))
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title></head>\n<body><main><h1>%s</h1>\n", title, title)
	fmt.Fprintf(&b, "<p>%s</p>\n<p>%s</p>\n", p.Made.Format(precise), html.EscapeString(p.Standing))
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "<section><h2>%s</h2>\n<table><thead><tr>", html.EscapeString(s.Name))
		for _, column := range [...]string{"Control", "State", "How it is set", "How one knows", "Source"} {
			fmt.Fprintf(&b, `<th scope="col">%s</th>`, column)
		}
		b.WriteString("</tr></thead><tbody>\n")
		for _, c := range s.Controls {
			b.WriteString(row(c))
		}
		b.WriteString("</tbody></table></section>\n")
	}
	b.WriteString("</main></body></html>\n")
	return []byte(b.String()), nil
}

// row is a control as a row of a table.
func row(c Control) string {
	set := html.EscapeString(c.Detail)
	if c.Warning != "" {
		set += " <strong>" + html.EscapeString(c.Warning) + "</strong>"
	}
	return fmt.Sprintf("<tr><th scope=\"row\">%s <small>%s</small></th><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
		html.EscapeString(c.What), html.EscapeString(c.ID), words(c.State), set, html.EscapeString(c.Verified+until(c)), html.EscapeString(strings.Join(c.Citations, "; ")))
}
