package authn

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
)

// ticketState is what the server remembers of a sign-in between two steps, sealed.
type ticketState struct {
	Need     Need     `json:"need"`
	Evidence Evidence `json:"evidence"`
	Wrong    int      `json:"wrong,omitempty"` // wrong answers so far
	URI      string   `json:"uri,omitempty"`   // at NeedEnrolment
	Manual   string   `json:"manual,omitempty"`
	Least    int      `json:"least,omitempty"`  // at NeedPassword
	Banner   string   `json:"banner,omitempty"` // at NeedBanner
	Expires  int64    `json:"expires"`          // Unix microseconds; binds the row's own

	Factors []Factor   `json:"factors,omitempty"` // to show: what is taken is read anew
	Passkey *challenge `json:"passkey,omitempty"`
	Text    Text       `json:"text,omitzero"`
	Session string     `json:"session,omitempty"` // whose registration or proof it is
}

// issue stores st behind a new ticket and returns the step to render.
func (m *Manager) issue(ctx context.Context, st ticketState, problem error) (Step, error) {
	token, hash := newToken()
	ev := st.Evidence
	body, err := json.Marshal(st)
	if err != nil {
		return Step{}, unavailable("keeping a sign-in", err)
	}
	sealed, err := m.p.Vault.Seal(ctx, at(ev.Tenant, fieldTicket, hex.EncodeToString(hash)), body)
	if err != nil {
		return Step{}, unavailable("sealing a sign-in", err)
	}
	tk := Ticket{Hash: hash, Tenant: ev.Tenant, Person: ev.Person, State: sealed, Expires: time.UnixMicro(st.Expires).UTC()}
	if err := m.p.Store.PutTicket(ctx, tk); err != nil {
		return Step{}, unavailable("keeping a sign-in", err)
	}
	s := st.step(token)
	s.Problem = problem
	return s, nil
}

// step is what to render for a state.
func (st ticketState) step(token Secret) Step {
	return Step{
		Need: st.Need, Person: st.Evidence.Person, Ticket: token,
		Expires:     time.UnixMicro(st.Expires).UTC(),
		Enrolment:   Enrolment{NewSecret(st.URI), NewSecret(st.Manual)},
		MinPassword: st.Least,
		Banner:      st.Banner,
		Factors:     st.Factors,
		Passkey:     st.Passkey.shown(),
		Text:        st.Text,
	}
}

type ticketRead func(ctx context.Context, hash []byte, now time.Time) (Ticket, error)

// redeem reads a ticket with read and opens its state. Unknown and expired: ErrTicket.
func (m *Manager) redeem(ctx context.Context, ticket string, read ticketRead) (ticketState, error) {
	hash, ok := hashToken(ticket)
	if !ok {
		return ticketState{}, exempted(ctx, "no such ticket can exist", ErrTicket)
	}
	tk, err := read(ctx, hash, m.now())
	if errors.Is(err, ErrTicket) {
		return ticketState{}, exempted(ctx, "nobody's ticket", ErrTicket)
	}
	if err != nil {
		return ticketState{}, unavailable("reading a sign-in", err)
	}
	body, err := m.p.Vault.Unseal(ctx, at(tk.Tenant, fieldTicket, hex.EncodeToString(hash)), tk.State)
	if err != nil {
		return ticketState{}, unavailable("opening a sign-in", err)
	}
	var st ticketState
	if err := json.Unmarshal(body, &st); err != nil {
		return ticketState{}, unavailable("opening a sign-in", err)
	}
	if st.Evidence.Tenant != tk.Tenant || st.Evidence.Person != tk.Person || !m.now().Before(time.UnixMicro(st.Expires)) {
		return ticketState{}, exempted(ctx, "a ticket that is not what it was", ErrTicket)
	}
	return st, nil
}

// Show returns the step that ticket stands for without using it up, for a page that is
// loaded again. The Step's Ticket is the same one. Unknown, used, expired: ErrTicket.
func (m *Manager) Show(ctx context.Context, ticket string) (_ Step, err error) {
	defer closing(ctx, &err)
	st, err := m.redeem(ctx, ticket, m.p.Store.Ticket)
	if err != nil {
		return Step{}, err
	}
	if err := exempt(ctx, "the next question of a sign-in, shown to who began it"); err != nil {
		return Step{}, err
	}
	return st.step(NewSecret(ticket)), nil
}
