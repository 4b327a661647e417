package session

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

// ErrTLS: a TLS configuration that CheckTLS refuses.
var ErrTLS = errors.New("session: the TLS configuration is too weak")

// TLSConfig returns a configuration for servers: TLS 1.3 preferred, 1.2 the minimum and there
// only with forward secrecy and authenticated encryption (NIST SP 800-52r2, section 3.3.1;
// RFC 9325; ASVS 5.0, 12.1.1 and 12.1.2). The suites of TLS 1.3 and the key exchanges, the
// post-quantum hybrid first, are Go's. Set Certificates or GetCertificate on it.
func TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		CipherSuites: suites(),
		NextProtos:   []string{"h2", "http/1.1"},
	}
}

// suites are those of TLS 1.2 that RFC 9325 recommends, and ChaCha20-Poly1305 (RFC 7905).
func suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	}
}

// CheckTLS refuses what is weaker than TLSConfig, also where it is weak only by leaving out
// what Go or its environment then decides. Its errors wrap ErrTLS and name the field:
//
//   - MinVersion below TLS 1.2 or not set; MaxVersion that forbids TLS 1.3
//   - suites of TLS 1.2 without forward secrecy or authenticated encryption, or none named
//   - key exchanges that CheckTLS does not know
//   - InsecureSkipVerify, renegotiation, KeyLogWriter, a Rand of its own
//   - GetConfigForClient: what it will return cannot be checked here
//   - a SessionTicketKey: whoever learns it reads what was resumed with it, so it has to be
//     renewed (RFC 8446, appendix C.4), as Go's own keys are every day
//   - certificates with RSA keys below 2048 bits or elliptic curves below 256, or signed with
//     MD5 or SHA-1 (NIST SP 800-52r2, section 3.2)
func CheckTLS(c *tls.Config) error {
	if c == nil {
		return fmt.Errorf("%w: there is none", ErrTLS)
	}
	switch {
	case c.MinVersion < tls.VersionTLS12:
		return weakTLS("MinVersion")
	case c.MaxVersion != 0 && c.MaxVersion < tls.VersionTLS13:
		return weakTLS("MaxVersion")
	case c.InsecureSkipVerify:
		return weakTLS("InsecureSkipVerify")
	case c.Renegotiation != tls.RenegotiateNever:
		return weakTLS("Renegotiation")
	case c.KeyLogWriter != nil:
		return weakTLS("KeyLogWriter")
	case c.Rand != nil:
		return weakTLS("Rand")
	case c.GetConfigForClient != nil:
		return weakTLS("GetConfigForClient")
	//lint:ignore SA1019 it is looked for to refuse it
	case c.SessionTicketKey != [32]byte{}:
		return weakTLS("SessionTicketKey")
	case c.MinVersion < tls.VersionTLS13 && (len(c.CipherSuites) == 0 || !onlyFrom(c.CipherSuites, suites())):
		return weakTLS("CipherSuites")
	case !onlyFrom(c.CurvePreferences, exchanges()):
		return weakTLS("CurvePreferences")
	}
	for _, pair := range c.Certificates {
		if err := checkCertificate(pair); err != nil {
			return err
		}
	}
	return nil
}

func weakTLS(field string) error { return fmt.Errorf("%w: %s", ErrTLS, field) }

func onlyFrom[T comparable](have, allowed []T) bool {
	return !slices.ContainsFunc(have, func(v T) bool { return !slices.Contains(allowed, v) })
}

func exchanges() []tls.CurveID {
	return []tls.CurveID{
		tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024,
		tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521,
	}
}

// checkCertificate looks at every certificate of a chain but a root: how that one is signed
// convinces nobody.
func checkCertificate(pair tls.Certificate) error {
	for _, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return weakTLS("Certificates: one cannot be read")
		}
		switch key := c.PublicKey.(type) {
		case *rsa.PublicKey:
			if key.Size() < 2048/8 {
				return weakTLS("Certificates: an RSA key below 2048 bits")
			}
		case *ecdsa.PublicKey:
			if key.Curve.Params().BitSize < 256 {
				return weakTLS("Certificates: an elliptic curve below 256 bits")
			}
		}
		switch c.SignatureAlgorithm {
		case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
			if !bytes.Equal(c.RawIssuer, c.RawSubject) {
				return weakTLS("Certificates: signed with MD5 or SHA-1")
			}
		}
	}
	return nil
}
