package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/phi"
)

const (
	fieldTable = "field of 64 bytes"
	rowTable   = "row of eight fields of 64 bytes, per field"
	fileTable  = "file of 4 MiB, per 64 KiB"

	chunk = 64 << 10
)

// field is what is sealed; aad is as long as what phi binds a value to in these cases.
var field, aad = []byte(strings.Repeat("x", 64)), []byte(strings.Repeat("a", 66))

// timed is one case of a table.
type timed struct {
	turns.Case
	table      string
	bare, tink *timed // what it is compared with
	row        *timed // a row of Tink's, bound by hand
}

var errWrong = errors.New("a wrong plaintext")

// allCases returns the cases in the order of the tables.
func allCases(ctx context.Context) ([]*timed, error) {
	vault, err := phi.Open(ctx, "bench", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		return nil, err
	}
	peers, err := peerCases()
	if err != nil {
		return nil, err
	}
	bare, plain := peers[:2], peers[2:4]
	byHand, err := tinkRows()
	if err != nil {
		return nil, err
	}
	fields, err := fieldCases(ctx, vault, bare, plain)
	if err != nil {
		return nil, err
	}
	rows, err := rowCases(ctx, vault, bare, plain, byHand)
	if err != nil {
		return nil, err
	}
	files, err := fileCases(ctx, vault)
	if err != nil {
		return nil, err
	}
	return slices.Concat(peers, fields, byHand, rows, files), nil
}

func newGCM() (cipher.AEAD, error) {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// peerCases are the limit, AES-256-GCM set up once without randomness or memory of its own,
// and Tink, whose KMS is a local key, so that no network is measured.
func peerCases() ([]*timed, error) {
	gcm, err := newGCM()
	if err != nil {
		return nil, err
	}
	nonce, out := make([]byte, 12), make([]byte, 0, 160)
	sealed := gcm.Seal(nil, nonce, field, aad)
	seal := &timed{table: fieldTable, Case: turns.Case{Name: "bare AES-GCM, seal", Run: func() error { gcm.Seal(out, nonce, field, aad); return nil }}}
	open := &timed{table: fieldTable, Case: turns.Case{Name: "bare AES-GCM, open", Run: func() error { _, err := gcm.Open(out, nonce, sealed, aad); return err }}}
	padded := make([]byte, 128) // what phi makes of a field
	sealedPadded := gcm.Seal(nil, nonce, padded, aad)
	sealPadded := &timed{table: fieldTable, bare: seal, Case: turns.Case{Name: "bare AES-GCM of 128 bytes, seal", Run: func() error { gcm.Seal(out, nonce, padded, aad); return nil }}}
	openPadded := &timed{table: fieldTable, bare: open, Case: turns.Case{Name: "bare AES-GCM of 128 bytes, open", Run: func() error { _, err := gcm.Open(out, nonce, sealedPadded, aad); return err }}}
	plain, kms, err := tinkAEADs()
	if err != nil {
		return nil, err
	}
	t, err := tinkCases("Tink AES-GCM", plain)
	if err != nil {
		return nil, err
	}
	e, err := tinkCases("Tink KMS envelope", kms)
	if err != nil {
		return nil, err
	}
	for i, peer := range []*timed{seal, open, open} {
		t[i].bare, e[i].bare, e[i].tink = peer, peer, t[min(i, 1)]
	}
	return slices.Concat([]*timed{seal, open}, t, e, []*timed{sealPadded, openPadded}), nil
}

func tinkCases(name string, a tink.AEAD) ([]*timed, error) {
	values, next := make([][]byte, 64*8), 0 // as many as the rows have
	for i := range values {
		var err error
		if values[i], err = a.Encrypt(field, aad); err != nil {
			return nil, err
		}
	}
	return []*timed{
		{table: fieldTable, Case: turns.Case{Name: name + ", seal", Run: func() error { _, err := a.Encrypt(field, aad); return err }}},
		{table: fieldTable, Case: turns.Case{Name: name + ", open", Run: func() error { _, err := a.Decrypt(values[0], aad); return err }}},
		{table: fieldTable, Case: turns.Case{Name: name + ", open another value each time", Run: func() error {
			next++
			_, err := a.Decrypt(values[next%len(values)], aad)
			return err
		}}},
	}, nil
}

func fieldCases(ctx context.Context, v *phi.Vault, bare, plain []*timed) ([]*timed, error) {
	at := phi.At{Tenant: "clinic", Field: "patient.phone", Patient: "p-ana", Row: "p-ana"}
	values := make([]phi.Sealed, 64)
	for i := range values {
		var err error
		if values[i], err = v.Seal(ctx, at, field); err != nil {
			return nil, err
		}
	}
	next, room := 0, make([]byte, 0, 32)
	another := func() error {
		next++
		_, err := v.Unseal(ctx, at, values[next%len(values)])
		return err
	}
	return []*timed{
		{table: fieldTable, bare: bare[0], tink: plain[0], Case: turns.Case{Name: "phi, Seal", Run: func() error { _, err := v.Seal(ctx, at, field); return err }}},
		{table: fieldTable, bare: bare[1], tink: plain[1], Case: turns.Case{Name: "phi, Unseal, another value each time", Run: another}},
		{table: fieldTable, bare: bare[1], tink: plain[1], Case: turns.Case{Name: "phi, Unseal, the same value again", Run: func() error { _, err := v.Unseal(ctx, at, values[0]); return err }}},
		{table: fieldTable, Case: turns.Case{Name: "phi, Term", Run: func() error { _, err := v.Term(ctx, "clinic", "patient.phone", "+15555550123"); return err }}},
		{table: fieldTable, Case: turns.Case{Name: "phi, AppendTerm", Run: func() error { _, err := v.AppendTerm(ctx, room, "clinic", "patient.phone", "+15555550123"); return err }}},
	}, nil
}

// eight is a row.
type eight struct {
	ID string   `phi:",row,patient"`
	A  phi.Text `phi:"a,class=clinical"`
	B  phi.Text `phi:"b,class=clinical"`
	C  phi.Text `phi:"c,class=clinical"`
	D  phi.Text `phi:"d,class=clinical"`
	E  phi.Text `phi:"e,class=clinical"`
	F  phi.Text `phi:"f,class=clinical"`
	G  phi.Text `phi:"g,class=clinical"`
	H  phi.Text `phi:"h,class=clinical"`
}

// rowCases open a row and decrypt all of it: Equal with a value of another length decrypts and
// has nothing to compare. The key keeps what it opened a row with last, so the same row again and
// another row of the patient each time are two cases.
func rowCases(ctx context.Context, v *phi.Vault, bare, plain, byHand []*timed) ([]*timed, error) {
	c, err := phi.For[eight](v, "row")
	if err != nil {
		return nil, err
	}
	t, other := phi.NewText(string(field)), phi.NewText("")
	p := &eight{"p-ana", t, t, t, t, t, t, t, t}
	rows := make([]phi.Row, 64)
	for i := range rows {
		if rows[i], err = sealedRow(ctx, c, p); err != nil {
			return nil, err
		}
	}
	open := func(row phi.Row, want phi.Text, is bool) error {
		p, err := c.Open(ctx, "clinic", row)
		if err != nil {
			return err
		}
		for _, t := range [8]phi.Text{p.A, p.B, p.C, p.D, p.E, p.F, p.G, p.H} {
			if t.Equal(want) != is {
				return errWrong
			}
		}
		return nil
	}
	if err := open(rows[0], t, true); err != nil {
		return nil, err
	}
	seal := func() error { _, err := c.Seal(ctx, "clinic", p); return err }
	again := func() error { return open(rows[0], other, false) }
	next := 0
	another := func() error {
		next++
		return open(rows[next%len(rows)], other, false)
	}
	return []*timed{
		{table: rowTable, bare: bare[0], tink: plain[0], row: byHand[0], Case: turns.Case{Name: "phi, Codec.Seal", Units: 8, Run: seal}},
		{table: rowTable, bare: bare[1], tink: plain[1], row: byHand[1], Case: turns.Case{Name: "phi, Codec.Open and every field, another row each time", Units: 8, Run: another}},
		{table: rowTable, bare: bare[1], tink: plain[1], row: byHand[1], Case: turns.Case{Name: "phi, Codec.Open and every field, the same row again", Units: 8, Run: again}},
	}, nil
}

// sealedRow is p as a SELECT returns it.
func sealedRow(ctx context.Context, c *phi.Codec[eight], p *eight) (row phi.Row, err error) {
	rec, err := c.Seal(ctx, "clinic", p)
	if err != nil {
		return row, err
	}
	row.ID = p.ID
	for i, dest := range c.Dest(&row) {
		if err := dest.(sql.Scanner).Scan([]byte(rec.Col(c.Fields()[i]))); err != nil {
			return row, err
		}
	}
	return row, nil
}

// fileCases seal and open 4 MiB, with the header and the key's set-up for a stream, without
// for the bare AES-GCM.
func fileCases(ctx context.Context, v *phi.Vault) ([]*timed, error) {
	gcm, err := newGCM()
	if err != nil {
		return nil, err
	}
	const n = 64
	data, nonce, out := make([]byte, n*chunk), make([]byte, 12), make([]byte, 0, chunk+16)
	sealed := gcm.Seal(nil, nonce, data[:chunk], nil)
	at := phi.At{Tenant: "clinic", Field: "file.scan", Patient: "p-ana", Row: "f-1"}
	write := func(w io.Writer) error {
		s, err := v.SealStream(ctx, at, w)
		if err != nil {
			return err
		}
		if _, err := s.Write(data); err != nil {
			return err
		}
		return s.Close()
	}
	var stream bytes.Buffer
	if err := write(&stream); err != nil {
		return nil, err
	}
	seal := &timed{table: fileTable, Case: turns.Case{Name: "bare AES-GCM, seal", Run: func() error { gcm.Seal(out, nonce, data[:chunk], nil); return nil }}}
	open := &timed{table: fileTable, Case: turns.Case{Name: "bare AES-GCM, open", Run: func() error { _, err := gcm.Open(out, nonce, sealed, nil); return err }}}
	// What a reader reads it has to copy, so that belongs to opening from one.
	all, in, k := stream.Bytes()[phi.StreamHeaderSize:], make([]byte, len(sealed)), 0
	read := &timed{table: fileTable, bare: open, Case: turns.Case{Name: "bare AES-GCM, copy and open", Run: func() error {
		copy(in, all[k%n*(chunk+28):])
		k++
		_, err := gcm.Open(out, nonce, sealed, nil)
		return err
	}}}
	return []*timed{
		seal, open, read,
		{table: fileTable, bare: seal, Case: turns.Case{Name: "phi, SealStream", Units: n, Run: func() error { return write(io.Discard) }}},
		{table: fileTable, bare: read, Case: turns.Case{Name: "phi, UnsealStream", Units: n, Run: func() error {
			r, err := v.UnsealStream(ctx, at, bytes.NewReader(stream.Bytes()))
			if err != nil {
				return err
			}
			k, err := r.WriteTo(io.Discard)
			if k != int64(len(data)) {
				return errors.Join(err, errWrong)
			}
			return err
		}}},
	}, nil
}
