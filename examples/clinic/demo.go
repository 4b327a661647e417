package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

// demo stands in for what a real clinic has outside this program: a mailbox and a phone. It
// is sealed in the database like everything else, so that a restart keeps it.
type demo struct {
	db    *database
	vault *phi.Vault
}

// The kinds of demo rows.
const (
	kindMail  = "mail"
	kindPhone = "phone"
	kindSeed  = "seed"
)

// put writes a demo row; one that is there stays unless replace is set.
func (d *demo) put(ctx context.Context, kind, id string, v any, replace bool) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	body, err := d.vault.Seal(ctx, phi.At{Tenant: tenant, Field: "demo." + kind, Row: id}, text)
	if err != nil {
		return err
	}
	conflict := "DO NOTHING"
	if replace {
		conflict = "DO UPDATE SET body = excluded.body, created = excluded.created"
	}
	_, err = d.db.pool.ExecContext(ctx, d.db.q(`INSERT INTO clinic_demo (tenant, kind, id, created, body) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (tenant, kind, id) `+conflict), string(tenant), kind, id, time.Now().UnixMicro(), body)
	return err
}

// rows unseals every row of a kind, newest first.
func rows[V any](ctx context.Context, d *demo, kind string) (all []V, err error) {
	found, err := d.db.pool.QueryContext(ctx, d.db.q(`SELECT id, body FROM clinic_demo WHERE tenant = ? AND kind = ? ORDER BY created DESC`), string(tenant), kind)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var id string
		var body phi.Sealed
		var v V
		if err := found.Scan(&id, &body); err != nil {
			return nil, err
		}
		text, err := d.vault.Unseal(ctx, phi.At{Tenant: tenant, Field: "demo." + kind, Row: id}, body)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, found.Err()
}

// demoMail is a mail in the demo's mailbox.
type demoMail struct{ To, Text, Link, Time string }

// Send puts a notice into the demo's mailbox.
func (d *demo) Send(ctx context.Context, n authn.Notice) error {
	m := demoMail{To: n.Address.Reveal(), Text: noticeText(string(n.Topic)), Link: n.Link.Reveal(), Time: when(time.Now())}
	return d.put(ctx, kindMail, n.ID, m, false)
}

// texts carries text messages to the demo's mailbox.
type texts struct{ demo *demo }

// Send puts a message into it. The last line is for browsers, which fill in the code by themselves.
func (s texts) Send(ctx context.Context, m mfa.TextMessage) error {
	text := demoMail{To: m.Number.Reveal(), Text: m.Code.Reveal() + " is your code for " + clinicName + ". Nobody from the clinic asks you for it.", Time: when(time.Now())}
	return s.demo.put(ctx, kindMail, m.ID, text, false)
}

// phone is the second factor with a phone that scans every picture it is shown.
type phone struct {
	*mfa.Factors
	demo *demo
}

// demoKey is an authenticator entry on the demo's phone.
type demoKey struct{ Account, URI string }

// Begin starts an enrolment and lets the demo's phone scan it.
func (p phone) Begin(ctx context.Context, t audit.Tenant, person audit.ActorID, account string) (uri, manual string, err error) {
	uri, manual, err = p.Factors.Begin(ctx, t, person, account)
	if err != nil {
		return "", "", err
	}
	return uri, manual, p.demo.put(ctx, kindPhone, string(person), demoKey{account, uri}, true)
}

// newPhone marks the second phone of somebody who is moving to it.
const newPhone = " (new phone)"

// scan lets a new phone scan a picture, beside the old one.
func (d *demo) scan(ctx context.Context, person audit.ActorID, account, uri string) error {
	return d.put(ctx, kindPhone, string(person)+newPhone, demoKey{account + newPhone, uri}, true)
}

// moved puts the new phone of somebody in the place of the old one.
func (d *demo) moved(ctx context.Context, person audit.ActorID, account string) error {
	keys, err := rows[demoKey](ctx, d, kindPhone)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Account != account+newPhone {
			continue
		}
		if err := d.put(ctx, kindPhone, string(person), demoKey{account, k.URI}, true); err != nil {
			return err
		}
	}
	_, err = d.db.pool.ExecContext(ctx, d.db.q(`DELETE FROM clinic_demo WHERE tenant = ? AND kind = ? AND id = ?`), string(tenant), kindPhone, string(person)+newPhone)
	return err
}

type demoData struct {
	Password string
	Again    string // makes the address of this page a new one, or browsers would only scroll
	Accounts []demoAccount
	Codes    []demoCode
	Mails    []demoMail
}

type demoCode struct {
	Account, Code string
	Left          int
}

// demoPage shows accounts, codes and mails. It exists only with -demo, on loopback.
func (a *app) demoPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	keys, err := rows[demoKey](ctx, a.demo, kindPhone)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	mails, err := rows[demoMail](ctx, a.demo, kindMail)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	now := time.Now()
	d := demoData{Password: demoPassword, Again: strconv.FormatInt(now.UnixMilli(), 36), Accounts: append(demoAccounts(), demoOutsider()), Mails: mails}
	for _, k := range keys {
		code, err := phoneCode(k.URI, now)
		if err != nil {
			a.fail(w, r, http.StatusInternalServerError)
			return
		}
		d.Codes = append(d.Codes, demoCode{k.Account, code, 30 - int(now.Unix()%30)})
	}
	slices.SortFunc(d.Codes, func(a, b demoCode) int { return cmp.Compare(a.Account, b.Account) })
	a.render(w, r, http.StatusOK, "demo", view{Title: "Demo page", Data: d})
}

// phoneCode is what an authenticator app shows.
func phoneCode(uri string, now time.Time) (string, error) {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return "", err
	}
	code, err := totp.GenerateCode(strings.TrimSpace(key.Secret()), now)
	if err != nil {
		return "", err
	}
	return code[:3] + " " + code[3:], nil
}
