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
	Support []supportBar
	Unread  bool   // who of the platform is inside could not be read
	Patient string // whom the page is about, where its address does not say
	Glass   *glass // the emergency that is open on this patient
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
		v.Support, v.Unread = a.supportBars(r, v.May)
	}
	if v.User != nil {
		v.Glass = a.glass(r, v.Patient)
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
