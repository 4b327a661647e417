package deid_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/deid"
)

const clinic audit.Tenant = "clinic-1"

// notes is a recorder that keeps events and fails from the n-th call on.
type notes struct {
	events []audit.Event
	calls  int
	fail   int // 0 for never
}

func (n *notes) Record(_ context.Context, events ...audit.Event) error {
	if n.calls++; n.fail > 0 && n.calls >= n.fail {
		return errors.New("disk full")
	}
	for i := range events {
		if err := events[i].Validate(); err != nil {
			return err
		}
	}
	n.events = append(n.events, events...)
	return nil
}

type patient struct {
	ID      string `phi:",row,patient"`
	Created time.Time
	Name    phi.Text   `phi:"name,class=name"`
	Phone   phi.Text   `phi:"phone,class=phone"`
	Birth   phi.Date   `phi:"birth,class=date"`
	ZIP     phi.Text   `phi:"zip,class=geography"`
	Score   phi.Number `phi:"score,class=clinical"`
	Code    phi.Text   `phi:"code,class=clinical"`
	Note    phi.Text   `phi:"note,class=clinical"`
}

func rules() deid.Rules {
	return deid.Rules{
		"Created": deid.Drop(), "name": deid.Drop(), "phone": deid.Drop(), "birth": deid.Year(), "zip": deid.ZIP3(),
		"score": deid.Keep(), "code": deid.Codes("F41.1", "F32.0"), "note": deid.Drop(),
	}
}

func codecOf[T any](t testing.TB) *phi.Codec[T] {
	t.Helper()
	vault, err := phi.Open(t.Context(), "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	c, err := phi.For[T](vault, "patient")
	require.NoError(t, err)
	return c
}

func opened[T any](t testing.TB, c *phi.Codec[T], tenant audit.Tenant, p *T) *T {
	t.Helper()
	rec, err := c.Seal(t.Context(), tenant, p)
	require.NoError(t, err)
	row := phi.Row{ID: rec.Terms().Row, Cols: map[string]phi.Sealed{}}
	for _, f := range c.Fields() {
		row.Cols[f] = rec.Col(f)
	}
	out, err := c.Open(t.Context(), tenant, row)
	require.NoError(t, err)
	return out
}

func jane(t testing.TB, id, birth, zip string) *patient {
	t.Helper()
	day, err := phi.ParseDate(birth)
	require.NoError(t, err)
	return &patient{
		ID: id, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Name: phi.NewText("Jane Doe"), Phone: phi.NewText("212-555-0147"), Birth: day, ZIP: phi.NewText(zip),
		Score: phi.NewInt(14), Code: phi.NewText("F41.1"), Note: phi.NewText("sleeps badly in Springfield"),
	}
}

func options() *deid.Options {
	return &deid.Options{Now: func() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }}
}

func officer(ctx context.Context) context.Context {
	return audit.WithActor(ctx, audit.Actor{ID: "olga", Kind: audit.KindStaff, Tenant: clinic})
}

func sequence[T any](rows ...*T) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestSafeHarbor(t *testing.T) {
	t.Parallel()
	c := codecOf[patient](t)
	log := &notes{}
	x, err := deid.New(c, rules(), log, options())
	require.NoError(t, err)
	var out bytes.Buffer
	old := jane(t, "p-2", "1936-12-31", "03601-1234")
	old.Code, old.Score = phi.NewText("met her cousin Bob"), phi.Number{}
	report, err := x.Export(officer(t.Context()), deid.JSONLines(&out), "protocol 7", sequence(
		opened(t, c, clinic, jane(t, "p-1", "1984-02-29", "10025")), opened(t, c, clinic, old)))
	require.NoError(t, err)
	require.Equal(t, 2, report.Rows)
	require.Equal(t, "2000 (decennial Census)", report.ZIPDate)
	byBirth := map[string]map[string]string{}
	numbers, text := map[string]bool{}, out.String()
	for line := range strings.Lines(out.String()) {
		row := map[string]string{}
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		require.Len(t, row["record"], 32)
		numbers[row["record"]] = true
		text = strings.ReplaceAll(text, row["record"], "") // random, so it may hold any of the digits below
		delete(row, "record")
		byBirth[row["birth"]] = row
	}
	require.Len(t, numbers, 2)
	require.Equal(t, map[string]map[string]string{
		"1984": {"birth": "1984", "zip": "100", "score": "14", "code": "F41.1"},
		"90+":  {"birth": "90+", "zip": "000", "score": "", "code": ""},
	}, byBirth)
	for _, secret := range []string{"Jane", "555", "02-29", "10025", "p-1", "p-2", "Springfield", "Bob", "2026"} {
		require.NotContains(t, text, secret)
	}

	require.Len(t, log.events, 3, "begun, who is in it, ended")
	first, second, last := log.events[0], log.events[1], log.events[2]
	require.Equal(t, deid.ActionExport, first.Action)
	require.Equal(t, audit.ActorID("olga"), first.Actor.ID)
	require.Empty(t, first.Patients)
	require.Equal(t, report.Rules, first.Detail["rules"])
	why, _ := first.Why.Reveal()
	require.Equal(t, "protocol 7", why)
	require.ElementsMatch(t, []audit.Patient{"p-1", "p-2"}, second.Patients)
	for _, o := range second.Objects {
		require.NotContains(t, o.Fields, "name", "what is left out is not even opened")
	}
	require.Equal(t, deid.ActionExported, last.Action)
	require.Equal(t, "2", last.Detail["rows"])
	require.Equal(t, audit.Success, last.Outcome)
}

// TestExportAsksForARule: a field that nobody decided about stops the export before its first row.
func TestExportAsksForARule(t *testing.T) {
	t.Parallel()
	c := codecOf[patient](t)
	for name, change := range map[string]func(deid.Rules){
		"a sealed field without a rule":       func(r deid.Rules) { delete(r, "note") },
		"a column of the host without a rule": func(r deid.Rules) { delete(r, "Created") },
		"a zero rule":                         func(r deid.Rules) { r["note"] = deid.Rule{} },
		"a rule for no field":                 func(r deid.Rules) { r["shoes"] = deid.Drop() },
		"a column without a class is kept":    func(r deid.Rules) { r["Created"] = deid.Keep() },
		"a column without a class as a year":  func(r deid.Rules) { r["Created"] = deid.Year() },
		"a name is kept":                      func(r deid.Rules) { r["name"] = deid.Keep() },
		"a name as codes":                     func(r deid.Rules) { r["name"] = deid.Codes("Jane") },
		"a name scrubbed":                     func(r deid.Rules) { r["name"] = deid.InsecureScrub(nothing) },
		"a telephone as a year":               func(r deid.Rules) { r["phone"] = deid.Year() },
		"a date as a ZIP code":                func(r deid.Rules) { r["birth"] = deid.ZIP3() },
		"a date is kept":                      func(r deid.Rules) { r["birth"] = deid.Keep() },
		"text is kept":                        func(r deid.Rules) { r["note"] = deid.Keep() },
		"codes without a list":                func(r deid.Rules) { r["code"] = deid.Codes() },
		"a scrubber that is none":             func(r deid.Rules) { r["note"] = deid.InsecureScrub(nil) },
		"a place as an age":                   func(r deid.Rules) { r["zip"] = deid.Age() },
		"everything is left out": func(r deid.Rules) {
			for f := range r {
				r[f] = deid.Drop()
			}
		},
	} {
		r := rules()
		change(r)
		x, err := deid.New(c, r, &notes{}, nil)
		require.ErrorIs(t, err, deid.ErrRules, name)
		require.Nil(t, x, name)
	}
	_, err := deid.New(c, rules(), nil, nil)
	require.Error(t, err)
	_, err = deid.New[patient](nil, rules(), &notes{}, nil)
	require.Error(t, err)
}

func nothing(context.Context, string) (string, error) { return "", nil }

type hidden struct {
	patient `phi:"-"`
	ID      string     `phi:",row"`
	Record  phi.Number `phi:"record,class=clinical"`
}

func TestExportLeavesNoWayAround(t *testing.T) {
	t.Parallel()
	c := codecOf[hidden](t)
	r := rules()
	r["record"], r["patient"] = deid.Keep(), deid.Drop()
	_, err := deid.New(c, r, &notes{}, nil)
	require.ErrorIs(t, err, deid.ErrRules)
	require.ErrorContains(t, err, `"record": cannot leave`)
	require.ErrorContains(t, err, `"score": cannot leave`, "the codec does not know it")
}

// TestExportIsRecordedFirst: what cannot be recorded does not leave, whichever record fails.
func TestExportIsRecordedFirst(t *testing.T) {
	t.Parallel()
	c := codecOf[patient](t)
	rows := make([]*patient, 600)
	for i := range rows {
		rows[i] = opened(t, c, clinic, jane(t, fmt.Sprintf("p-%03d", i), "1984-02-29", "10025"))
	}
	whole := &notes{}
	x, err := deid.New(c, rules(), whole, options())
	require.NoError(t, err)
	var out bytes.Buffer
	report, err := x.Export(officer(t.Context()), deid.JSONLines(&out), "protocol 7", sequence(rows...))
	require.NoError(t, err)
	require.Equal(t, 600, report.Rows)
	seen := map[audit.Patient]bool{}
	for _, e := range whole.events {
		for _, p := range e.Patients {
			seen[p] = true
		}
	}
	require.Len(t, seen, 600, "everybody in the export is in the log")
	for fail := 1; fail <= whole.calls; fail++ {
		log := &notes{fail: fail}
		x, err := deid.New(c, rules(), log, options())
		require.NoError(t, err)
		var out bytes.Buffer
		_, err = x.Export(officer(t.Context()), deid.JSONLines(&out), "protocol 7", sequence(rows...))
		require.ErrorIs(t, err, deid.ErrUnrecorded, fail)
		recorded := map[audit.Patient]bool{}
		for _, e := range log.events {
			for _, p := range e.Patients {
				recorded[p] = true
			}
		}
		require.LessOrEqual(t, strings.Count(out.String(), "\n"), len(recorded), "who leaves is recorded")
		if fail == 1 {
			require.Zero(t, out.Len())
		}
	}
}

func TestExportFailsClosed(t *testing.T) {
	t.Parallel()
	c := codecOf[patient](t)
	good := opened(t, c, clinic, jane(t, "p-1", "1984-02-29", "10025"))
	export := func(ctx context.Context, rows iter.Seq2[*patient, error]) (string, *notes, error) {
		log := &notes{}
		x, err := deid.New(c, rules(), log, options())
		require.NoError(t, err)
		var out bytes.Buffer
		_, err = x.Export(ctx, deid.CSV(&out), "protocol 7", rows)
		return out.String(), log, err
	}
	out, log, err := export(t.Context(), sequence(good))
	require.ErrorIs(t, err, audit.ErrNoActor)
	require.Empty(t, out)
	require.Empty(t, log.events)

	out, log, err = export(officer(t.Context()), sequence(good, jane(t, "p-2", "1984-02-29", "10025")))
	require.ErrorIs(t, err, deid.ErrUnplaced, "a row that no codec opened")
	require.Empty(t, out)
	require.Equal(t, "not_whole", log.events[len(log.events)-1].Code)

	mixed := opened(t, c, clinic, jane(t, "p-1", "1984-02-29", "10025"))
	mixed.Code = mixed.Name
	_, _, err = export(officer(t.Context()), sequence(mixed))
	require.ErrorIs(t, err, deid.ErrUnplaced, "a name where a code should be")

	out, _, err = export(officer(t.Context()), sequence(opened(t, c, "elsewhere", jane(t, "p-1", "1984-02-29", "10025"))))
	require.ErrorIs(t, err, phi.ErrNotAllowed, "another tenant's row")
	require.Empty(t, out)

	broken := errors.New("the database went away")
	out, _, err = export(officer(t.Context()), func(yield func(*patient, error) bool) { _ = yield(good, nil) && yield(nil, broken) })
	require.ErrorIs(t, err, broken)
	require.Empty(t, out)

	gone, cancel := context.WithCancel(officer(t.Context()))
	cancel()
	out, log, err = export(gone, sequence(good))
	require.Error(t, err)
	require.Empty(t, out)
	for _, e := range log.events {
		require.Empty(t, e.Patients)
	}
	x, err := deid.New(c, rules(), &notes{}, nil)
	require.NoError(t, err)
	_, err = x.Export(officer(t.Context()), deid.CSV(&bytes.Buffer{}), "", sequence(good))
	require.ErrorContains(t, err, "reason")
}

func TestScrubbingMustBeAskedFor(t *testing.T) {
	t.Parallel()
	c := codecOf[patient](t)
	r := rules()
	r["note"] = deid.InsecureScrub(func(_ context.Context, text string) (string, error) {
		return "=" + strings.ReplaceAll(text, "Springfield", "[place]"), nil
	})
	x, err := deid.New(c, r, &notes{}, options())
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = x.Export(officer(t.Context()), deid.CSV(&out), "protocol 7", sequence(opened(t, c, clinic, jane(t, "p-1", "1984-02-29", "10025"))))
	require.NoError(t, err)
	lines, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Equal(t, x.Columns(), lines[0])
	require.Equal(t, []string{"1984", "100", "14", "F41.1", "'=sleeps badly in [place]"}, lines[1][1:], "and no formula")

	for _, formula := range []string{"=1", " =1", "\n=1", "\t1", "=1", "+1+1", "-1+1", "@a", "\u00a0@a"} {
		r["note"] = deid.InsecureScrub(func(context.Context, string) (string, error) { return formula, nil })
		x, err = deid.New(c, r, &notes{}, options())
		require.NoError(t, err)
		out.Reset()
		_, err = x.Export(officer(t.Context()), deid.CSV(&out), "protocol 7", sequence(opened(t, c, clinic, jane(t, "p-1", "1984-02-29", "10025"))))
		require.NoError(t, err)
		require.Contains(t, out.String(), "'"+formula)
	}

	r["note"] = deid.InsecureScrub(func(context.Context, string) (string, error) { return "half of it", errors.New("model is down") })
	x, err = deid.New(c, r, &notes{}, options())
	require.NoError(t, err)
	out.Reset()
	_, err = x.Export(officer(t.Context()), deid.CSV(&out), "protocol 7", sequence(opened(t, c, clinic, jane(t, "p-1", "1984-02-29", "10025"))))
	require.ErrorContains(t, err, "model is down")
	require.Zero(t, out.Len())
}

// TestTheLastAreNotAlone: where a row is more than fills a batch, it does not leave at a place of its own.
func TestTheLastAreNotAlone(t *testing.T) {
	t.Parallel()
	c := codecOf[patient](t)
	var rows []*patient
	for i := range 257 {
		birth := "1950-06-01"
		if i == 256 {
			birth = "1999-06-01"
		}
		rows = append(rows, opened(t, c, clinic, jane(t, fmt.Sprintf("p-%03d", i), birth, "10025")))
	}
	x, err := deid.New(c, rules(), &notes{}, options())
	require.NoError(t, err)
	last := 0
	for range 5 {
		var out bytes.Buffer
		report, err := x.Export(officer(t.Context()), deid.CSV(&out), "protocol 7", sequence(rows...))
		require.NoError(t, err)
		require.Equal(t, 257, report.Rows)
		lines, err := csv.NewReader(&out).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, 258)
		if lines[257][1] == "1999" {
			last++
		}
	}
	require.Less(t, last, 5)
}

// TestOrderSaysNothing: rows of a batch do not leave in the order in which they came.
func TestOrderSaysNothing(t *testing.T) {
	t.Parallel()
	c := codecOf[patient](t)
	var rows []*patient
	var came []string
	for i := range 60 {
		birth := fmt.Sprintf("%d-06-01", 1940+i)
		rows, came = append(rows, opened(t, c, clinic, jane(t, fmt.Sprintf("p-%d", i), birth, "10025"))), append(came, birth[:4])
	}
	x, err := deid.New(c, rules(), &notes{}, options())
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = x.Export(officer(t.Context()), deid.CSV(&out), "protocol 7", sequence(rows...))
	require.NoError(t, err)
	lines, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	var left []string
	for _, line := range lines[1:] {
		left = append(left, line[1])
	}
	require.ElementsMatch(t, came, left)
	require.NotEqual(t, came, left)
}
