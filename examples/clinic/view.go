package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

//go:embed templates static
var files embed.FS

// view is what every page gets.
type view struct {
	Title   string
	User    *viewUser
	Nav     []navItem
	May     rbac.Permitted // what the person may do somewhere, for links to other pages
	Demo    bool
	Place   string // whose time the page tells
	Done    string // what was just done
	Problem string // what went wrong, in plain words
	Plain   bool   // nobody is greeted: the page belongs to whoever holds a link
	CSRF    string // goes first into every form, see session.CSRF
	Nonce   string // of the page's script
	Session string // whose page it is, for the script
	Draft   string // where the page's form goes when the screen is locked
	Data    any
}

type viewUser struct{ Name, Role string }

type navItem struct {
	Href, Text string
	Current    bool
}

// pages are the parsed templates, one set per page.
type pages map[string]*template.Template

func loadPages() (pages, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := pages{}
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		if page == "layout" {
			continue
		}
		t, err := template.ParseFS(files, "templates/layout.html", name)
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", page, err)
		}
		all[page] = t
	}
	return all, nil
}

// doneText returns the message that a redirect asks for with ?done=…, "" for none of these:
// the words never come from the address itself.
func doneText(code string) string {
	return map[string]string{
		"signed-out":         "You are signed out, on every device.",
		"signed-out-here":    "You are signed out here. Other devices stay signed in.",
		"others-ended":       "All other sessions are ended. They stopped working at once.",
		"sessions-ended":     "All sessions of this account are ended. They stopped working at once.",
		"rules":              "The rules are saved. They hold from now on, for everybody.",
		"discarded":          "What you had typed is thrown away.",
		"registered":         "The patient is registered.",
		"care-joined":        "They see this patient from their next click on.",
		"care-ended":         "They do not see this patient any more, from their next click on.",
		"note":               "The note is saved.",
		"roles":              "The change is saved. It holds from the person’s next click on.",
		"choices":            "Saved. It holds from everybody’s next click on.",
		"paper":              "It is in the record.",
		"paper-deleted":      "It is deleted. It can still be put back.",
		"paper-restored":     "It is back in the record.",
		"paper-purged":       "It is destroyed for good.",
		"claim":              "The claim is submitted.",
		"claim-moved":        "The step is on record.",
		"invited":            "The invitation is on its way.",
		"renewing":           "The keys are being renewed. You can go on working.",
		"session-ended":      "The session is ended. It stopped working at once.",
		"suspended":          "The account is suspended and signed out everywhere.",
		"unlocked":           "Wrong tries are forgotten. The person can sign in again.",
		"reinstated":         "The account is active again.",
		"factor-reset":       "The second factor is reset. The person was told, and sets up a new one with the next sign-in.",
		"approved":           "The account is approved. The person was told and can sign in.",
		"password-asked":     "The old password no longer works. A link for a new one is on its way to the person.",
		"removed":            "The account is closed for good and signed out everywhere.",
		"portal-invited":     "The invitation is on its way to the patient.",
		"phone-on":           "Codes from your phone are on. Now make recovery codes, for the day the phone is gone.",
		"phone-moved":        "The new phone is set up, and the old one makes no codes any more. Please sign in again.",
		"phone-off":          "Codes from your phone are off. Please sign in again.",
		"passkey-added":      "The passkey is ready. Use it the next time you sign in.",
		"passkey-renamed":    "The passkey has its new name.",
		"passkey-removed":    "The passkey is removed and does not work here any more. Please sign in again.",
		"number-on":          "Codes can be sent to your phone now.",
		"number-moved":       "Codes go to the new number now. Please sign in again.",
		"number-off":         "No codes are sent to you any more. Please sign in again.",
		"browser-forgotten":  "The browser is forgotten.",
		"browsers-forgotten": "All browsers are forgotten.",
		"start-again":        "That took too long. Please start again.",
		"network":            "The networks are saved. They hold from now on, for everybody.",
		"banner":             "The banner is saved. Everybody reads it at the next sign-in.",
		"key-revoked":        "The key is revoked. It stopped working at once, on every server.",
		"program-suspended":  "It is suspended. It stopped working at once.",
		"program-resumed":    "It is let in again.",
		"program-removed":    "It is removed. It stopped working at once, and stays in the audit.",
		"accounts":           "The rules for accounts are saved. They hold from now on, for everybody.",
	}[code]
}

// render writes a page. A template that fails shows nothing half-written.
func (a *app) render(w http.ResponseWriter, r *http.Request, status int, page string, v view) {
	v.Demo, v.Place, v.CSRF = a.config.demo, a.config.place(), session.CSRF(r.Context())
	v.Nonce = session.Nonce(r.Context())
	if s, ok := session.From(r.Context()); ok {
		v.Session = s.ID
	}
	if v.Done == "" {
		v.Done = doneText(r.URL.Query().Get("done"))
	}
	if v.User == nil && !v.Plain {
		v.User, v.May, v.Nav = a.whoami(r)
	}
	var b bytes.Buffer
	if err := a.pages[page].ExecuteTemplate(&b, "layout", v); err != nil {
		a.logger.Error("rendering a page failed", "page", page)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// message is a page with a sentence and one way on.
type message struct {
	Text, Hint, Href, Link string
	Post                   string // in place of Href: the way on changes something
}

// when tells a time where nobody knows the reader's zone: in mails and in the demo's mailbox.
func when(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04") }
