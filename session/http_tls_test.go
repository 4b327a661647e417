package session_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

// chain reads certificates that OpenSSL made: of a root with itself, of the others with an
// issuer who is not there.
func chain(t *testing.T, names ...string) []tls.Certificate {
	t.Helper()
	var c tls.Certificate
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", "weak", name+".pem"))
		require.NoError(t, err)
		block, _ := pem.Decode(text)
		c.Certificate = append(c.Certificate, block.Bytes)
	}
	return []tls.Certificate{c}
}

// pair makes a certificate for clinic.example.com with the given key.
func pair(t *testing.T, key any, public any) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clinic.example.com"},
		DNSNames: []string{"clinic.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func ecPair(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return pair(t, key, &key.PublicKey)
}

// shake runs one handshake over a pipe.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	left, right := net.Pipe()
	defer left.Close()
	defer right.Close()
	done := make(chan error, 1)
	s := tls.Server(left, server)
	go func() {
		err := s.Handshake()
		if err == nil {
			_, err = io.WriteString(s, "x") // TLS 1.3: the client learns of a refusal only with the next record
		}
		done <- err
		left.Close()
	}()
	c := tls.Client(right, client)
	err := c.Handshake()
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	right.Close()
	if e := <-done; err == nil {
		err = e
	}
	return c.ConnectionState(), err
}

func TestTLSRefusesWhatIsOld(t *testing.T) {
	t.Parallel()
	server := session.TLSConfig()
	server.Certificates = []tls.Certificate{ecPair(t)}
	require.NoError(t, session.CheckTLS(server))
	// The client side of a handshake test trusts whatever it meets.
	client := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{ServerName: "clinic.example.com", InsecureSkipVerify: true, NextProtos: []string{"h2"}}
		change(c)
		return c
	}
	for name, change := range map[string]func(*tls.Config){
		"TLS 1.0": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 },
		"TLS 1.1": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		"CBC": func(c *tls.Config) {
			c.MaxVersion = tls.VersionTLS12
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}
		},
		"no forward secrecy": func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
		},
	} {
		_, err := shake(t, server, client(change))
		require.Error(t, err, name)
	}
	state, err := shake(t, server, client(func(*tls.Config) {}))
	require.NoError(t, err)
	require.EqualValues(t, tls.VersionTLS13, state.Version, "preferred")
	require.Equal(t, "h2", state.NegotiatedProtocol)
	state, err = shake(t, server, client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }))
	require.NoError(t, err)
	require.EqualValues(t, tls.VersionTLS12, state.Version)
}

func TestCheckTLSNamesWhatIsWeak(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*tls.Config){
		"MinVersion":         func(c *tls.Config) { c.MinVersion = tls.VersionTLS11 },
		"MaxVersion":         func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"InsecureSkipVerify": func(c *tls.Config) { c.InsecureSkipVerify = true },
		"Renegotiation":      func(c *tls.Config) { c.Renegotiation = tls.RenegotiateOnceAsClient },
		"KeyLogWriter":       func(c *tls.Config) { c.KeyLogWriter = io.Discard },
		"Rand":               func(c *tls.Config) { c.Rand = rand.Reader },
		"GetConfigForClient": func(c *tls.Config) {
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
		},
		"CipherSuites":     func(c *tls.Config) { c.CipherSuites = append(c.CipherSuites, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA) },
		"CurvePreferences": func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519, 1} },
		//lint:ignore SA1019 what is refused
		"SessionTicketKey":        func(c *tls.Config) { c.SessionTicketKey[0] = 1 },
		"RSA key below 2048 bits": func(c *tls.Config) { c.Certificates = chain(t, "rsa1024") },
		"curve below 256 bits":    func(c *tls.Config) { c.Certificates = chain(t, "p224") },
		"signed with MD5 or":      func(c *tls.Config) { c.Certificates = chain(t, "md5") },
		"MD5 or SHA-1":            func(c *tls.Config) { c.Certificates = chain(t, "good", "sha1") },
		"one cannot be read":      func(c *tls.Config) { c.Certificates = []tls.Certificate{{Certificate: [][]byte{{1}}}} },
	} {
		c := session.TLSConfig()
		change(c)
		err := session.CheckTLS(c)
		require.ErrorIs(t, err, session.ErrTLS, field)
		require.ErrorContains(t, err, field)
	}
	c := session.TLSConfig()
	c.CipherSuites = nil
	require.ErrorIs(t, session.CheckTLS(c), session.ErrTLS, "Go's own choice has CBC in it")
	c.MinVersion = tls.VersionTLS13
	require.NoError(t, session.CheckTLS(c))
	require.ErrorIs(t, session.CheckTLS(nil), session.ErrTLS)
	require.ErrorIs(t, session.CheckTLS(&tls.Config{}), session.ErrTLS)

	one, other := session.TLSConfig(), session.TLSConfig()
	one.CipherSuites[0] = 0
	require.NoError(t, session.CheckTLS(other), "nobody shares what TLSConfig returns")
}

// What a chain is signed with counts, except for a root.
func TestCheckTLSChain(t *testing.T) {
	t.Parallel()
	c := session.TLSConfig()
	c.Certificates = []tls.Certificate{ecPair(t)}
	require.NoError(t, session.CheckTLS(c))
	c.Certificates = chain(t, "good")
	require.NoError(t, session.CheckTLS(c))
	c.Certificates = chain(t, "good", "oldroot")
	require.NoError(t, session.CheckTLS(c), "how a root is signed convinces nobody")
}
