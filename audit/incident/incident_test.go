package incident_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/audit/incident"
)

var _ evidence.Source = (*incident.Desk)(nil)

func TestPartsAreRequired(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := incident.New(incident.Parts{}, nil)
	for _, part := range []string{"Store", "Sealer", "Recorder", "Events", "Limits", "Holds", "Notices", "Law"} {
		require.ErrorContains(t, err, part)
	}
	_, err = incident.New(h.parts(), &incident.Options{MaxReports: -1})
	require.Error(t, err)
	_, err = incident.New(h.parts(), &incident.Options{Unowned: -1})
	require.Error(t, err)
}

// Everybody who is signed in can report, programs and strangers cannot.
func TestWhoReports(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for kind, want := range map[audit.Kind]bool{
		audit.KindStaff: true, audit.KindPatient: true, audit.KindProxy: true,
		audit.KindService: false, audit.KindAgent: false, audit.KindSystem: false, audit.KindAnonymous: false,
	} {
		ctx := audit.WithActor(t.Context(), audit.Actor{ID: audit.ActorID("by-" + kind), Kind: kind, Tenant: clinic})
		_, err := h.desk.Report(ctx, incident.Report{Kind: "other", Text: words})
		if want {
			require.NoError(t, err, kind)
		} else {
			require.ErrorIs(t, err, incident.ErrNoActor, kind)
		}
	}
	_, err := h.desk.Report(t.Context(), incident.Report{Kind: "other", Text: words})
	require.ErrorIs(t, err, incident.ErrNoActor)
	for name, r := range map[string]incident.Report{
		"no text": {Kind: "other", Text: " \n "}, "no kind": {Text: words}, "a kind that is none": {Kind: "my kind", Text: words},
		"too long": {Kind: "other", Text: strings.Repeat("a", incident.MaxText+1)}, "control": {Kind: "other", Text: "a\x00b"},
		"no UTF-8": {Kind: "other", Text: "a\xff"}, "about oneself": {Kind: "other", Text: words, About: pat},
		"about nothing": {Kind: "other", Text: words, About: "a\nb"},
	} {
		_, err := h.desk.Report(h.asPatient(), r)
		require.ErrorIs(t, err, incident.ErrInput, name)
		var in *incident.InputError
		require.ErrorAs(t, err, &in, name)
	}
}

// TestReport follows a report from a patient to a case of the tenant's, and nothing of it is in clear
// anywhere.
func TestReport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.report()
	require.Equal(t, incident.Reported, c.State)
	require.EqualValues(t, 1, c.Number)
	require.Equal(t, words, c.Text)
	require.Equal(t, pat, c.Source.By)
	require.Equal(t, "2026-03-02", c.Discovered.String())
	require.True(t, c.Held, "its records are kept")
	require.True(t, h.keeps(c.ID))
	row, err := h.store.Get(t.Context(), clinic, c.ID)
	require.NoError(t, err)
	require.NotContains(t, string(row.Body), "results")
	for l, err := range h.store.Lines(t.Context(), clinic, c.ID, 0) {
		require.NoError(t, err)
		require.NotContains(t, string(l.Body), "results")
	}
	e := h.recorded(incident.ActionReport)
	require.Len(t, e, 1)
	require.NotContains(t, string(e[0].Body), "results")
	opened, err := h.log.Open(t.Context(), clinic, e[0].ID)
	require.NoError(t, err)
	why, ok := opened.Why.Reveal()
	require.True(t, ok)
	require.Equal(t, words, why)
}

func TestReportsAreLimited(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 10 {
		_, err := h.desk.Report(h.asPatient(), incident.Report{Kind: "other", Text: words})
		require.NoError(t, err)
	}
	_, err := h.desk.Report(h.asPatient(), incident.Report{Kind: "other", Text: words})
	require.ErrorIs(t, err, incident.ErrLimited)
	var limited *incident.LimitedError
	require.ErrorAs(t, err, &limited)
	require.Equal(t, time.Hour, limited.RetryAfter)
	_, err = h.desk.Report(h.as(tess), incident.Report{Kind: "other", Text: words})
	require.NoError(t, err, "somebody else is not kept from reporting")
	h.pass(time.Hour)
	_, err = h.desk.Report(h.asPatient(), incident.Report{Kind: "other", Text: words})
	require.NoError(t, err)
}

// A finding is one case, whoever makes it and however often.
func TestFinding(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.NoError(t, h.log.Record(h.as(tess), audit.Event{Action: "patient.read", Verb: audit.Read}))
	shown := h.recorded("patient.read")[0]
	f := incident.Finding{ID: "f-1", Kind: "own_record", Text: "Somebody read their own record.", About: []audit.ActorID{tess, tess}, Discovered: day(t, "2026-02-27"), Events: []string{shown.ID}}
	c := h.must(h.desk.Open(h.as(ada), f))
	require.Equal(t, []audit.ActorID{tess}, c.About)
	require.Equal(t, "2026-02-27", c.Discovered.String())
	require.Len(t, c.Links, 2)
	require.Equal(t, hex.EncodeToString(shown.Leaf[:]), c.Links[1].Digest)

	again := h.must(h.desk.Open(audit.WithActor(t.Context(), audit.System(clinic, "review")), f))
	require.Equal(t, c.ID, again.ID)
	require.Equal(t, c.Version, again.Version)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := h.desk.Open(h.as(ben), incident.Finding{ID: "f-2", Kind: "volume", Text: "Many."})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	for range h.desk.List(h.as(ada), true, incident.Newest) {
		n++
	}
	require.Equal(t, 2, n)

	_, err := h.desk.Open(h.as(tess), incident.Finding{ID: "f-3", Kind: "volume", Text: "Many.", About: []audit.ActorID{tess}})
	require.ErrorIs(t, err, incident.ErrSubject)
	_, err = h.desk.Open(h.as(tess), f)
	require.Error(t, err, "it is about her")
	_, err = h.desk.Open(h.asPatient(), f)
	require.ErrorIs(t, err, incident.ErrNoActor)
	for name, bad := range map[string]incident.Finding{
		"no ID": {Kind: "a", Text: "b"}, "no kind": {ID: "f", Text: "b"}, "no text": {ID: "f", Kind: "a"},
		"tomorrow": {ID: "f", Kind: "a", Text: "b", Discovered: day(t, "2026-03-03")}, "long ago": {ID: "f", Kind: "a", Text: "b", Discovered: -3},
	} {
		_, err := h.desk.Open(h.as(ada), bad)
		require.ErrorIs(t, err, incident.ErrInput, name)
	}
	_, err = h.desk.Open(h.as(ada), incident.Finding{ID: "f-4", Kind: "a", Text: "b", Events: []string{audit.NewID(h.Now())}})
	require.ErrorIs(t, err, incident.ErrNotFound, "evidence that there is not")
}

// TestStory is a breach from the report to the end.
func TestStory(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.started()
	c = h.must(h.desk.Note(h.as(ada), c.ID, c.Version, "I called the recipient."))
	c = h.must(h.desk.Discovered(h.as(ada), c.ID, c.Version, day(t, "2026-02-20"), "The front desk knew."))
	c = h.must(h.desk.AddAffected(h.as(ada), c.ID, c.Version, []incident.Affected{{Patient: "pt-1", Region: "NY"}, {Patient: "pt-2"}}, ""))
	c = h.must(h.desk.Assess(h.as(ada), c.ID, c.Version, incident.Assessment{Conclusion: incident.Breach}, "Not worth arguing."))
	require.True(t, c.Presumed())
	c = h.must(h.desk.Sign(h.as(ben), c.ID, c.Version, true, ""))
	require.Equal(t, incident.Assessed, c.State)
	_, err := h.desk.Close(h.as(ada), c.ID, c.Version, "")
	require.ErrorIs(t, err, incident.ErrOwed)
	c = h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.Individuals, On: day(t, "2026-03-02"), How: "mail", Count: 1}, nil, "The second letter follows."))
	require.Equal(t, incident.Notifying, c.State)
	item, err := h.desk.Item(h.as(ada), c.ID)
	require.NoError(t, err)
	next, ok := item.Next()
	require.True(t, ok)
	require.Equal(t, incident.Individuals, next.Name, "one of two is not all")
	require.Equal(t, "2026-04-21", next.Last.String())
	c = h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.Individuals, On: day(t, "2026-03-02"), How: "mail", Count: 1, All: true}, nil, ""))
	_, err = h.desk.Close(h.as(ada), c.ID, c.Version, "")
	require.ErrorIs(t, err, incident.ErrOwed, "HHS still has to know, next year")
	told := &incident.Told{Recipient: "HHS", What: "Names and dates of birth", Authority: "164.408", Patients: []audit.Patient{"pt-1", "pt-2"}}
	c = h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.HHS, On: day(t, "2026-03-02"), How: "website", Count: 1, All: true}, told, ""))
	c = h.must(h.desk.Close(h.as(ada), c.ID, c.Version, "All told."))
	require.Equal(t, incident.Closed, c.State)
	require.False(t, h.keeps(c.ID), "the hold ends with the case")
	require.False(t, h.read(c.ID).Held)

	list, err := h.log.Disclosures(t.Context(), audit.Subject{Tenant: clinic, Patient: "pt-1"}, nil)
	require.NoError(t, err)
	require.Len(t, list.Disclosures, 1, "the patient's accounting of disclosures has it (164.528)")

	c = h.must(h.desk.Reopen(h.as(ben), c.ID, c.Version, "Another letter came back."))
	require.Equal(t, incident.Investigating, c.State)
	require.True(t, c.Presumed())
	require.True(t, h.keeps(c.ID))

	moments, err := h.desk.Timeline(h.as(ada), c.ID)
	require.NoError(t, err)
	var actions []string
	for _, m := range moments {
		actions = append(actions, strings.TrimPrefix(string(m.Action), "incident."))
	}
	require.Equal(t, "report hold triage start note discover affected assess sign notice notice notice close hold reopen hold", strings.Join(actions, " "))
}

// What has to be another person is another person.
func TestASecondPerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.started()
	_, err := h.desk.Sign(h.as(ben), c.ID, c.Version, true, "")
	require.ErrorIs(t, err, incident.ErrState, "nothing to sign")
	c = h.must(h.desk.Assess(h.as(ada), c.ID, c.Version, lowProbability(), ""))
	_, err = h.desk.Sign(h.as(ada), c.ID, c.Version, true, "")
	require.ErrorIs(t, err, incident.ErrSecond)
	puppet := audit.WithActor(t.Context(), audit.Actor{ID: "p-proxy", OnBehalfOf: ada, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2})
	_, err = h.desk.Sign(puppet, c.ID, c.Version, true, "")
	require.ErrorIs(t, err, incident.ErrSecond, "nobody signs for somebody")
	c = h.read(c.ID)
	require.True(t, c.Presumed())
	c = h.must(h.desk.Sign(h.as(ben), c.ID, c.Version, false, "Who opened it?"))
	require.Equal(t, incident.Investigating, c.State)
	_, err = h.desk.Sign(h.as(ben), c.ID, c.Version, true, "")
	require.ErrorIs(t, err, incident.ErrState, "what was declined is not signed later")
	require.True(t, c.Presumed())
	forged := lowProbability()
	forged.By, forged.Signed, forged.At = "p-x", "p-y", time.Unix(1, 0)
	c = h.must(h.desk.Assess(h.as(ben), c.ID, c.Version, forged, ""))
	require.Equal(t, ben, c.Latest().By)
	require.Empty(t, c.Latest().Signed, "nobody brings a signature along")
	require.Equal(t, h.Now(), c.Latest().At)
	c = h.must(h.desk.Sign(h.as(ada), c.ID, c.Version, true, ""))
	require.False(t, c.Presumed())
	require.Len(t, c.Assessments, 2, "the first one stays")
	c = h.must(h.desk.Close(h.as(ada), c.ID, c.Version, ""))
	require.Equal(t, incident.Closed, c.State)

	c = h.triaged()
	_, err = h.desk.Dismiss(h.as(ben), c.ID, c.Version, "Nothing.")
	require.ErrorIs(t, err, incident.ErrState, "patients' information was involved: assess it")
	c = h.must(h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "question", PHI: incident.No, Owner: ada}))
	require.True(t, c.Presumed(), "one person's word")
	_, err = h.desk.Dismiss(h.as(ada), c.ID, c.Version, "Nothing.")
	require.ErrorIs(t, err, incident.ErrSecond)
	_, err = h.desk.Dismiss(h.as(ben), c.ID, c.Version, " ")
	require.ErrorIs(t, err, incident.ErrInput, "not without the reason")
	c = h.must(h.desk.Dismiss(h.as(ben), c.ID, c.Version, "A question about parking."))
	require.False(t, c.Presumed())
	require.False(t, h.keeps(c.ID))
}

// To its subjects there is no such case.
func TestSubjects(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.report()
	bad := incident.Triage{Kind: "snooping", Owner: tess, About: []audit.ActorID{tess}}
	_, err := h.desk.Triage(h.as(ada), c.ID, c.Version, bad)
	require.ErrorIs(t, err, incident.ErrSubject)
	bad.Owner, bad.About = ben, []audit.ActorID{ada}
	_, err = h.desk.Triage(h.as(ada), c.ID, c.Version, bad)
	require.ErrorIs(t, err, incident.ErrSubject, "nobody triages what is about them")
	c = h.must(h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "snooping", Owner: ada, About: []audit.ActorID{tess, pat}}))
	_, err = h.desk.Assign(h.as(ada), c.ID, c.Version, tess, "")
	require.ErrorIs(t, err, incident.ErrSubject)
	for name, call := range everyCall(h.desk, c.ID, c.Version) {
		require.ErrorIs(t, call(h.as(tess)), incident.ErrNotFound, name)
	}
	puppet := audit.WithActor(t.Context(), audit.Actor{ID: "p-helper", OnBehalfOf: tess, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2})
	_, err = h.desk.Get(puppet, c.ID)
	require.ErrorIs(t, err, incident.ErrNotFound, "nor to who acts for one")
	for range h.desk.List(h.as(tess), false, incident.Newest) {
		t.Error("it is in the list")
	}
	due, err := h.desk.Due(h.as(tess))
	require.NoError(t, err)
	require.Empty(t, due)
	require.Equal(t, c.Version, h.read(c.ID).Version)

	r, err := h.desk.Report(h.asPatient(), incident.Report{Kind: "snooping", Text: words, About: ben})
	require.NoError(t, err)
	for c, err := range h.desk.List(h.as(ben), true, incident.Newest) {
		require.NoError(t, err)
		require.NotEqual(t, r.Number, c.Number, "whom a reporter names does not see the report")
	}

	// An author who turns out to be a subject is no author.
	c = h.started()
	c = h.must(h.desk.Assess(h.as(tess), c.ID, c.Version, lowProbability(), ""))
	c = h.must(h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "snooping", Owner: ada, About: []audit.ActorID{tess}}))
	_, err = h.desk.Sign(h.as(ben), c.ID, c.Version, true, "")
	require.ErrorIs(t, err, incident.ErrSubject)
}

// everyCall is every read and change of one case.
func everyCall(d *incident.Desk, id string, version int64) map[string]func(context.Context) error {
	only := func(_ incident.Case, err error) error { return err }
	return map[string]func(context.Context) error{
		"get":      func(ctx context.Context) error { return only(d.Get(ctx, id)) },
		"item":     func(ctx context.Context) error { _, err := d.Item(ctx, id); return err },
		"timeline": func(ctx context.Context) error { _, err := d.Timeline(ctx, id); return err },
		"packet":   func(ctx context.Context) error { _, err := d.Packet(ctx, id); return err },
		"people": func(ctx context.Context) error {
			for _, err := range d.Affected(ctx, id) {
				return err
			}
			return nil
		},
		"triage": func(ctx context.Context) error {
			return only(d.Triage(ctx, id, version, incident.Triage{Kind: "a", Owner: ada}))
		},
		"assign": func(ctx context.Context) error { return only(d.Assign(ctx, id, version, ada, "")) },
		"start":  func(ctx context.Context) error { return only(d.Start(ctx, id, version, "")) },
		"note":   func(ctx context.Context) error { return only(d.Note(ctx, id, version, "a")) },
		"link": func(ctx context.Context) error {
			return only(d.Link(ctx, id, version, incident.LinkFinding, "f", nil, ""))
		},
		"discover": func(ctx context.Context) error { return only(d.Discovered(ctx, id, version, 20000, "a")) },
		"affected": func(ctx context.Context) error {
			return only(d.AddAffected(ctx, id, version, []incident.Affected{{Patient: "p"}}, ""))
		},
		"drop": func(ctx context.Context) error {
			return only(d.DropAffected(ctx, id, version, []audit.Patient{"p"}, ""))
		},
		"estimate": func(ctx context.Context) error { return only(d.Estimate(ctx, id, version, nil, "")) },
		"assess":   func(ctx context.Context) error { return only(d.Assess(ctx, id, version, lowProbability(), "")) },
		"sign":     func(ctx context.Context) error { return only(d.Sign(ctx, id, version, true, "")) },
		"notify": func(ctx context.Context) error {
			return only(d.Notify(ctx, id, version, incident.Notice{For: incident.HHS, On: 20514, How: "a"}, nil, ""))
		},
		"delay": func(ctx context.Context) error {
			return only(d.SetDelay(ctx, id, version, incident.Delay{Said: 20514, Until: 20520}, "a"))
		},
		"dismiss": func(ctx context.Context) error { return only(d.Dismiss(ctx, id, version, "a")) },
		"close":   func(ctx context.Context) error { return only(d.Close(ctx, id, version, "")) },
		"reopen":  func(ctx context.Context) error { return only(d.Reopen(ctx, id, version, "a")) },
	}
}

// Patients, programs and strangers reach no case; staff of another tenant find none; without a second
// factor nobody changes one.
func TestWhoWorks(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.triaged()
	reads := map[string]bool{"get": true, "item": true, "timeline": true, "people": true}
	for name, call := range everyCall(h.desk, c.ID, c.Version) {
		require.ErrorIs(t, call(t.Context()), incident.ErrNoActor, name)
		require.ErrorIs(t, call(h.asPatient()), incident.ErrNoActor, name)
		for _, kind := range []audit.Kind{audit.KindService, audit.KindAgent, audit.KindSystem, audit.KindProxy} {
			ctx := audit.WithActor(t.Context(), audit.Actor{ID: ada, Kind: kind, Tenant: clinic, Assurance: audit.AAL3})
			require.ErrorIs(t, call(ctx), incident.ErrNoActor, "%s %s", name, kind)
		}
		other := audit.WithActor(t.Context(), audit.Actor{ID: ada, Kind: audit.KindStaff, Tenant: "other-clinic", Assurance: audit.AAL2})
		require.ErrorIs(t, call(other), incident.ErrNotFound, name)
		weak := audit.WithActor(t.Context(), audit.Actor{ID: ada, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL1})
		if !reads[name] {
			require.ErrorIs(t, call(weak), incident.ErrAssurance, name)
		}
	}
	require.Equal(t, c.Version, h.read(c.ID).Version)
	_, err := h.desk.Open(audit.WithActor(t.Context(), audit.Actor{ID: ada, Kind: audit.KindStaff, Tenant: clinic}), incident.Finding{ID: "f", Kind: "a", Text: "b"})
	require.ErrorIs(t, err, incident.ErrAssurance)
}

// Two at once: one.
func TestOneOfMany(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.triaged()
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for i := range 16 {
		desk := h.another()
		wg.Go(func() {
			_, err := desk.Assign(h.as(ada), c.ID, c.Version, audit.ActorID(fmt.Sprint("p-", i)), "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, incident.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, won)
	require.Equal(t, c.Version+1, h.read(c.ID).Version)
	var undone int
	for _, e := range h.recorded(incident.ActionAssign) {
		if e.Code == incident.CodeNotApplied {
			undone++
		}
	}
	require.Equal(t, len(h.recorded(incident.ActionAssign))-1, 2*undone, "each that was recorded and did not happen says so")
}

// The conclusion follows from the answers (164.402(2)).
func TestConclusions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.started()
	for name, change := range map[string]func(*incident.Assessment){
		"no nature":    func(a *incident.Assessment) { a.Nature = incident.Answer{} },
		"no recipient": func(a *incident.Assessment) { a.Recipient.Rating = "" },
		"no acquired":  func(a *incident.Assessment) { a.Acquired.Why = "  " },
		"no mitigated": func(a *incident.Assessment) { a.Mitigated.Why = "" },
		"nothing is low": func(a *incident.Assessment) {
			a.Recipient.Rating, a.Acquired.Rating, a.Mitigated.Rating = "medium", "medium", "medium"
		},
		"more high than low": func(a *incident.Assessment) { a.Recipient.Rating, a.Acquired.Rating = "high", "medium" },
		"excepted without":   func(a *incident.Assessment) { a.Conclusion, a.Exception = incident.Excepted, incident.NoException },
		"excepted, no words": func(a *incident.Assessment) { a.Conclusion, a.ExceptionWhy = incident.Excepted, "" },
		"secured, no words":  func(a *incident.Assessment) { a.Conclusion, a.SecuredWhy = incident.Secured, "" },
		"none":               func(a *incident.Assessment) { a.Conclusion = "" },
		"another":            func(a *incident.Assessment) { a.Conclusion = "no_breach" },
	} {
		a := lowProbability()
		change(&a)
		_, err := h.desk.Assess(h.as(ada), c.ID, c.Version, a, "")
		require.ErrorIs(t, err, incident.ErrAssessment, name)
	}
	for name, change := range map[string]func(*incident.Assessment){
		"a rating that is none": func(a *incident.Assessment) { a.Nature.Rating = "fine" },
		"an exception":          func(a *incident.Assessment) { a.Exception = "fourth" },
		"too long":              func(a *incident.Assessment) { a.Nature.Why = strings.Repeat("a", incident.MaxText+1) },
	} {
		a := lowProbability()
		change(&a)
		_, err := h.desk.Assess(h.as(ada), c.ID, c.Version, a, "")
		require.ErrorIs(t, err, incident.ErrInput, name)
	}
	for _, conclusion := range []incident.Conclusion{incident.LowProbability, incident.Excepted, incident.Secured} {
		c := h.assessed(conclusion)
		require.False(t, c.Presumed(), conclusion)
		require.Equal(t, incident.Closed, h.must(h.desk.Close(h.as(ada), c.ID, c.Version, "")).State, conclusion)
	}
	c = h.assessed(incident.Breach)
	require.True(t, c.Presumed())
	c = h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.Individuals, On: c.Discovered, How: "mail", All: true}, nil, ""))
	c = h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.HHS, On: c.Discovered, How: "mail", All: true}, nil, ""))
	c = h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.Media, On: c.Discovered, How: "mail", All: true}, nil, ""))
	_, err := h.desk.Close(h.as(ada), c.ID, c.Version, "")
	require.ErrorIs(t, err, incident.ErrOwed, "nobody knows how many")
	c = h.must(h.desk.Estimate(h.as(ada), c.ID, c.Version, []incident.Count{{Region: "NY", N: 4}}, ""))
	h.must(h.desk.Close(h.as(ada), c.ID, c.Version, ""))
}

func TestDiscoveryMovesEarlierOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.triaged()
	for _, bad := range []string{"2026-03-02", "2026-03-03"} {
		_, err := h.desk.Discovered(h.as(ada), c.ID, c.Version, day(t, bad), "Because.")
		require.ErrorIs(t, err, incident.ErrInput, bad)
	}
	_, err := h.desk.Discovered(h.as(ada), c.ID, c.Version, day(t, "2026-03-01"), "")
	require.ErrorIs(t, err, incident.ErrInput, "not without the reason")
	c = h.must(h.desk.Discovered(h.as(ada), c.ID, c.Version, day(t, "2026-03-01"), "Because."))
	_, err = h.desk.Discovered(h.as(ada), c.ID, c.Version, day(t, "2026-03-02"), "And back.")
	require.ErrorIs(t, err, incident.ErrInput)
	e := h.recorded(incident.ActionDiscover)
	require.Equal(t, "2026-03-02", e[len(e)-1].Detail["before"])
}

func TestNotices(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.law.Extra = []incident.Rule{{Name: "insurer", Days: 10}}
	c := h.triaged()
	good := incident.Notice{For: "insurer", On: c.Discovered, How: "mail", Count: 3, All: true}
	for name, change := range map[string]func(*incident.Notice){
		"for nothing": func(n *incident.Notice) { n.For = "friends" }, "tomorrow": func(n *incident.Notice) { n.On++ },
		"before discovery": func(n *incident.Notice) { n.On-- }, "no way": func(n *incident.Notice) { n.How = "" }, "fewer": func(n *incident.Notice) { n.Count = -1 },
	} {
		n := good
		change(&n)
		_, err := h.desk.Notify(h.as(ada), c.ID, c.Version, n, nil, "")
		require.ErrorIs(t, err, incident.ErrInput, name)
	}
	for _, told := range []incident.Told{{What: "a", Patients: []audit.Patient{"p"}}, {Recipient: "a", Patients: []audit.Patient{"p"}}, {Recipient: "a", What: "b"}} {
		_, err := h.desk.Notify(h.as(ada), c.ID, c.Version, good, &told, "")
		require.ErrorIs(t, err, incident.ErrInput)
	}
	c = h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, good, nil, ""))
	require.Equal(t, incident.Triaged, c.State, "urgent news does not wait (164.404(d)(3)), and is no conclusion")
	item, err := h.desk.Item(h.as(ada), c.ID)
	require.NoError(t, err)
	require.Equal(t, c.Discovered, named(item.Deadlines)["insurer"].Done)

	for name, d := range map[string]incident.Delay{
		"tomorrow": {Said: c.Discovered + 1, Until: c.Discovered + 2}, "never": {Until: c.Discovered}, "backwards": {Said: c.Discovered, Until: c.Discovered - 1},
		"oral for 31 days": {Said: c.Discovered, Until: c.Discovered + 31}, "for ever": {Said: c.Discovered, Until: c.Discovered + 2000, Written: true},
	} {
		_, err := h.desk.SetDelay(h.as(ada), c.ID, c.Version, d, "An official.")
		require.ErrorIs(t, err, incident.ErrInput, name)
	}
	_, err = h.desk.SetDelay(h.as(ada), c.ID, c.Version, incident.Delay{Said: c.Discovered, Until: c.Discovered + 30}, "")
	require.ErrorIs(t, err, incident.ErrInput, "who it was is documented (164.412(b))")
	c = h.must(h.desk.SetDelay(h.as(ada), c.ID, c.Version, incident.Delay{Said: c.Discovered, Until: c.Discovered + 30}, "Agent R. Example"))
	c = h.must(h.desk.SetDelay(h.as(ada), c.ID, c.Version, incident.Delay{Said: c.Discovered, Until: c.Discovered + 90, Written: true}, "Agent R. Example, letter"))
	item, err = h.desk.Item(h.as(ada), c.ID)
	require.NoError(t, err)
	require.Equal(t, c.Discovered+90, named(item.Deadlines)[incident.Individuals].Last)
	h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.Individuals, On: c.Discovered, How: "mail"}, nil, ""))
	e := h.recorded(incident.ActionNotice)
	require.Equal(t, "true", e[len(e)-1].Detail["during_delay"])
}

// The list of people is nobody's to read in a database, is counted by region and can be corrected.
func TestAffected(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.triaged()
	c = h.must(h.desk.AddAffected(h.as(ada), c.ID, c.Version, []incident.Affected{{Patient: "pt-secret-1", Region: "NY"}, {Patient: "pt-secret-2", Region: "NY"}, {Patient: "pt-secret-1", Region: "CA"}}, ""))
	require.Equal(t, []incident.Count{{Region: "CA", N: 1}, {Region: "NY", N: 1}}, c.Listed)
	c = h.must(h.desk.AddAffected(h.as(ada), c.ID, c.Version, []incident.Affected{{Patient: "pt-secret-1", Region: "NY"}, {Patient: "pt-secret-3"}}, ""))
	require.Equal(t, []incident.Count{{N: 1}, {Region: "NY", N: 2}}, c.Listed)
	c = h.must(h.desk.DropAffected(h.as(ada), c.ID, c.Version, []audit.Patient{"pt-secret-2", "pt-nobody"}, ""))
	got := map[audit.Patient]string{}
	for a, err := range h.desk.Affected(h.as(ada), c.ID) {
		require.NoError(t, err)
		got[a.Patient] = a.Region
	}
	require.Equal(t, map[audit.Patient]string{"pt-secret-1": "NY", "pt-secret-3": ""}, got)
	for p, err := range h.store.People(t.Context(), clinic, c.ID) {
		require.NoError(t, err)
		require.Len(t, p.Key, 32)
		require.NotContains(t, string(p.Body)+string(p.Key), "secret")
	}
	for _, e := range h.recorded(incident.ActionAffected) {
		require.NotContains(t, string(e.Body), "secret")
	}
	other := h.triaged()
	other = h.must(h.desk.AddAffected(h.as(ada), other.ID, other.Version, []incident.Affected{{Patient: "pt-secret-1"}}, ""))
	keys := map[string]bool{}
	for _, id := range []string{c.ID, other.ID} {
		for p, err := range h.store.People(t.Context(), clinic, id) {
			require.NoError(t, err)
			require.False(t, keys[string(p.Key)], "one patient in two cases cannot be told from two patients")
			keys[string(p.Key)] = true
		}
	}
	for name, list := range map[string][]incident.Affected{"nobody": nil, "empty": {{}}, "no ID": {{Patient: "a\nb"}}, "no code": {{Patient: "a", Region: "New York"}}, "too many": make([]incident.Affected, incident.MaxBatch+1)} {
		_, err := h.desk.AddAffected(h.as(ada), c.ID, c.Version, list, "")
		require.ErrorIs(t, err, incident.ErrInput, name)
	}
	for name, list := range map[string][]incident.Count{"twice": {{N: 1}, {N: 2}}, "none": {{Region: "NY"}}, "less": {{N: -4}}, "no code": {{Region: "New York", N: 3}}} {
		_, err := h.desk.Estimate(h.as(ada), c.ID, c.Version, list, "")
		require.ErrorIs(t, err, incident.ErrInput, name)
	}
}

// A packet is all of it, checked anew, and says what does not fit.
func TestPacket(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.NoError(t, h.log.Record(h.as(tess), audit.Event{Action: "patient.read", Verb: audit.Read}))
	shown := h.recorded("patient.read")[0]
	c := h.assessed(incident.LowProbability)
	c = h.must(h.desk.Link(h.as(ada), c.ID, c.Version, incident.LinkEvent, shown.ID, nil, ""))
	c = h.must(h.desk.Link(h.as(ada), c.ID, c.Version, incident.LinkFile, "letter.pdf", make([]byte, 32), ""))
	_, err := h.desk.Link(h.as(ada), c.ID, c.Version, incident.LinkFile, "letter.pdf", make([]byte, 32), "")
	require.ErrorIs(t, err, incident.ErrInput, "twice")
	for _, bad := range []incident.LinkKind{incident.LinkFile, incident.LinkExport, "rumour"} {
		_, err := h.desk.Link(h.as(ada), c.ID, c.Version, bad, "x", nil, "")
		require.ErrorIs(t, err, incident.ErrInput)
	}
	_, err = h.desk.Link(h.as(ada), c.ID, c.Version, incident.LinkEvent, audit.NewID(h.Now()), nil, "")
	require.ErrorIs(t, err, incident.ErrNotFound)
	c = h.must(h.desk.Close(h.as(ada), c.ID, c.Version, ""))
	var p struct {
		Case      map[string]any          `json:"case"`
		Digest    string                  `json:"digest"`
		Timeline  []incident.Moment       `json:"timeline"`
		Evidence  []map[string]any        `json:"evidence"`
		Missing   []incident.MissingEvent `json:"missing"`
		KeepUntil time.Time               `json:"keep_until"`
	}
	text, err := h.desk.Packet(h.as(ben), c.ID)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &p))
	require.Empty(t, p.Missing)
	require.Len(t, p.Timeline, 10)
	require.Equal(t, "whole", p.Evidence[0]["check"])
	require.Equal(t, hex.EncodeToString(shown.Leaf[:]), p.Evidence[0]["digest"])
	require.Equal(t, "elsewhere", p.Evidence[1]["check"])
	require.Equal(t, c.Closed.AddDate(6, 0, 0), p.KeepUntil, "45 CFR 164.530(j)(2)")
	hold := h.recorded(incident.ActionHold)
	require.Equal(t, hold[len(hold)-1].Detail["digest"], p.Digest, "the log says which state is the latest")
	require.Len(t, h.recorded(incident.ActionPacket), 1)
}

func TestControls(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	state := func() (out []evidence.State) {
		list, err := h.desk.Controls(t.Context(), clinic)
		require.NoError(t, err)
		for _, c := range list {
			require.NotEmpty(t, c.What+c.Verified)
			out = append(out, c.State)
		}
		return out
	}
	require.Equal(t, []evidence.State{evidence.InForce, evidence.InForce}, state())
	c := h.report()
	require.Equal(t, []evidence.State{evidence.InForce, evidence.InForce}, state())
	h.pass(24 * time.Hour)
	require.Equal(t, []evidence.State{evidence.Partly, evidence.InForce}, state(), "nobody owns it")
	h.must(h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "other", Owner: ada}))
	h.pass(60 * 24 * time.Hour)
	require.Equal(t, []evidence.State{evidence.InForce, evidence.Failing}, state(), "overdue")
	h.holds = errBroken
	h.report()
	require.Equal(t, evidence.Failing, state()[0], "without its hold")
	h.wire.arm(1, "fails")
	_, err := h.desk.Controls(t.Context(), clinic)
	require.ErrorIs(t, err, incident.ErrUnavailable)
}
