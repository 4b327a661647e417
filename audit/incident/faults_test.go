package incident_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
)

// changes is every change, as it is asked for.
type changed struct {
	action audit.Action
	from   func(h *house) incident.Case
	run    func(h *house, c incident.Case) (incident.Case, error)
}

func changes() map[string]changed {
	reported, triaged := (*house).report, (*house).triaged
	waiting := func(h *house) incident.Case {
		c := h.started()
		return h.must(h.desk.Assess(h.as(ada), c.ID, c.Version, lowProbability(), ""))
	}
	harmless := func(h *house) incident.Case {
		c := h.report()
		return h.must(h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "question", PHI: incident.No, Owner: ada}))
	}
	closed := func(h *house) incident.Case {
		c := h.assessed(incident.Secured)
		return h.must(h.desk.Close(h.as(ada), c.ID, c.Version, ""))
	}
	return map[string]changed{
		"triage": {incident.ActionTriage, reported, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "other", Owner: ada})
		}},
		"assign": {incident.ActionAssign, triaged, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Assign(h.as(ada), c.ID, c.Version, ben, "")
		}},
		"start": {incident.ActionStart, triaged, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Start(h.as(ada), c.ID, c.Version, "")
		}},
		"note": {incident.ActionNote, triaged, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Note(h.as(ada), c.ID, c.Version, "A note.")
		}},
		"link": {incident.ActionLink, triaged, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Link(h.as(ada), c.ID, c.Version, incident.LinkFinding, "f-1", nil, "")
		}},
		"discover": {incident.ActionDiscover, triaged, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Discovered(h.as(ada), c.ID, c.Version, c.Discovered-3, "Because.")
		}},
		"affected": {incident.ActionAffected, triaged, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.AddAffected(h.as(ada), c.ID, c.Version, []incident.Affected{{Patient: "pt-1"}}, "")
		}},
		"assess": {incident.ActionAssess, (*house).started, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Assess(h.as(ada), c.ID, c.Version, lowProbability(), "")
		}},
		"sign": {incident.ActionSign, waiting, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Sign(h.as(ben), c.ID, c.Version, true, "")
		}},
		"notice": {incident.ActionNotice, triaged, func(h *house, c incident.Case) (incident.Case, error) {
			told := &incident.Told{Recipient: "HHS", What: "Names", Patients: []audit.Patient{"pt-1"}}
			return h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.HHS, On: c.Discovered, How: "mail"}, told, "")
		}},
		"delay": {incident.ActionDelay, triaged, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.SetDelay(h.as(ada), c.ID, c.Version, incident.Delay{Said: c.Discovered, Until: c.Discovered + 9}, "Agent R. Example")
		}},
		"dismiss": {incident.ActionDismiss, harmless, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Dismiss(h.as(ben), c.ID, c.Version, "Nothing.")
		}},
		"close": {incident.ActionClose, func(h *house) incident.Case { return h.assessed(incident.Excepted) }, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Close(h.as(ada), c.ID, c.Version, "")
		}},
		"reopen": {incident.ActionReopen, closed, func(h *house, c incident.Case) (incident.Case, error) {
			return h.desk.Reopen(h.as(ada), c.ID, c.Version, "Again.")
		}},
	}
}

// Whatever fails or is cut off: what is acknowledged has happened, what has happened is in the log,
// and what is in the log and has not happened is followed by an event that says so. The timeline and
// the list of people prove the case all the same.
func TestEveryCallOfAChangeMayFail(t *testing.T) {
	t.Parallel()
	for name, c := range changes() {
		for _, mode := range []string{"fails", "is cut off", "is cancelled"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					if !c.faulty(t, at, mode) {
						require.Greater(t, at, 4, "reading, sealing, recording and writing at least")
						return
					}
				}
			})
		}
	}
}

func (c changed) faulty(t *testing.T, at int, mode string) bool {
	t.Helper()
	h := newHouse(t)
	was := c.from(h)
	before := len(h.recorded(c.action))
	h.wire.arm(at, mode)
	_, err := c.run(h, was)
	hit := h.wire.hit()
	h.wire.arm(0, "")
	is := h.read(was.ID)
	moments, terr := h.desk.Timeline(h.as(ada), was.ID)
	require.NoError(t, terr, "call %d", at)
	for _, err := range h.desk.Affected(h.as(ada), was.ID) {
		require.NoError(t, err, "call %d", at)
	}
	happened := is.Version > was.Version
	require.Equal(t, happened, slices.ContainsFunc(moments[was.Version:], func(m incident.Moment) bool { return m.Action == c.action }), "call %d: wholly or not at all", at)
	var said, unsaid bool
	for _, e := range h.recorded(c.action)[before:] {
		said = said || e.Outcome == audit.Success
		unsaid = unsaid || e.Outcome == audit.MajorFailure
		require.False(t, e.Outcome != audit.Success && e.Disclosure != nil, "what did not happen disclosed nothing")
	}
	switch {
	case err == nil:
		require.True(t, happened, "call %d: acknowledged", at)
		require.False(t, unsaid, "call %d", at)
	default:
		require.ErrorIs(t, err, incident.ErrUnavailable, "call %d", at)
		require.NotContains(t, err.Error(), was.ID)
		require.NotContains(t, err.Error(), "wrong address")
	}
	if happened {
		require.True(t, said, "call %d: nothing happens unrecorded", at)
		require.NoError(t, err, "call %d: the store was asked what became of it", at)
	}
	if said && !happened {
		require.True(t, unsaid, "call %d: what did not happen is not left standing", at)
	}
	if !happened { // it can be tried again
		h.must(c.run(h, was))
	}
	return hit
}

func TestEveryCallOfAReportMayFail(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(h *house) error{
		"report": func(h *house) error {
			_, err := h.desk.Report(h.asPatient(), incident.Report{Kind: "other", Text: words})
			return err
		},
		"finding": func(h *house) error {
			_, err := h.desk.Open(h.as(ada), incident.Finding{ID: "f-1", Kind: "other", Text: words})
			return err
		},
	} {
		for _, mode := range []string{"fails", "is cut off"} {
			for at := 1; ; at++ {
				h := newHouse(t)
				h.wire.arm(at, mode)
				err := run(h)
				hit := h.wire.hit()
				h.wire.arm(0, "")
				n := 0
				for c, lerr := range h.desk.List(h.as(ada), false, incident.Newest) {
					require.NoError(t, lerr)
					require.Equal(t, words, c.Text)
					n++
				}
				if n > 0 {
					require.NotEmpty(t, slices.Concat(h.recorded(incident.ActionReport), h.recorded(incident.ActionOpen)), "%s %s call %d", name, mode, at)
				}
				if err == nil {
					require.Equal(t, 1, n, "%s %s call %d", name, mode, at)
				} else {
					require.ErrorIs(t, err, incident.ErrUnavailable, "%s %s call %d", name, mode, at)
					require.Zero(t, n, "%s %s call %d: the store was asked what became of it", name, mode, at)
				}
				if !hit {
					require.NoError(t, err)
					break
				}
			}
		}
	}
}

// What fails while a case is read is an error, and never less than there is.
func TestEveryCallOfAReadMayFail(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(h *house, c incident.Case) error{
		"get":      func(h *house, c incident.Case) error { _, err := h.desk.Get(h.as(ada), c.ID); return err },
		"timeline": func(h *house, c incident.Case) error { _, err := h.desk.Timeline(h.as(ada), c.ID); return err },
		"packet":   func(h *house, c incident.Case) error { _, err := h.desk.Packet(h.as(ada), c.ID); return err },
		"due":      func(h *house, _ incident.Case) error { _, err := h.desk.Due(h.as(ada)); return err },
		"controls": func(h *house, _ incident.Case) error {
			_, err := h.desk.Controls(context.Background(), clinic)
			return err
		},
		"affected": func(h *house, c incident.Case) error {
			n := 0
			for _, err := range h.desk.Affected(h.as(ada), c.ID) {
				if err != nil {
					return err
				}
				n++
			}
			require.Equal(h.t, 1, n)
			return nil
		},
	} {
		h := newHouse(t)
		c := h.triaged()
		c = h.must(h.desk.AddAffected(h.as(ada), c.ID, c.Version, []incident.Affected{{Patient: "pt-1"}}, ""))
		for at := 1; ; at++ {
			h.wire.arm(at, "fails")
			err := run(h, c)
			hit := h.wire.hit()
			h.wire.arm(0, "")
			if !hit {
				require.NoError(t, err, name)
				break
			}
			require.ErrorIs(t, err, incident.ErrUnavailable, "%s call %d", name, at)
		}
	}
}
