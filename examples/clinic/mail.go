package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
)

// mailer sends notices through a mail server of the clinic's own. Without one, notices stay
// in the outbox: nothing is lost, and /readyz says so.
type mailer struct{ server, from string }

// Send mails one notice.
func (m mailer) Send(ctx context.Context, n authn.Notice) error {
	if m.server == "" {
		return errors.New("no mail server: start with -smtp")
	}
	to := n.Address.Reveal()
	if strings.ContainsAny(to, "\r\n") {
		return errors.New("the address cannot be used")
	}
	text := noticeText(string(n.Topic))
	if link := n.Link.Reveal(); link != "" {
		text += "\r\n\r\n" + link + "\r\n\r\nThe link works once, until " + when(n.Expires) + " UTC."
	}
	body := fmt.Sprintf("From: %s\r\nTo: %s\r\nMessage-ID: <%s@harbor-clinic.example.com>\r\nSubject: Harbor Clinic\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", m.from, to, n.ID, text)
	return m.deliver(ctx, to, body)
}

// deliver is smtp.SendMail for as long as ctx lasts: a server that says nothing must not hold
// up what else waits to be delivered.
func (m mailer) deliver(ctx context.Context, to, body string) error {
	host, _, err := net.SplitHostPort(m.server)
	if err != nil {
		return err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.server)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		_ = conn.Close()
		return err
	}
	defer c.Close()
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	}
	if err := errors.Join(c.Mail(m.from), c.Rcpt(to)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, body); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // the mail is accepted, whatever the server says now
	return nil
}

// noticeText is what the clinic says to a person. The mail itself names nobody and nothing
// about anybody's health.
func noticeText(topic string) string {
	switch topic {
	case string(authn.TopicInvitation):
		return "Harbor Clinic made an account for you. Open this link to choose a password:"
	case string(authn.TopicReset):
		return "Somebody asked for a new password for your account. If it was you, open this link:"
	case string(authn.TopicPasswordChanged):
		return "The password of your account was changed. If it was not you, call the clinic."
	case string(authn.TopicPasswordExpired):
		return "You have to choose a new password the next time you sign in."
	case string(mfa.ActionPasskeyAdded):
		return "A passkey was added to your account. If it was not you, call the clinic."
	case string(mfa.ActionPasskeyRemoved):
		return "A passkey was removed from your account. If it was not you, call the clinic."
	case string(mfa.ActionPasskeyCloned):
		return "A passkey of your account was turned off, because there may be a copy of it. Sign in another way, remove it in My security and make a new one. If you cannot, call the clinic."
	case string(mfa.ActionTextAdded), string(mfa.ActionTextReplaced):
		return "Codes for your account are sent to another phone number now. If it was not you, call the clinic."
	case string(mfa.ActionTextRemoved):
		return "No codes for your account are sent by text message any more. If it was not you, call the clinic."
	case string(mfa.ActionTextLocked):
		return "Codes by text message for your account are locked after too many wrong tries. Use another way to sign in, or call the clinic."
	case string(mfa.ActionEnrolled):
		return "A second factor was added to your account. If it was not you, call the clinic."
	case string(mfa.ActionReset), string(mfa.ActionDisabled):
		return "The second factor of your account was removed. If it was not you, call the clinic. You can set up a new one when you sign in."
	case string(mfa.ActionReplaced):
		return "The codes of your account come from another phone now. If it was not you, call the clinic."
	case string(mfa.ActionCodesIssued):
		return "New recovery codes were made for your account. If it was not you, call the clinic."
	case string(mfa.ActionRecovered):
		return "Somebody signed in to your account with a recovery code, or proved with one to be you. If it was not you, call the clinic."
	case string(mfa.ActionLocked):
		return "The second factor of your account is locked after too many wrong codes. An administrator can reset it."
	case string(authn.TopicApproved):
		return "Your account at Harbor Clinic is approved. You can sign in now."
	case string(authn.TopicSuspended):
		return "Your account was suspended."
	case string(authn.TopicReinstated):
		return "Your account is active again."
	case string(authn.TopicRemoved):
		return "Your account was closed."
	}
	if text := supportNotice(topic); text != "" {
		return text
	}
	return "Something about your account changed. If it was not you, call the clinic."
}

// supportNotice is what the clinic says about the platform's support.
func supportNotice(topic string) string {
	switch topic {
	case "support.requested", "support.reminder":
		return "The platform’s support asks to be let into Harbor Clinic. Sign in and open Platform support to answer."
	case "support.approved":
		return "The platform’s support may come into Harbor Clinic for a while. Platform support has the details."
	case "support.entered":
		return "The platform’s support is inside Harbor Clinic now. You can end that at any time."
	case "support.ending":
		return "The platform’s support has a quarter of an hour left inside Harbor Clinic."
	case "support.closed":
		return "A request or a visit of the platform’s support at Harbor Clinic is over. Platform support has the details."
	case "emergency.opened":
		return "Somebody opened a record of Harbor Clinic in an emergency. Emergencies has the details, and the review."
	case "emergency.limited":
		return "Somebody at Harbor Clinic opens many records in emergencies, and was stopped. Emergencies has the details."
	case "emergency.asked":
		return "Somebody at Harbor Clinic looks for many patients in an emergency and opens none, and was stopped. The audit has the details."
	case "emergency.overdue":
		return "The review of an emergency at Harbor Clinic is overdue. Emergencies has the details."
	}
	return ""
}

// notices tells people about their second factor through authn, which knows their address.
// The two need each other: mfa is made first and asks for authn only when it has to tell.
type notices struct{ *app }

// Notify passes the message on.
func (n notices) Notify(ctx context.Context, m audit.Message) error { return n.people.Notify(ctx, m) }
