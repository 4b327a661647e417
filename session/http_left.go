package session

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// LeftHeader is a field of every response to a live session, so that a page or an app knows
// how long it lasts without asking: whole seconds, rounded down, as a dictionary of RFC 9651
// such as "idle=899, absolute=42300". The session ends when the smaller one is over.
const LeftHeader = "Session-Left"

// warnBefore is how long before the end a page warns, where the idle limit leaves room for it.
const warnBefore = 2 * time.Minute

//go:embed countdown.js
var countdown []byte

// timeLeft is the answer of Options.Path + "left", in whole seconds.
type timeLeft struct {
	State    string `json:"state"`              // see State.String
	Session  string `json:"session,omitempty"`  // public id, so that a page notices another person
	Idle     int64  `json:"idle,omitempty"`     // until it ends unless there is activity
	Absolute int64  `json:"absolute,omitempty"` // until it ends in any case
	Warn     int64  `json:"warn,omitempty"`     // how long before the end to warn
	Again    bool   `json:"again,omitempty"`    // the token has a successor: ask again with it
}

// tell writes LeftHeader. A token that has a successor knows nothing of its session's end.
func (v *visit) tell(w http.ResponseWriter) {
	if v.Session.Superseded {
		return
	}
	idle, absolute := v.left()
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(append(b, "idle="...), idle, 10)
	b = strconv.AppendInt(append(b, ", absolute="...), absolute, 10)
	v.line[0] = string(b)
	w.Header()[LeftHeader] = v.line[:]
}

// left is how long the session of a visit lasts, in whole seconds.
func (v *visit) left() (idle, absolute int64) {
	whole := func(end time.Time) int64 { return int64(max(0, end.Sub(v.now)) / time.Second) }
	return whole(v.Session.IdleEnds), whole(v.Session.Ends)
}

// timeLeft is what the page is told.
func (v *visit) timeLeft() (t timeLeft) {
	t.State = v.state.String()
	if !v.stands() {
		return t
	}
	t.Session = v.Session.ID
	if t.Again = v.Session.Superseded; !t.Again {
		t.Idle, t.Absolute = v.left()
		t.Warn = int64(min(warnBefore, v.Policy.For(v.Session.Kind).Idle/2) / time.Second)
	}
	return t
}

// serve answers what lies below Options.Path, and reports whether it did.
func (m *Manager) serve(w http.ResponseWriter, r *http.Request) bool {
	name, ok := strings.CutPrefix(r.URL.Path, m.opt.Path)
	if !ok {
		return false
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case name == "countdown.js" && read:
		serveCountdown(w, r)
	case name == "left" && (read || r.Method == http.MethodPost):
		m.serveLeft(w, r, !read)
	default:
		return false
	}
	return true
}

// serveLeft tells how long is left. It sets no cookie: the page that asks may be about to get
// another one.
func (m *Manager) serveLeft(w http.ResponseWriter, r *http.Request, used bool) {
	v, err := m.visit(r, used)
	if err != nil {
		m.refuse(w, r, v, err)
		return
	}
	_ = audit.Exempt(r.Context(), "session: how long it lasts is nobody's data")
	body, err := json.Marshal(v.timeLeft())
	if err != nil {
		m.refuse(w, r, v, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
}

// serveCountdown sends the script, which holds nobody's data and is the same for all.
func serveCountdown(w http.ResponseWriter, r *http.Request) {
	_ = audit.Exempt(r.Context(), "session: a script that is the same for everybody")
	sum := sha256.Sum256(countdown)
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "no-cache") // to be asked for again, and then seldom sent
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:18])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(countdown))
}
