package main

import (
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

// tinkRows are what a row costs whoever uses Tink and wants what phi binds: eight fields, each
// with tenant, field, patient and row as its additional data, into a struct. Like phi's, they go through 64 rows.
// The pairs, to seal and to open, are of the plain AEAD and of the one with a KMS.
func tinkRows() ([]*timed, error) {
	plain, kms, err := tinkAEADs()
	if err != nil {
		return nil, err
	}
	all, err := tinkRow("Tink AES-GCM, a row bound by hand", plain)
	if err != nil {
		return nil, err
	}
	more, err := tinkRow("Tink KMS envelope, a row bound by hand", kms)
	return append(all, more...), err
}

// tinkAEADs returns Tink's plain AEAD, and the one with a KMS, which is a key of this process.
func tinkAEADs() (plain, kms tink.AEAD, err error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, nil, err
	}
	if plain, err = aead.New(handle); err != nil {
		return nil, nil, err
	}
	return plain, aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), plain), nil
}

// clearRow and storedRow are a row of eight, in memory and as it is stored.
type (
	clearRow struct {
		ID                     string
		A, B, C, D, E, F, G, H string
	}
	storedRow struct {
		id   string
		cols [8][]byte
	}
)

func (r *clearRow) fields() [8]*string {
	return [8]*string{&r.A, &r.B, &r.C, &r.D, &r.E, &r.F, &r.G, &r.H}
}

var columns = [8]string{"row.a", "row.b", "row.c", "row.d", "row.e", "row.f", "row.g", "row.h"}

// bound appends what a value is bound to, in memory that the caller uses again.
func bound(b []byte, tenant, field, patient, row string) []byte {
	b = append(append(b, tenant...), '|')
	b = append(append(b, field...), '|')
	b = append(append(b, patient...), '|')
	return append(b, row...)
}

func tinkRow(name string, a tink.AEAD) ([]*timed, error) {
	text, room := string(field), make([]byte, 0, 128)
	full := &clearRow{"p-ana", text, text, text, text, text, text, text, text}
	seal := func() (*storedRow, error) {
		r := &storedRow{id: full.ID}
		for i, s := range full.fields() {
			var err error
			if r.cols[i], err = a.Encrypt([]byte(*s), bound(room, "clinic", columns[i], r.id, r.id)); err != nil {
				return nil, err
			}
		}
		return r, nil
	}
	open := func(r *storedRow) (*clearRow, error) {
		p := &clearRow{ID: r.id}
		for i, s := range p.fields() {
			b, err := a.Decrypt(r.cols[i], bound(room, "clinic", columns[i], r.id, r.id))
			if err != nil {
				return nil, err
			}
			*s = string(b)
		}
		return p, nil
	}
	rows, next := make([]*storedRow, 64), 0
	for i := range rows {
		var err error
		if rows[i], err = seal(); err != nil {
			return nil, err
		}
	}
	if p, err := open(rows[0]); err != nil || *p != *full {
		return nil, errWrong
	}
	return []*timed{
		{table: rowTable, Case: turns.Case{Name: name + ", seal", Units: 8, Run: func() error { _, err := seal(); return err }}},
		{table: rowTable, Case: turns.Case{Name: name + ", open another each time", Units: 8, Run: func() error {
			next++
			_, err := open(rows[next%len(rows)])
			return err
		}}},
	}, nil
}
