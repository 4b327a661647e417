package mfa

import (
	"context"
	"crypto/fips140"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Method is the authentication method that Verify reports: an amr value of RFC 8176.
const Method = "otp"

// pendingFor is how long a key that was shown can be confirmed.
const pendingFor = time.Hour

// Factors keeps people's second factors: it enrols an authenticator app, checks its codes,
// and ends it. It is safe for concurrent use and satisfies authn.SecondFactor.
type Factors struct {
	store  Store
	vault  *phi.Vault
	rec    audit.Recorder
	issuer string
	o      Options
	joined bool // see With

	mu      sync.Mutex // guards what Health reports
	running int
	failed  error
}

// New returns the factors kept in store. The vault seals the keys, rec receives what happened,
// issuer is the service's name as the authenticator app shows it ("Example Clinic"; at most
// 128 bytes). Its error names every part that is missing and every value that cannot be used,
// not only the first: ErrName for the issuer and, because the codes of all common apps are
// HMAC-SHA-1, ErrFIPS under GODEBUG=fips140=only.
func New(store Store, vault *phi.Vault, rec audit.Recorder, issuer string, o *Options) (*Factors, error) {
	issuer = strings.TrimSpace(issuer)
	options, wrong := o.withDefaults()
	problems := []error{missing(store == nil, vault == nil, rec == nil)}
	if !usableIssuer(issuer) {
		problems = append(problems, ErrName)
	}
	problems = append(problems, wrong)
	if fips140.Enforced() {
		problems = append(problems, ErrFIPS)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &Factors{store: store, vault: vault, rec: rec, issuer: issuer, o: options}, nil
}

// missing names the parts that New was not given.
func missing(store, vault, recorder bool) error {
	var parts []string
	for _, p := range []struct {
		missing bool
		name    string
	}{{store, "store"}, {vault, "vault"}, {recorder, "recorder"}} {
		if p.missing {
			parts = append(parts, p.name)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return errors.New("mfa: missing: " + strings.Join(parts, ", "))
}

// Enrolled reports whether the person has a second factor of any kind: a confirmed app, a
// passkey, a verified number. A locked or disabled one counts: who knows the password and
// guesses until the authenticator is disabled, or forges a copy of a passkey, must not be asked
// to enrol a new one.
func (f *Factors) Enrolled(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error) {
	c, err := f.read(ctx, t, person)
	return err == nil && c.enrolled(), err
}

// TakesCodes reports whether Verify can accept anything of this person: they have a confirmed
// app, or were given recovery codes.
func (f *Factors) TakesCodes(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error) {
	c, err := f.read(ctx, t, person)
	return err == nil && (!c.Confirmed.IsZero() || c.enrolled() && len(c.Recovery) > 0), err
}

// Begin makes a new key for the person and returns it as an otpauth URI, for PNG or SVG, and
// as base32 in groups of four for typing. Account is how the app labels it, an e-mail address
// for instance. Nothing asks for codes of the key until Confirm; a key not yet confirmed is
// replaced. ErrEnrolled if there is a confirmed one, ErrName if account is unusable.
//
// Beside another factor only the person themselves sets up an app, signed in and having proven a
// second factor just now: ErrEnrolled for everybody else, ErrUnproven where that is too long ago.
func (f *Factors) Begin(ctx context.Context, t audit.Tenant, person audit.ActorID, account string) (uri, manual string, err error) {
	key, err := newKey(f.issuer, account)
	if err != nil {
		return "", "", err
	}
	defer clear(key.secret)
	sealed, err := f.vault.Seal(ctx, place(t, person), key.secret)
	if err != nil {
		return "", "", unavailable("sealing a key", err)
	}
	err = f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		if !was.Confirmed.IsZero() {
			return Change{}, ErrEnrolled
		}
		if err := f.admit(ctx, was, now); err != nil {
			return Change{}, err
		}
		put := was.withoutApp(now)
		put.Tenant, put.Person, put.Secret, put.Created = t, person, sealed, now
		return Change{Put: &put}, nil
	})
	if err != nil {
		return "", "", err
	}
	if err := f.note(ctx, t, person, ActionBegun, audit.Success, ""); err != nil {
		return "", "", err
	}
	return key.URI(), key.Manual(), nil
}

// Confirm ends the enrolment with the app's first code, which is used up by it. A wrong code is
// false. ErrNotEnrolled if no key waits to be confirmed, also one hour after Begin; ErrLocked
// after too many wrong codes, then Begin makes a new key; ErrEnrolled if it was confirmed
// before; beside another factor ErrEnrolled and ErrUnproven as for Begin. The person is told
// (NIST SP 800-63B-4, section 4.6).
func (f *Factors) Confirm(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (ok bool, err error) {
	err = f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		if err := confirmable(was, now); err != nil {
			return Change{}, err
		}
		if err := f.admit(ctx, was, now); err != nil {
			return Change{}, err
		}
		step, err := f.step(ctx, was, code, now)
		if err != nil {
			return Change{}, err
		}
		put := was
		put.Confirmed, put.Used, put.Step, put.Failures = now, now, step, 0
		messages, err := f.messages(ctx, put.Ref(), now, ActionEnrolled, "", audit.MessageAudit, audit.MessageNotice)
		return Change{Put: &put, Messages: messages}, err
	})
	if errors.Is(err, errWrong) {
		return false, nil
	}
	return err == nil, err
}

func confirmable(c Credential, now time.Time) error {
	switch {
	case !c.Confirmed.IsZero():
		return ErrEnrolled
	case c.Created.IsZero() || now.Sub(c.Created) > pendingFor:
		return ErrNotEnrolled
	case !c.Locked.IsZero():
		return ErrLocked
	}
	return nil
}

// Verify checks a code of the person's authenticator, or one of their recovery codes. It returns
// the method that was proven, ["otp"] or ["recovery"], or nil for a wrong code and for one that
// was used before: each code is accepted once, whatever comes at the same time on however many
// servers (RFC 6238, section 5.2). Who used a recovery code is told. ErrNotEnrolled without a
// second factor, ErrLocked once the app is disabled; a recovery code is accepted even then. For
// somebody whose factors are of other kinds, every code of an app is wrong.
func (f *Factors) Verify(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (methods []string, err error) {
	method := Method
	if _, ok := readRecovery(code); ok {
		method = MethodRecovery
	}
	switch _, err := f.proveCode(ctx, t, person, code); {
	case errors.Is(err, errWrong):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := f.note(ctx, t, person, ActionVerified, audit.Success, ""); err != nil {
		return nil, err
	}
	return []string{method}, nil
}
