package audit_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// typical is an event of about 400 bytes, as a page that shows one patient records it.
func typical() audit.Event {
	return audit.Event{
		Action: "patient.read", Verb: audit.Read,
		Actor: audit.Actor{
			ID: "u-01936f2a", Kind: audit.KindStaff, Tenant: "clinic-17", Session: "s-01936f2b77aa",
			Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2, Roles: []string{"therapist"},
		},
		Client:      audit.Client{App: "web"},
		Patients:    []audit.Patient{"p-01936f2c"},
		Objects:     []audit.Object{{Type: "patient", ID: "p-01936f2c", Fields: []string{"name", "phone"}}},
		Correlation: audit.Correlation{Request: "01936f2d-9a3e"},
		Decision:    audit.Decision{Scope: "practice"},
	}
}

// typicalPrivate has the client's address as a private value.
func typicalPrivate() audit.Event {
	e := typical()
	e.Actor.Origin = netip.MustParseAddr("192.0.2.7")
	return e
}

func BenchmarkRecord(b *testing.B) {
	for name, e := range map[string]audit.Event{"plain": typical(), "private": typicalPrivate()} {
		b.Run(name, func(b *testing.B) {
			log := newLog(b, discarding{}, nil)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, log.Record(b.Context(), e))
			}
		})
		b.Run(name+"/prepare", func(b *testing.B) {
			log := newLog(b, discarding{}, nil)
			b.ReportAllocs()
			for b.Loop() {
				_, err := log.Prepare(b.Context(), e)
				require.NoError(b, err)
			}
		})
		b.Run(name+"/memory", func(b *testing.B) {
			log := newLog(b, audit.NewMemory(), nil)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, log.Record(b.Context(), e))
			}
		})
	}
}

// discarding takes everything and keeps nothing.
type discarding struct{ audit.Store }

func (discarding) Append(context.Context, []audit.Entry) error { return nil }
