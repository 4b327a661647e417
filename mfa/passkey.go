package mfa

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// MethodPasskey is how events name a passkey. What a passkey proves is in a proof's Methods.
const MethodPasskey = "passkey"

const (
	// MaxPasskeys is how many passkeys a person can have, disabled ones among them.
	MaxPasskeys = 20
	// MaxLabel is the most characters (Unicode code points) of a passkey's label.
	MaxLabel = 64

	handleBytes = 64 // WebAuthn Level 3, section 14.6.1
)

// Passkey is what the person themselves and their administrators may see of a passkey.
type Passkey struct {
	ID       string    // for RenamePasskey and RemovePasskey
	Label    string    // the owner's name for it
	Model    string    // AAGUID of the authenticator as a UUID, a hint only; "" if not told
	Created  time.Time // when it was added
	Used     time.Time // when it last proved something; zero if never since
	Synced   bool      // can be on several devices (backup eligible), so never more than AAL2
	BackedUp bool      // was on several devices, or in a backup, when last used
	Disabled time.Time // not zero: there is a second copy, so it proves nothing any more
}

// HasPasskey reports whether the person has a passkey. A disabled one counts, and it counts
// without Options.WebAuthn: like a locked app it has to be asked for, or the password alone would
// lead to enrolling another.
func (f *Factors) HasPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error) {
	c, err := f.read(ctx, t, person)
	return err == nil && c.Passkeys > 0, err
}

// PasskeyLives reports whether a passkey is one of the person's and is not disabled: whether what it
// has proven counts still.
func (f *Factors) PasskeyLives(ctx context.Context, t audit.Tenant, person audit.ActorID, id string) (bool, error) {
	c, err := f.read(ctx, t, person)
	if err != nil {
		return false, err
	}
	row, _, err := f.one(ctx, c, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && row.Disabled.IsZero(), err
}

// ListPasskeys returns the person's passkeys, oldest first.
func (f *Factors) ListPasskeys(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]Passkey, error) {
	c, err := f.read(ctx, t, person)
	if err != nil {
		return nil, err
	}
	rows, err := f.keys(ctx, c)
	if err != nil {
		return nil, err
	}
	var out []Passkey
	for _, row := range rows {
		r, err := f.open(ctx, row)
		if err != nil {
			return nil, err
		}
		out = append(out, Passkey{
			ID: row.ID, Label: r.Label, Model: modelName(r.Model), Created: row.Created, Used: row.Used,
			Synced: r.Eligible, BackedUp: row.BackedUp, Disabled: row.Disabled,
		})
	}
	return out, nil
}

func modelName(m [16]byte) string {
	if m == [16]byte{} {
		return ""
	}
	s := hex.EncodeToString(m[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// RenamePasskey gives the person's passkey another label: 1 to MaxLabel printable characters,
// else ErrName. ErrNotYours if somebody else asks, ErrNotFound if they have no such passkey.
func (f *Factors) RenamePasskey(ctx context.Context, t audit.Tenant, person audit.ActorID, id, label string) error {
	label = strings.TrimSpace(label)
	if !themselves(ctx, t, person) {
		return ErrNotYours
	}
	if !usableLabel(label) {
		return ErrName
	}
	return f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		row, _, err := f.one(ctx, was, id)
		if err != nil {
			return Change{}, err
		}
		r, err := f.open(ctx, row)
		if err != nil {
			return Change{}, err
		}
		r.Label = label
		return f.rewrite(ctx, was, row, r, now, ActionPasskeyRenamed, audit.MessageAudit)
	})
}

// RemovePasskey ends one of the person's passkeys. Their sessions end and they are told. Where
// nothing is left that can be used, it is refused with ErrRequired if the person must have a
// second factor, of two removals at once the second; otherwise recovery codes and what is locked
// or disabled end with it.
//
// It is for the person themselves, ErrNotYours, who has just proven a second factor in their
// session, ErrUnproven. ErrNotFound if they have no such passkey, ErrPending if it is done but
// ending the sessions is not, ErrUnwired as for Disable.
func (f *Factors) RemovePasskey(ctx context.Context, t audit.Tenant, person audit.ActorID, id string) error {
	switch {
	case !f.wired():
		return ErrUnwired
	case !themselves(ctx, t, person):
		return ErrNotYours
	}
	if err := proven(ctx, f.now()); err != nil {
		return err
	}
	was, err := f.read(ctx, t, person)
	if err == nil {
		_, err = f.removal(ctx, was, id) // before anything ends
	}
	if err == nil {
		err = f.revokeFirst(ctx, t, person, ActionPasskeyRemoved)
	}
	if err != nil {
		return err
	}
	return f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		c, err := f.removal(ctx, was, id)
		if err != nil {
			return Change{}, err
		}
		c.Messages, err = f.messages(ctx, Ref{t, person, id}, now, ActionPasskeyRemoved, "", audit.MessageRevoke, audit.MessageAudit, audit.MessageNotice)
		return c, err
	})
}

// removal decides what the end of a passkey leaves.
func (f *Factors) removal(ctx context.Context, was Credential, id string) (Change, error) {
	row, rest, err := f.one(ctx, was, id)
	if err != nil {
		return Change{}, err
	}
	put := was
	put.Passkeys = len(rest)
	kept, err := f.left(ctx, put, rest)
	if err != nil {
		return Change{}, err
	}
	return Change{Put: kept, Passkeys: []PasskeyChange{{ID: row.ID, Version: row.Version}}}, nil
}

// one returns one of the person's passkeys and the others.
func (f *Factors) one(ctx context.Context, was Credential, id string) (PasskeyRow, []PasskeyRow, error) {
	rows, err := f.keys(ctx, was)
	if err != nil {
		return PasskeyRow{}, nil, err
	}
	i := slices.IndexFunc(rows, func(p PasskeyRow) bool { return p.ID == id })
	if i < 0 {
		return PasskeyRow{}, nil, ErrNotFound
	}
	return rows[i], slices.Concat(rows[:i], rows[i+1:]), nil
}

// rewrite is the change that gives a passkey's row another record.
func (f *Factors) rewrite(ctx context.Context, was Credential, row PasskeyRow, r keyRecord, now time.Time, a audit.Action, kinds ...audit.MessageKind) (Change, error) {
	put := row
	var err error
	if put.Sealed, err = f.seal(ctx, row, r); err != nil {
		return Change{}, err
	}
	messages, err := f.messages(ctx, Ref{was.Tenant, was.Person, row.ID}, now, a, "", kinds...)
	return Change{Put: &was, Passkeys: []PasskeyChange{{ID: row.ID, Version: row.Version, Put: &put}}, Messages: messages}, err
}

// usableLabel reports whether s can stand in a list: trimmed, printable, 1 to MaxLabel characters.
func usableLabel(s string) bool {
	if s == "" || len(s) > 4*MaxLabel || !utf8.ValidString(s) || utf8.RuneCountInString(s) > MaxLabel || strings.TrimSpace(s) != s {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
