package deid

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// The actions under which an export is recorded: before its first row, with the rows that each batch
// is made of, and when it ended, with how many rows left.
const (
	ActionExport   audit.Action = "phi.deidentify"
	ActionExported audit.Action = "phi.deidentified"
)

// recordColumn is the first column: a random number of the row.
const recordColumn = "record"

// batch is how many rows are written at a time; the last time it is up to twice as many.
const batch = 256

var (
	// ErrUnplaced: a row holds a value that no codec has opened, so that nothing says what it is.
	ErrUnplaced = errors.New("deid: value without a class")
	// ErrUnrecorded: the export, or who is in it, could not be recorded; the cause is wrapped. What
	// was not recorded was not written.
	ErrUnrecorded = errors.New("deid: export could not be recorded")
)

// Options are the settings of an Exporter; nil means all defaults.
type Options struct {
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Prefixes are the ZIP areas of few people. Default: Census2000.
	Prefixes *Prefixes
}

// Exporter exports rows of one type. It is safe for concurrent use.
type Exporter[T any] struct {
	codec   *phi.Codec[T]
	rec     audit.Recorder
	columns []column
	fields  []string // of columns
	sight   phi.Sight
	digest  string
	o       Options
}

// New returns an Exporter of the rows of a codec. It reports everything that is wrong with the rules at
// once; the error is an ErrRules. Codec and recorder are required.
func New[T any](codec *phi.Codec[T], rules Rules, rec audit.Recorder, o *Options) (*Exporter[T], error) {
	if codec == nil || rec == nil {
		return nil, errors.New("deid: codec and recorder are required")
	}
	columns, err := plan(reflect.TypeFor[T](), codec.Fields(), rules)
	if err != nil {
		return nil, err
	}
	x := &Exporter[T]{codec: codec, rec: rec, columns: columns, digest: rules.digest()}
	if o != nil {
		x.o = *o
	}
	if x.o.Now == nil {
		x.o.Now = time.Now
	}
	if x.o.Prefixes == nil {
		x.o.Prefixes = Census2000()
	}
	levels := map[phi.Class]phi.Level{}
	found, _ := fieldsOf(reflect.TypeFor[T]())
	for _, c := range columns {
		x.fields = append(x.fields, c.name)
		levels[found[c.name].class] = phi.Full
	}
	x.sight = phi.NewSight(levels)
	return x, nil
}

// Columns returns the names of the columns that an export has, the first being the row's random number.
func (x *Exporter[T]) Columns() []string { return append([]string{recordColumn}, x.fields...) }

// Report is what an export was. An export of which Export returned an error is not whole.
type Report struct {
	Rows    int
	Rules   string // digest of the rules, 64 hexadecimal digits
	ZIPDate string // of the ZIP areas, "2000 (decennial Census)"
}

// Export writes the rows to w. Each batch is in the log before it is written: that it is
// exported, by the actor in ctx and for which reason, and of which rows which fields were used. Rows are of the actor's tenant. The
// event of the end has how many rows left, also where it failed.
//
// It returns audit.ErrNoActor without an actor, ErrUnrecorded, ErrUnplaced, what rows or w
// returned, and the errors of phi.Text.Reveal. What was written by then is to be discarded.
func (x *Exporter[T]) Export(ctx context.Context, w Writer, reason string, rows iter.Seq2[*T, error]) (Report, error) {
	out := Report{Rules: x.digest, ZIPDate: x.o.Prefixes.date}
	if w.w == nil || reason == "" || rows == nil {
		return out, errors.New("deid: exporting: a writer, a reason and rows are required")
	}
	ctx, trail := audit.WithTrail(ctx, x.rec, audit.Event{})
	detail := map[string]string{"rules": x.digest, "zip_date": out.ZIPDate, "format": w.format}
	err := audit.Decide(ctx, audit.Event{
		Action: ActionExport, Verb: audit.Execute, Why: audit.NewPrivate(reason), Detail: detail,
		Decision: audit.Decision{Rule: string(ActionExport), Mask: x.sight.Digest()},
	})
	if err == nil {
		err = trail.Flush(ctx) // before the first row is read
	}
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	err = x.write(phi.WithSight(ctx, x.sight), trail, w, rows, &out)
	if rerr := x.ended(ctx, out, w.format, err); rerr != nil {
		err = errors.Join(err, fmt.Errorf("%w: %w", ErrUnrecorded, rerr))
	}
	return out, err
}

// ended records how the export ended, whatever became of the request.
func (x *Exporter[T]) ended(ctx context.Context, r Report, format string, err error) error {
	a, _ := audit.ActorFrom(ctx)
	e := audit.Event{
		Tenant: a.Tenant, Actor: a, Action: ActionExported, Verb: audit.Execute,
		Detail: map[string]string{"rules": r.Rules, "zip_date": r.ZIPDate, "format": format, "rows": strconv.Itoa(r.Rows)},
	}
	if err != nil {
		e.Outcome, e.Code = audit.MajorFailure, "not_whole"
	}
	return x.rec.Record(context.WithoutCancel(ctx), e)
}

func (x *Exporter[T]) write(ctx context.Context, trail *audit.Trail, w Writer, rows iter.Seq2[*T, error], out *Report) error {
	head, err := w.head(x.Columns())
	if err != nil {
		return fmt.Errorf("deid: exporting: %w", err)
	}
	lines := [][]byte{}
	send := func(n int) error { // n of them, any ones
		if err := trail.Flush(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrUnrecorded, err)
		}
		if err := shuffle(lines); err != nil {
			return err
		}
		if _, err := w.w.Write(append(head, bytes.Join(lines[:n], nil)...)); err != nil {
			return fmt.Errorf("deid: exporting: %w", err)
		}
		out.Rows += n
		head, lines = nil, slices.Delete(lines, 0, n)
		return nil
	}
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("deid: exporting: %w", err)
		}
		line, err := x.line(ctx, w, row)
		if err != nil {
			return err
		}
		// A last batch of few would say who came last: as many wait as leave.
		if lines = append(lines, line); len(lines) == 2*batch {
			if err := send(batch); err != nil {
				return err
			}
		}
	}
	return send(len(lines))
}

// line is one row as it leaves.
func (x *Exporter[T]) line(ctx context.Context, w Writer, row *T) ([]byte, error) {
	plain, err := x.codec.View(ctx, row, x.fields...)
	if err != nil {
		return nil, fmt.Errorf("deid: exporting: %w", err)
	}
	number := make([]byte, 16)
	if _, err := crand.Read(number); err != nil {
		return nil, fmt.Errorf("deid: exporting: %w", err)
	}
	values := []string{hex.EncodeToString(number)}
	now := x.o.Now().UTC()
	for _, c := range x.columns {
		if plain[c.name] == phi.Hidden { // the sight has every class that is asked for
			return nil, ErrUnplaced
		}
		v := plain[c.name]
		if v != "" {
			if v, err = c.apply(ctx, v, now, x.o.Prefixes); err != nil {
				return nil, fmt.Errorf("deid: scrubbing: %w", err)
			}
		}
		values = append(values, v)
	}
	return w.row(x.Columns(), values)
}

// shuffle takes the order of the rows out of those that wait: ids are often in order of time.
func shuffle(lines [][]byte) error {
	var seed [32]byte
	if _, err := crand.Read(seed[:]); err != nil {
		return fmt.Errorf("deid: exporting: %w", err)
	}
	rand.New(rand.NewChaCha8(seed)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return nil
}
