package mfa

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// MethodRecovery is the method that Verify reports for a recovery code, a look-up secret of
// NIST SP 800-63B-4, section 3.1.2. RFC 8176 registers no value for them.
const MethodRecovery = "recovery"

const (
	codesAtOnce   = 10
	recoveryBytes = 16 // 128 bits: enough that a plain hash protects them at rest (section 3.1.2.2)
	recoveryChars = 26 // of base32
	setBytes      = 16
)

// codeSet is the recovery codes that a person can still use: the random name of the list they
// came on, and their hashes. It is kept sealed, so that nobody with the database alone can
// read it or add a code of their own.
type codeSet struct {
	name   []byte
	hashes [][]byte
}

// IssueCodes gives the person ten new recovery codes, for the day the phone is gone. Each
// replaces a code of the authenticator app once. The codes of an earlier list stop working.
// Only the person themselves is given codes, and proof is a code of their app or of the earlier
// list; it is used up. A wrong proof is false. They are told, and the codes are returned once:
// what is kept is their SHA-256 in a sealed row. Somebody without an app, or who has just proven
// a passkey in their session, may leave out the proof.
//
// ErrNotYours if somebody else asks, ErrNotEnrolled without a second factor, ErrLocked after
// too many wrong codes.
func (f *Factors) IssueCodes(ctx context.Context, t audit.Tenant, person audit.ActorID, proof string) (codes RecoveryCodes, ok bool, err error) {
	if !themselves(ctx, t, person) {
		return RecoveryCodes{}, false, ErrNotYours
	}
	of, err := f.prove(ctx, t, person, proof)
	if errors.Is(err, errWrong) {
		return RecoveryCodes{}, false, nil
	}
	if err != nil {
		return RecoveryCodes{}, false, err
	}
	set, codes := newCodes(t, person)
	sealed, err := f.sealSet(ctx, t, person, set)
	if err != nil {
		return RecoveryCodes{}, false, err
	}
	err = f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		if was.ID != of.ID { // ended since the proof
			return Change{}, ErrNotEnrolled
		}
		put := was
		put.Recovery = sealed
		messages, err := f.messages(ctx, put.Ref(), now, ActionCodesIssued, "", audit.MessageAudit, audit.MessageNotice)
		return Change{Put: &put, Messages: messages}, err
	})
	if err != nil {
		return RecoveryCodes{}, false, err
	}
	return codes, true, nil
}

// themselves reports whether the actor in ctx is this person and nobody on their behalf.
func themselves(ctx context.Context, t audit.Tenant, person audit.ActorID) bool {
	a, ok := audit.ActorFrom(ctx)
	return ok && a.Tenant == t && a.ID == person && a.ID != "" && a.OnBehalfOf == ""
}

// prove uses up a code of either kind and says of which enrolment it was. No code does where the
// session itself proves as much.
func (f *Factors) prove(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (Ref, error) {
	if code == "" {
		if r, err := f.bySession(ctx, t, person); r.ID != "" || err != nil {
			return r, err
		}
		return Ref{}, f.noCode(ctx, t, person)
	}
	return f.proveCode(ctx, t, person, code)
}

// proveCode is prove without regard to the session: nothing is a wrong code.
func (f *Factors) proveCode(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (Ref, error) {
	if raw, ok := readRecovery(code); ok {
		return f.spendRecovery(ctx, t, person, raw)
	}
	return f.spend(ctx, t, person, code)
}

// noCode refuses who gave nothing. That is no guess: hosts charge for what is typed, and whoever has
// found a session must not disable the app with it at no charge. It never returns nil.
func (f *Factors) noCode(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	if _, err := f.usable(ctx, t, person); err != nil {
		return err
	}
	return cmp.Or(f.note(ctx, t, person, ActionFailed, audit.Failure, "no_code"), errWrong)
}

// spendRecovery uses up a recovery code. The row's version makes it once: of two at the same
// moment the second finds the code gone. A locked authenticator does not matter here, it is
// another one; so guessing at the app's codes cannot keep its owner out.
func (f *Factors) spendRecovery(ctx context.Context, t audit.Tenant, person audit.ActorID, code []byte) (Ref, error) {
	var of Credential
	err := f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		of = was
		if !was.enrolled() {
			return Change{}, ErrNotEnrolled
		}
		set, err := f.openSet(ctx, was)
		if err != nil {
			return Change{}, err
		}
		if !set.remove(t, person, code) {
			return Change{}, errWrong
		}
		put := was
		if put.Recovery, err = f.sealSet(ctx, t, person, set); err != nil {
			return Change{}, err
		}
		messages, err := f.messages(ctx, put.Ref(), now, ActionRecovered, "", audit.MessageAudit, audit.MessageNotice)
		return Change{Put: &put, Messages: messages}, err
	})
	if errors.Is(err, errWrong) {
		return Ref{}, f.wrongFor(ctx, of, f.now())
	}
	return of.Ref(), err
}

// newCodes makes a list of codes and what is kept of it.
func newCodes(t audit.Tenant, person audit.ActorID) (codeSet, RecoveryCodes) {
	set := codeSet{name: make([]byte, setBytes)}
	rand.Read(set.name) // never fails (crypto/rand)
	var shown []string
	for range codesAtOnce {
		code := make([]byte, recoveryBytes)
		rand.Read(code)
		set.hashes = append(set.hashes, set.hash(t, person, code))
		shown = append(shown, showRecovery(code))
	}
	return set, RecoveryCodes{reveal: func() []string { return slices.Clone(shown) }}
}

// hash is the SHA-256 of a code on this list of this person.
func (s codeSet) hash(t audit.Tenant, person audit.ActorID, code []byte) []byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte("wardkit mfa recovery code 1"), s.name, []byte(t), []byte(person), code} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // never fails (hash.Hash)
		_, _ = h.Write(part)
	}
	return h.Sum(nil)
}

// remove takes a code off the list; false if it is not there. It compares with every one.
func (s *codeSet) remove(t audit.Tenant, person audit.ActorID, code []byte) bool {
	have, found := s.hash(t, person, code), -1
	for i, h := range s.hashes {
		if subtle.ConstantTimeCompare(have, h) == 1 {
			found = i
		}
	}
	if found < 0 {
		return false
	}
	s.hashes = slices.Delete(s.hashes, found, found+1)
	return true
}

func recoveryPlace(t audit.Tenant, person audit.ActorID) phi.At {
	return phi.At{Tenant: t, Field: "mfa.recovery", Row: string(person)}
}

func (f *Factors) sealSet(ctx context.Context, t audit.Tenant, person audit.ActorID, s codeSet) ([]byte, error) {
	sealed, err := f.vault.Seal(ctx, recoveryPlace(t, person), slices.Concat(append([][]byte{s.name}, s.hashes...)...))
	if err != nil {
		return nil, unavailable("sealing recovery codes", err)
	}
	return sealed, nil
}

// openSet returns the codes of c, none if none were issued.
func (f *Factors) openSet(ctx context.Context, c Credential) (codeSet, error) {
	if len(c.Recovery) == 0 {
		return codeSet{}, nil
	}
	plain, err := f.vault.Unseal(ctx, recoveryPlace(c.Tenant, c.Person), phi.Sealed(c.Recovery))
	if err != nil {
		return codeSet{}, f.unopened(ctx, c, err)
	}
	if len(plain) < setBytes || (len(plain)-setBytes)%sha256.Size != 0 {
		return codeSet{}, unavailable("reading recovery codes", errors.New("mfa: a stored list has the wrong length"))
	}
	return codeSet{name: plain[:setBytes], hashes: slices.Collect(slices.Chunk(plain[setBytes:], sha256.Size))}, nil
}

// showRecovery returns a code as people read it: base32 (RFC 4648) in five groups.
func showRecovery(code []byte) string {
	s := base32Plain.EncodeToString(code)
	return s[:5] + "-" + s[5:10] + "-" + s[10:15] + "-" + s[15:20] + "-" + s[20:]
}

// readRecovery returns the code that somebody typed, in either case, with or without dashes and
// spaces, with 0, 1 and 8 for the letters they look like. It reports false for what is no
// recovery code, six digits for instance.
func readRecovery(typed string) ([]byte, bool) {
	if len(typed) > 4*recoveryChars {
		return nil, false
	}
	s := strings.NewReplacer("-", "", " ", "", "0", "O", "1", "I", "8", "B").Replace(strings.ToUpper(typed))
	if len(s) != recoveryChars {
		return nil, false
	}
	code, err := base32Plain.DecodeString(s)
	if err != nil || base32Plain.EncodeToString(code) != s { // one spelling of the last two bits
		return nil, false
	}
	return code, true
}
