package mfa

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"github.com/wardkit/wardkit/phi"
)

const textSalt = 16 // bytes

// The places of what is sealed here. Each names the person and what it belongs to, and each
// purpose has a field of its own: nothing opens in another row, for another code, or as something
// else. Only the person's ID, which comes last, may hold a slash.
func numberPlace(n Number) phi.At {
	return phi.At{Tenant: n.Tenant, Field: "mfa.text.number", Row: n.ID + "/" + string(n.Person)}
}

func nextNumberPlace(n Number) phi.At {
	return phi.At{Tenant: n.Tenant, Field: "mfa.text.next", Row: n.CodeID + "/" + string(n.Person)}
}

func textCodePlace(n Number) phi.At {
	field := "mfa.text.code.verify"
	if n.Enrols {
		field = "mfa.text.code.enrol"
	}
	return phi.At{Tenant: n.Tenant, Field: field, Row: n.CodeID + "/" + string(n.Person)}
}

// hashText is the SHA-256 of a code. A million codes are soon tried, so it is kept sealed; it is
// still a hash, so that nobody who may open it reads a code by chance. When the code ends is part
// of it: moving Expires makes every answer wrong.
func hashText(n Number, salt []byte, code string) []byte {
	h := sha256.New()
	ends := binary.BigEndian.AppendUint64(nil, uint64(n.Expires.UnixMicro())) //nolint:gosec // any bits will do
	for _, part := range [][]byte{[]byte("wardkit mfa text code 1"), salt, []byte(n.ID), []byte(n.CodeID), ends, []byte(code)} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // never fails (hash.Hash)
		_, _ = h.Write(part)
	}
	return h.Sum(nil)
}

// keepText returns what is kept of the code that n names.
func (f *Factors) keepText(ctx context.Context, n Number, code TextCode) ([]byte, error) {
	salt := make([]byte, textSalt)
	rand.Read(salt) // never fails (crypto/rand)
	sealed, err := f.vault.Seal(ctx, textCodePlace(n), append(salt, hashText(n, salt, code.Reveal())...))
	if err != nil {
		return nil, unavailable("sealing a code", err)
	}
	return sealed, nil
}

// matchText reports whether typed is the code that n keeps.
func (f *Factors) matchText(ctx context.Context, n Number, typed string) (bool, error) {
	kept, err := f.vault.Unseal(ctx, textCodePlace(n), phi.Sealed(n.Code))
	if err != nil {
		return false, f.unopenedText(ctx, n, err)
	}
	if len(kept) != textSalt+sha256.Size {
		return false, unavailable("reading a code", errors.New("mfa: what is kept of a code has the wrong length"))
	}
	code, ok := readCode(typed)
	same := subtle.ConstantTimeCompare(hashText(n, kept[:textSalt], code), kept[textSalt:]) == 1
	return ok && same, nil
}

// openPhone opens a sealed number.
func (f *Factors) openPhone(ctx context.Context, n Number, at phi.At, sealed []byte) (Phone, error) {
	plain, err := f.vault.Unseal(ctx, at, phi.Sealed(sealed))
	if err != nil {
		return Phone{}, f.unopenedText(ctx, n, err)
	}
	p, err := ParsePhone(string(plain))
	if err != nil {
		return Phone{}, unavailable("reading a number", err)
	}
	return p, nil
}

func (f *Factors) sealPhone(ctx context.Context, at phi.At, p Phone) ([]byte, error) {
	sealed, err := f.vault.Seal(ctx, at, []byte(p.Reveal()))
	if err != nil {
		return nil, unavailable("sealing a number", err)
	}
	return sealed, nil
}
