package audit_test

import (
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

func somePurge() audit.Purge {
	return audit.Purge{
		ID: "plan-1", Spans: []audit.Span{{From: 0, To: 1200}, {From: 1205, To: 1206}}, Newest: time.Date(2015, 3, 1, 0, 0, 0, 5000, time.UTC),
		Months: 84, Export: [32]byte{1, 2, 3}, By: [2]audit.ActorID{"u-1", "u-2"},
	}
}

// TestPurgeOf reads a purge back from its event, and refuses events that nobody could have agreed to.
func TestPurgeOf(t *testing.T) {
	p := somePurge()
	e, err := p.Event("clinic-17")
	require.NoError(t, err)
	e.Actor = audit.System("clinic-17", "purge")
	require.NoError(t, e.Validate())
	e.Recorded = p.Newest.AddDate(7, 0, 0)
	got, err := audit.PurgeOf(e, 1206)
	require.NoError(t, err)
	require.Equal(t, p, got)

	for name, change := range map[string]func(*audit.Event){
		"another action":    func(e *audit.Event) { e.Action = audit.ActionRead },
		"a failure":         func(e *audit.Event) { e.Outcome = audit.Failure },
		"another object":    func(e *audit.Event) { e.Objects[0].Type = "patient" },
		"no object":         func(e *audit.Event) { e.Objects = nil },
		"no plan":           func(e *audit.Event) { e.Objects[0].ID = "" },
		"younger than that": func(e *audit.Event) { e.Recorded = e.Recorded.Add(-time.Microsecond) },
		"below the floor":   func(e *audit.Event) { e.Detail["months"] = "71" },
		"one person":        func(e *audit.Event) { e.Detail["approved"] = "u-1" },
		"nobody":            func(e *audit.Event) { e.Detail["proposed"] = "" },
		"a short digest":    func(e *audit.Event) { e.Detail["export"] = e.Detail["export"][2:] },
		"no digest":         func(e *audit.Event) { e.Detail["export"] = "x" },
		"another time":      func(e *audit.Event) { e.Detail["newest"] = "yesterday" },
		"no number":         func(e *audit.Event) { e.Detail["months"] = "many" },
		"no spans":          func(e *audit.Event) { delete(e.Detail, "spans.00") },
		"a gap in spans":    func(e *audit.Event) { e.Detail["spans.02"] = "1300+1" },
		"spans that meet":   func(e *audit.Event) { e.Detail["spans.00"] = "0+5,5+1" },
		"spans backwards":   func(e *audit.Event) { e.Detail["spans.00"] = "9+5,1+1" },
		"an empty span":     func(e *audit.Event) { e.Detail["spans.00"] = "9+0" },
		"a negative span":   func(e *audit.Event) { e.Detail["spans.00"] = "-9+2" },
		"half a span":       func(e *audit.Event) { e.Detail["spans.00"] = "9" },
		"a large span":      func(e *audit.Event) { e.Detail["spans.00"] = "9223372036854775807+9223372036854775807" },
		"another spelling":  func(e *audit.Event) { e.Detail["spans.00"] = "0+01200,1205+1" },
		"something more":    func(e *audit.Event) { e.Detail["more"] = "x" },
		"not before it":     func(e *audit.Event) { e.Detail["spans.00"] = "1200+7" },
	} {
		t.Run(name, func(t *testing.T) {
			e := e
			e.Detail = maps.Clone(e.Detail)
			e.Objects = append([]audit.Object(nil), e.Objects...)
			change(&e)
			_, err := audit.PurgeOf(e, 1206)
			require.ErrorIs(t, err, audit.ErrPurge)
		})
	}
}

func TestPurgeFillsAnEvent(t *testing.T) {
	p := somePurge()
	p.Spans = nil
	for i := range int64(audit.MaxSpans) {
		p.Spans = append(p.Spans, audit.Span{From: 1<<39 + 2*i<<20, To: 1<<39 + (2*i+1)<<20})
	}
	e, err := p.Event("t")
	require.NoError(t, err)
	e.Actor, e.Recorded = audit.System("t", "purge"), p.Newest.AddDate(7, 0, 0)
	require.NoError(t, e.Validate())
	got, err := audit.PurgeOf(e, 1<<40)
	require.NoError(t, err)
	require.Equal(t, p, got)
	p.Spans = append(p.Spans, audit.Span{From: 1<<40 - 1, To: 1 << 40})
	_, err = p.Event("t")
	require.ErrorIs(t, err, audit.ErrPurge, "one span more")
}

func TestPurgedIsNotFound(t *testing.T) {
	require.True(t, errors.Is(audit.ErrPurged, audit.ErrNotFound))
}

// FuzzPurgeOf: whatever is read writes itself again.
func FuzzPurgeOf(f *testing.F) {
	f.Add("0+1200,1205+1", "84", int64(1206))
	f.Add("1+1", "72", int64(3))
	f.Fuzz(func(t *testing.T, spans, months string, index int64) {
		e, err := somePurge().Event("t")
		require.NoError(t, err)
		e.Recorded = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		e.Detail["spans.00"], e.Detail["months"] = spans, months
		p, err := audit.PurgeOf(e, index)
		if err != nil {
			return
		}
		again, err := p.Event("t")
		require.NoError(t, err)
		require.Equal(t, e.Detail, again.Detail)
		require.Equal(t, months, strconv.Itoa(p.Months))
		last := int64(-1)
		for _, s := range p.Spans {
			require.True(t, s.From > last && s.To > s.From && s.To <= index)
			last = s.To
		}
	})
}
