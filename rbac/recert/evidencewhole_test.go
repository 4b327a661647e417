package recert_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/recert"
)

// impossible are contents that no review comes to, each signed with digests that fit.
func impossible() map[string]func(items []recert.Item) {
	long := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	return map[string]func(items []recert.Item){
		"still open":                 func(items []recert.Item) { items[0].State, items[0].Outcome = recert.ItemOpen, "" },
		"no outcome":                 func(items []recert.Item) { items[0].Outcome = "" },
		"revoked and nothing ended":  func(items []recert.Item) { items[1].Effects = nil },
		"revoked and not confirmed":  func(items []recert.Item) { items[1].Effects[0].Checked = time.Time{} },
		"revoked and not made":       func(items []recert.Item) { items[1].Effects[0].Made = time.Time{} },
		"revoked and not denied":     func(items []recert.Item) { items[1].Effects[0].Denied = false },
		"revoked by a suspension":    func(items []recert.Item) { items[1].Effects[0].Do = recert.ChangeSuspend },
		"a certificate that revoked": func(items []recert.Item) { items[0].Outcome = recert.Revoked },
		"revoked, and it stays":      func(items []recert.Item) { items[1].Outcome = recert.Certified },
		"ended, and it stays":        func(items []recert.Item) { items[1].Outcome, items[1].Decision.Do = recert.Certified, recert.Certify },
		"ended, and gone":            func(items []recert.Item) { items[1].Outcome = recert.Gone },
		"nobody certified":           func(items []recert.Item) { items[0].Decision = recert.Decision{} },
		"certified by the date":      func(items []recert.Item) { items[0].Decision.By = "system:recert" },
		"limited without an end": func(items []recert.Item) {
			items[0].Outcome, items[0].Decision.Do = recert.Limited, recert.CertifyUntil
		},
		"limited without an effect": func(items []recert.Item) {
			items[0].Outcome, items[0].Decision = recert.Limited, recert.Decision{Do: recert.CertifyUntil, By: "bob", Until: long}
		},
		"reduced to nothing less": func(items []recert.Item) {
			items[1].Outcome, items[1].Decision.Do, items[1].Effects[0].Do = recert.Reduced, recert.Reduce, recert.ChangeReduce
		},
		"decided by somebody else": func(items []recert.Item) { items[0].Decision.By = "eve" },
		"decided by the subject":   func(items []recert.Item) { items[0].Decision.By, items[0].Reviewer = "s-0", "s-0" },
		"two who review each other": func(items []recert.Item) {
			items[0].Access.Subject = "ann"
			items[1].Access.Subject = "bob"
			items[1].Reviewer, items[1].Decision.By = "ann", "ann"
		},
		"an outcome that there isn't": func(items []recert.Item) { items[0].Outcome = "blessed" },
	}
}

// TestSignedContentsFit: rows whose digests fit are not signed, not handed out and not believed where
// they contradict each other.
func TestSignedContentsFit(t *testing.T) {
	t.Parallel()
	_, _ = filed(t, nil)
	for name, change := range impossible() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, items := filed(t, func(_ *recert.Campaign, items []recert.Item) { change(items) })
			a := archived(t, c, items)
			_, err := a.Evidence(a.ctx, c.ID)
			require.ErrorIs(t, err, recert.ErrDamaged)
			_, err = recert.VerifyBundle(strings.NewReader(forgedSignature(t, name, change)))
			require.ErrorIs(t, err, recert.ErrBundle)
			require.ErrorContains(t, err, "not a review that could be signed")

			c, items = filed(t, func(c *recert.Campaign, items []recert.Item) {
				c.State = recert.Open
				change(items)
			})
			a = archived(t, c, items)
			ann := audit.Actor{ID: "ann", Kind: audit.KindStaff, Tenant: c.Tenant, Assurance: audit.AAL2, AuthTime: time.Now()}
			_, err = a.SignOff(audit.WithActor(t.Context(), ann), c.ID, "")
			if name == "still open" {
				require.ErrorIs(t, err, recert.ErrOpen)
				return
			}
			require.ErrorIs(t, err, recert.ErrDamaged)
		})
	}
}

// forgedSignature is the bundle of an open campaign with impossible contents, to which somebody who knows the
// format adds a sign-off with the digest that fits.
func forgedSignature(t *testing.T, name string, change func(items []recert.Item)) string {
	t.Helper()
	c, items := filed(t, func(c *recert.Campaign, items []recert.Item) {
		c.State = recert.Open
		change(items)
	})
	b := archived(t, c, items).evidence(t, c.ID)
	v, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
	require.NoError(t, err, name)
	signed := v.Campaign
	signed.SignOff = recert.SignOff{By: "ann", At: c.Due, Event: "e-9"}
	digest, err := recert.ContentDigest(signed, seq(v.Items))
	require.NoError(t, err)
	records := recordsOf(b.JSON)
	end := records[len(records)-1]
	was, is := `"records":`+strconv.Itoa(len(records)-1), `"records":`+strconv.Itoa(len(records))
	require.Contains(t, end, was)
	return chained(append(records[:len(records)-1:len(records)-1],
		`{"kind":"sign_off","sign_off":{"by":"ann","at":"`+c.Due.Format(time.RFC3339Nano)+`","event":"e-9","digest":"`+digest+`"}}`,
		strings.Replace(end, was, is, 1))...)
}

// TestSignedContentsThatFit: what a review does come to is signed.
func TestSignedContentsThatFit(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 3, n, 9, 0, 0, 0, time.UTC) }
	done := func(do recert.Change, id string) recert.Effect {
		e := recert.Effect{ID: id, Do: do, Ordered: day(2), Made: day(2), Checked: day(3), Denied: true}
		if do != recert.ChangeRevoke && do != recert.ChangeSuspend {
			e.Grant = id
		}
		return e
	}
	for name, change := range map[string]func(items []recert.Item){
		"given back and certified": func(items []recert.Item) {
			items[0].Effects = []recert.Effect{done(recert.ChangeSuspend, "x-7"), done(recert.ChangeResume, "x-8")}
		},
		"limited": func(items []recert.Item) {
			items[0].Outcome, items[0].Decision.Do, items[0].Decision.Until = recert.Limited, recert.CertifyUntil, day(30)
			items[0].Effects = []recert.Effect{done(recert.ChangeLimit, "x-7")}
		},
		"reduced": func(items []recert.Item) {
			items[0].Access.Reach.Practices = []string{"south", "north"}
			items[0].Outcome, items[0].Decision.Do, items[0].Decision.Reach = recert.Reduced, recert.Reduce, recert.Reach{Practices: []string{"north"}}
			items[0].Effects = []recert.Effect{done(recert.ChangeReduce, "x-7")}
		},
		"could not be limited, so revoked": func(items []recert.Item) {
			items[1].Effects = append([]recert.Effect{{ID: "x-0", Do: recert.ChangeLimit, Failed: recert.ExceptionRefused}}, items[1].Effects...)
		},
		"gone before it was ended": func(items []recert.Item) {
			items[1].Outcome, items[1].Effects[0] = recert.Gone, recert.Effect{ID: "x-1", Do: recert.ChangeRevoke, Ordered: day(2)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, items := filed(t, func(_ *recert.Campaign, items []recert.Item) { change(items) })
			b := archived(t, c, items).evidence(t, c.ID)
			_, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
			require.NoError(t, err)
		})
	}
}

// TestAnchored: the log's event fixes who signed, when, what and which campaign.
func TestAnchored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	anchored := func() (recert.Verified, audit.Event) {
		b, err := h.r.Evidence(h.as("ada"), c.ID)
		require.NoError(t, err)
		v, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
		require.NoError(t, err)
		for _, e := range h.rec.events {
			if e.ID == v.Anchor() {
				e.Recorded = h.clock() // as a Log does
				return v, e
			}
		}
		t.Fatal("no event")
		return v, audit.Event{}
	}
	start, started := anchored()
	require.NoError(t, start.Anchored(started))
	h.days(3)
	h.rest(t, c.ID)
	_, err := h.r.SignOff(h.as("ada"), c.ID, words)
	require.NoError(t, err)
	v, said := anchored()
	require.NoError(t, v.Anchored(said))
	for name, change := range map[string]func(*audit.Event){
		"another ID": func(e *audit.Event) { e.ID = audit.NewID(h.clock()) }, "no ID": func(e *audit.Event) { e.ID = "" },
		"another tenant":   func(e *audit.Event) { e.Tenant = other },
		"another action":   func(e *audit.Event) { e.Action = recert.ActionEvidence },
		"a failure":        func(e *audit.Event) { e.Outcome = audit.MajorFailure },
		"another campaign": func(e *audit.Event) { e.Objects = []audit.Object{{Type: recert.ObjectCampaign, ID: "x"}} },
		"no campaign":      func(e *audit.Event) { e.Objects = nil },
		"no item":          func(e *audit.Event) { e.Objects = []audit.Object{{Type: recert.ObjectItem, ID: c.ID}} },
		"somebody else":    func(e *audit.Event) { e.Actor.ID = "olga" },
		"earlier":          func(e *audit.Event) { e.Recorded = e.Recorded.Add(-6 * time.Minute) },
		"later":            func(e *audit.Event) { e.Recorded = e.Recorded.Add(6 * time.Minute) },
		"another digest":   func(e *audit.Event) { e.Detail = map[string]string{"digest": strings.Repeat("0", 64)} },
		"no digest":        func(e *audit.Event) { e.Detail = nil },
		"the start":        func(e *audit.Event) { *e = started },
	} {
		e := said
		change(&e)
		require.ErrorIs(t, v.Anchored(e), recert.ErrBundle, name)
	}
	require.ErrorIs(t, start.Anchored(said), recert.ErrBundle, "the start is proven by its own event")

	// A bundle that was written anew says that somebody else signed: it is whole, and the log knows better.
	c, err = h.store.Get(t.Context(), clinic, c.ID)
	require.NoError(t, err)
	c.SignOff.By = "olga"
	c.SignOff.Digest, err = recert.ContentDigest(c, h.store.Items(t.Context(), clinic, c.ID, recert.ItemFilter{}))
	require.NoError(t, err)
	require.NoError(t, h.store.Apply(t.Context(), recert.Write{Campaign: withVersion(c), Expect: c.Version}))
	forged, said := anchored()
	require.Equal(t, audit.ActorID("olga"), forged.SignOff.By)
	require.ErrorIs(t, forged.Anchored(said), recert.ErrBundle)
}

func withVersion(c recert.Campaign) recert.Campaign {
	c.Version++
	return c
}
