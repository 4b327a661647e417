package evidence

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
)

// JSON returns the packet for programs.
func (p *Packet) JSON() ([]byte, error) { return json.MarshalIndent(p, "", "  ") }

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
	fmt.Fprintf(&b, "# Security controls of %s\n\n%s\n\n%s\n", line(string(p.Tenant)), p.Made.Format("2006-01-02 15:04:05 MST"), p.Standing)
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "\n## %s\n\n| control | state | how it is set | how one knows | source |\n|---|---|---|---|---|\n", line(s.Name))
		for _, c := range s.Controls {
			set := c.Detail
			if c.Warning != "" {
				set = strings.TrimSpace(set + " **" + c.Warning + "**")
			}
			fmt.Fprintf(&b, "| %s (%s) | %s | %s | %s | %s |\n", line(c.What), line(c.ID), words(c.State), line(set), line(c.Verified+until(c)), line(strings.Join(c.Citations, "; ")))
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

// line keeps a text in its cell.
func line(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;").Replace(s)
}

// HTML returns the packet as one page without scripts, styles of others or links.
func (p *Packet) HTML() ([]byte, error) {
	var b strings.Builder
	t, err := template.New("packet").Funcs(template.FuncMap{"words": words, "until": until, "join": strings.Join}).Parse(page)
	if err != nil {
		return nil, err
	}
	if err := t.Execute(&b, p); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Security controls of {{.Tenant}}</title></head>
<body><main><h1>Security controls of {{.Tenant}}</h1>
<p>{{.Made.Format "2006-01-02 15:04:05 MST"}}</p>
<p>{{.Standing}}</p>
{{range .Sections}}<section><h2>{{.Name}}</h2>
<table><thead><tr><th scope="col">Control</th><th scope="col">State</th><th scope="col">How it is set</th><th scope="col">How one knows</th><th scope="col">Source</th></tr></thead><tbody>
{{range .Controls}}<tr><th scope="row">{{.What}} <small>{{.ID}}</small></th><td>{{words .State}}</td><td>{{.Detail}}{{if .Warning}} <strong>{{.Warning}}</strong>{{end}}</td><td>{{.Verified}}{{until .}}</td><td>{{join .Citations "; "}}</td></tr>
{{end}}</tbody></table></section>
{{end}}</main></body></html>
`
