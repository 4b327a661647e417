package export_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/fhir"
	"github.com/wardkit/wardkit/audit/ocsf"
)

// sink counts what is written to it, and acts at one of the writes.
type sink struct {
	bytes.Buffer
	writes, at int
	act        func(b []byte) (int, error)
}

func (s *sink) Write(b []byte) (int, error) {
	if s.writes++; s.writes == s.at {
		return s.act(b)
	}
	return s.Buffer.Write(b)
}

// TestEveryBlock: a sink that fails, writes less than it says, ends its caller's context or panics at
// any of the blocks is no manifest, and nobody hashes or reads any more (see TestMain).
func TestEveryBlock(t *testing.T) {
	t.Parallel()
	w := &watched{store: audit.NewMemory()}
	h := newHouse(t, w)
	h.add(t, 50, nil)
	r := export.Request{Tenant: clinic, Encoder: wide{}}
	whole := &sink{}
	_, err := h.x.Export(audit.WithActor(t.Context(), staff), whole, r)
	require.NoError(t, err)
	require.Greater(t, whole.writes, 15)
	for at := 1; at <= whole.writes; at++ {
		ctx, cancel := context.WithCancel(audit.WithActor(t.Context(), staff))
		s := &sink{at: at}
		try := func(act func([]byte) (int, error)) ([]byte, error) {
			s.writes, s.act = 0, act
			return h.x.Export(ctx, s, r)
		}
		m, err := try(func([]byte) (int, error) { return 0, errFault })
		require.ErrorIs(t, err, export.ErrWrite)
		require.ErrorIs(t, err, errFault)
		require.Nil(t, m)
		m, err = try(func(b []byte) (int, error) { return len(b) - 1, nil })
		require.ErrorIs(t, err, io.ErrShortWrite)
		require.Nil(t, m)
		require.PanicsWithValue(t, "the sink", func() { _, _ = try(func([]byte) (int, error) { panic("the sink") }) })
		m, err = try(func(b []byte) (int, error) { cancel(); return len(b), nil })
		require.Equal(t, err == nil, m != nil) // the only piece may have been read before
		require.Zero(t, w.reading.Load())
		cancel()
	}
}

// wide writes long lines.
type wide struct{ export.JSONLines }

func (wide) Append(dst []byte, _ *audit.Entry) ([]byte, error) {
	return append(dst, make([]byte, 20_000)...), nil
}

// TestEveryPiece: a source that fails at any event of a piece's beginning or end is no manifest.
func TestEveryPiece(t *testing.T) {
	t.Parallel()
	b := &fails{store: audit.NewMemory()}
	h := newHouse(t, b)
	h.add(t, 3000, nil)
	for _, at := range []int{1, 2, 1023, 1024, 1025, 2048, 2049, 2999, 3000} {
		b.n, b.at = 0, at
		m, err := h.x.Export(audit.WithActor(t.Context(), staff), io.Discard, export.Request{Tenant: clinic})
		require.ErrorIs(t, err, export.ErrUnavailable)
		require.Nil(t, m)
	}
	b.n, b.at = 0, 3001
	_, err := h.x.Export(audit.WithActor(t.Context(), staff), io.Discard, export.Request{Tenant: clinic})
	require.NoError(t, err)
}

// fails fails at the at-th event of all its lists.
type fails struct {
	store
	n, at int
}

func (s *fails) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range s.store.List(ctx, f, below, limit) {
			if s.n++; s.n == s.at {
				e, err = audit.Entry{}, errFault
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// TestWhatIsHashedIsWhatIsWritten: the manifest's hash is that of the bytes that were made, in every
// format, with lines longer than a block, and for a sink that spoils what it was given.
func TestWhatIsHashedIsWhatIsWritten(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	for _, n := range []int{1, 40, 250} {
		h.add(t, 20, func(e *audit.Event) {
			for i := range n - 1 {
				e.Patients = append(e.Patients, audit.Patient(fmt.Sprint("p-", i, strings.Repeat("x", 200))))
			}
		})
	}
	for _, encoder := range []export.Encoder{export.JSONLines{}, export.CSV{}, fhir.AuditEvents{}, ocsf.Events{}} {
		var kept bytes.Buffer
		spoiler := writer(func(b []byte) (int, error) {
			kept.Write(b)
			clear(b)
			return len(b), nil
		})
		m, err := h.x.Export(audit.WithActor(t.Context(), staff), spoiler, export.Request{Tenant: clinic, Encoder: encoder})
		require.NoError(t, err)
		v, err := export.Verify(bytes.NewReader(kept.Bytes()), m, h.keys(), nil)
		require.NoError(t, err, encoder.Name())
		require.Equal(t, int64(kept.Len()), v.Manifest.Bytes)
		require.Greater(t, kept.Len(), 20*256*200)
	}
}

type writer func(b []byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// TestAnEncoderThatPanics takes its caller along, and no goroutine stays behind (see TestMain).
func TestAnEncoderThatPanics(t *testing.T) {
	t.Parallel()
	h := newHouse(t, audit.NewMemory())
	h.add(t, 3, nil)
	for _, r := range []export.Request{{}, {Filter: &export.Filter{Patient: "p-1"}}} {
		r.Tenant, r.Encoder = clinic, panics{}
		require.PanicsWithValue(t, "the encoder", func() { _, _ = h.x.Export(audit.WithActor(t.Context(), staff), io.Discard, r) })
	}
}

type panics struct{ export.JSONLines }

func (panics) Append([]byte, *audit.Entry) ([]byte, error) { panic("the encoder") }
