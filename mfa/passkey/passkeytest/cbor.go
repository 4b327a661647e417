package passkeytest

import (
	"crypto/ecdsa"
	"encoding/binary"
)

// The little CBOR (RFC 8949) that a registration is made of, in the order of CTAP2's canonical form.

// cose is the COSE_Key (RFC 9053, section 7.1.1) of a P-256 key for ES256.
func cose(k *ecdsa.PublicKey) []byte {
	point, err := k.Bytes() // 4, x, y
	if err != nil {
		panic("passkeytest: a P-256 key without a point") // generated a moment ago
	}
	out := []byte{
		0xa5,       // map of 5
		0x01, 0x02, // kty: EC2
		0x03, 0x26, // alg: ES256 (-7)
		0x20, 0x01, // crv: P-256
		0x21, // x
	}
	out = blob(out, point[1:33])
	return blob(append(out, 0x22), point[33:])
}

// attestation is an attestation object of format "none" (WebAuthn Level 3, section 8.7).
func attestation(authData []byte) []byte {
	out := text([]byte{0xa3}, "fmt")
	out = text(out, "none")
	out = append(text(out, "attStmt"), 0xa0)
	return blob(text(out, "authData"), authData)
}

func blob(out, p []byte) []byte { return append(head(out, 2, len(p)), p...) }

func text(out []byte, s string) []byte { return append(head(out, 3, len(s)), s...) }

// head is the start of an item: its major type, and its length in as few bytes as can be.
func head(out []byte, major byte, n int) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(out, major|byte(n))
	case n < 1<<8:
		return append(out, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(out, major|25), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(out, major|26), uint32(n))
	}
}
