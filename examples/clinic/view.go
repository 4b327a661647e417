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

// doneTexts are the messages a redirect may ask for with ?done=…; the words never come
// from the address itself.
func doneText(code string) string {
	switch code {
	case "signed-out":
		return "You are signed out, on every device."
	case "signed-out-here":
		return "You are signed out here. Other devices stay signed in."
	case "others-ended":
		return "All other sessions are ended. They stopped working at once."
	case "sessions-ended":
		return "All sessions of this account are ended. They stopped working at once."
	case "rules":
		return "The rules are saved. They hold from now on, for everybody."
	case "discarded":
		return "What you had typed is thrown away."
	case "registered":
		return "The patient is registered."
	case "note":
		return "The note is saved."
	case "roles":
		return "The change is saved. It holds from the person’s next click on."
	case "choices":
		return "Saved. It holds from everybody’s next click on."
	case "paper":
		return "It is in the record."
	case "paper-deleted":
		return "It is deleted. It can still be put back."
	case "paper-restored":
		return "It is back in the record."
	case "paper-purged":
		return "It is destroyed for good."
	case "claim":
		return "The claim is submitted."
	case "claim-moved":
		return "The step is on record."
	case "invited":
		return "The invitation is on its way."
	case "renewing":
		return "The keys are being renewed. You can go on working."
	case "session-ended":
		return "The session is ended. It stopped working at once."
	case "suspended":
		return "The account is suspended and signed out everywhere."
	case "unlocked":
		return "Wrong tries are forgotten. The person can sign in again."
	case "reinstated":
		return "The account is active again."
	case "factor-reset":
		return "The second factor is reset. The person was told, and sets up a new one with the next sign-in."
	case "approved":
		return "The account is approved. The person was told and can sign in."
	case "removed":
		return "The account is closed for good and signed out everywhere."
	case "portal-invited":
		return "The invitation is on its way to the patient."
	case "phone-on":
		return "Codes from your phone are on. Now make recovery codes, for the day the phone is gone."
	case "phone-moved":
		return "The new phone is set up, and the old one makes no codes any more. Please sign in again."
	case "phone-off":
		return "Codes from your phone are off. Please sign in again."
	case "start-again":
		return "That took too long. Please start again."
	case "network":
		return "The networks are saved. They hold from now on, for everybody."
	case "banner":
		return "The banner is saved. Everybody reads it at the next sign-in."
	case "accounts":
		return "The rules for accounts are saved. They hold from now on, for everybody."
	}
	return ""
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
type message struct{ Text, Hint, Href, Link string }

// when tells a time where nobody knows the reader's zone: in mails and in the demo's mailbox.
func when(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04") }
