package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// API is what the apps call: the steps of a sign-in, and one's own passkeys, as JSON.
type API struct {
	Clinic   audit.Tenant
	People   *authn.Manager
	Factors  *mfa.Factors
	Sessions *session.Manager
	Client   session.ClientAddr // the one that Sessions was made with
}

// Routes adds the endpoints.
func (a *API) Routes(mux *rbac.Mux) {
	mux.Public("POST /api/sign-in/offer", "nobody is signed in yet", a.handle(a.offer))
	mux.Public("POST /api/sign-in", "nobody is signed in yet", a.handle(a.signIn))
	mux.Public("POST /api/sign-in/step", "nobody is signed in yet", a.handle(a.step))
	mux.SignedIn("POST /api/proof/begin", "proves again who is there", a.handle(a.beginProof))
	mux.SignedIn("POST /api/proof", "proves again who is there", a.handle(a.proof))
	mux.SignedIn("POST /api/passkeys/begin", "one's own passkeys", a.handle(a.begin))
	mux.SignedIn("POST /api/passkeys", "one's own passkeys", a.handle(a.add))
	mux.SignedIn("GET /api/passkeys", "one's own passkeys", a.handle(a.list))
	mux.SignedIn("DELETE /api/passkeys/{id}", "one's own passkeys", a.handle(a.remove))
}

// question is what an app sends, answer what it gets: never more than one of them is in use.
type question struct {
	Email, Password, Code, Banner, Label string
	Ticket, Known                        string
	Passkey                              json.RawMessage // of the device, as toJSON makes it
}

type answer struct {
	Need      authn.Need      `json:"need,omitempty"`
	Ticket    string          `json:"ticket,omitempty"`
	Passkey   json.RawMessage `json:"passkey,omitempty"` // options for the device
	Factors   []authn.Factor  `json:"factors,omitempty"`
	Enrolment string          `json:"enrolment,omitempty"` // otpauth URI of an authenticator app to set up
	Banner    string          `json:"banner,omitempty"`
	Again     bool            `json:"again,omitempty"` // the last answer was not right
	Token     string          `json:"token,omitempty"` // the session's
	Known     string          `json:"known,omitempty"`
	Passkeys  []mfa.Passkey   `json:"passkeys,omitempty"`
}

// offer begins a sign-in without an identifier: whoever the device knows.
func (a *API) offer(r *http.Request, q question) (answer, error) {
	return shown(a.People.OfferPasskey(r.Context(), a.Clinic, a.client(r, q)))
}

// signIn begins one with the password, as the first on a new device has to.
func (a *API) signIn(r *http.Request, q question) (answer, error) {
	return shown(a.People.SignIn(r.Context(), a.Clinic, q.Email, authn.NewPassword(q.Password), a.client(r, q)))
}

// step answers what either asked for: need says which field.
func (a *API) step(r *http.Request, q question) (answer, error) {
	return shown(a.People.Continue(r.Context(), q.Ticket, given(q), a.client(r, q)))
}

// beginProof and proof are for somebody signed in, right before a passkey is made or removed.
func (a *API) beginProof(r *http.Request, q question) (answer, error) {
	return shown(a.People.BeginProof(r.Context(), given(q), a.client(r, q)))
}

func (a *API) proof(r *http.Request, q question) (answer, error) {
	who, err := a.People.Prove(r.Context(), given(q), a.client(r, q))
	if err != nil {
		return answer{}, err
	}
	token, err := a.Sessions.Reauthenticated(r.Context(), who) // takes the place of the one in use
	return answer{Token: token}, err
}

// begin asks the device for a new passkey; without a fresh proof it is refused with 401.
func (a *API) begin(r *http.Request, q question) (answer, error) {
	return shown(a.People.BeginPasskey(r.Context(), a.client(r, q)))
}

func (a *API) add(r *http.Request, q question) (answer, error) {
	return answer{}, a.People.AddPasskey(r.Context(), q.Ticket, given(q), a.client(r, q))
}

func (a *API) list(r *http.Request, _ question) (answer, error) {
	who, _ := audit.ActorFrom(r.Context())
	all, err := a.Factors.ListPasskeys(r.Context(), who.Tenant, who.ID)
	return answer{Passkeys: all}, err
}

// remove ends the person's sessions too, this one included.
func (a *API) remove(r *http.Request, _ question) (answer, error) {
	who, _ := audit.ActorFrom(r.Context())
	return answer{}, a.Factors.RemovePasskey(r.Context(), who.Tenant, who.ID, r.PathValue("id"))
}

func given(q question) authn.Answer {
	response := string(q.Passkey)
	if response == "null" {
		response = "" // as Swift and Kotlin write what is not there
	}
	return authn.Answer{
		Passkey: response, Code: q.Code, Password: authn.NewPassword(q.Password),
		Banner: q.Banner, Label: q.Label, Ticket: q.Ticket,
	}
}

func (a *API) client(r *http.Request, q question) authn.Client {
	return authn.Client{Addr: a.Client(r), Device: session.DeviceLabel(r.UserAgent()), Known: q.Known}
}

func shown(s authn.Step, err error) (answer, error) {
	return answer{
		Need: s.Need, Ticket: s.Ticket.Reveal(), Passkey: json.RawMessage(s.Passkey), Factors: s.Factors,
		Enrolment: s.Enrolment.URI.Reveal(), Banner: s.Banner, Again: s.Problem != nil, Token: s.Token.Reveal(), Known: s.Known.Reveal(),
	}, err
}

// handle reads and writes the JSON around one of the calls.
func (a *API) handle(call func(*http.Request, question) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q question
		body := http.MaxBytesReader(w, r.Body, 128<<10) // a passkey's response has up to 64 KiB
		if err := json.NewDecoder(body).Decode(&q); err != nil && !errors.Is(err, io.EOF) {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		out, err := call(r, q)
		switch {
		case errors.Is(err, mfa.ErrUnproven):
			http.Error(w, "prove it again", http.StatusUnauthorized)
		case errors.Is(err, mfa.ErrTooMany):
			http.Error(w, "no room for another", http.StatusConflict)
		case errors.Is(err, mfa.ErrRequired):
			http.Error(w, "the last one stays", http.StatusConflict)
		case errors.Is(err, mfa.ErrPending):
			w.WriteHeader(http.StatusAccepted) // done, and sessions end in a moment
		case errors.Is(err, mfa.ErrNotFound):
			http.Error(w, "no such passkey", http.StatusNotFound)
		case err != nil:
			http.Error(w, "not accepted", authn.Status(err))
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(out)
		}
	})
}
