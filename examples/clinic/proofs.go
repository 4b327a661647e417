package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// checks have the whole audit checked, one at a time. A check is a row that whichever server looks
// first takes and does; how far it is, is in the row, so it goes on when its page is closed, and
// begins anew on another server, or after a restart, when the one that did it died.
type checks struct {
	*books
	trees  *tlog.Log
	leaves tlog.Store
	sink   tlog.Sink
	runner string        // names this process
	wake   chan struct{} // a check was asked for here
}

func newChecks(a *app, b *books) *checks {
	return &checks{b, a.trees, a.leaves, a.sink, audit.NewID(time.Now()), make(chan struct{}, 1)}
}

// check is one of them.
type check struct {
	id, person, old, runner string
	asked, ended            time.Time // ended is zero until there is a result
	done, many              int64
	result                  checkResult
}

// checkResult is what came out, as the row keeps it.
type checkResult struct {
	Outcome    string    `json:"outcome"`
	Checkpoint string    `json:"checkpoint,omitempty"` // that everything was compared with
	Old        string    `json:"old,omitempty"`        // which old one it was compared with
	Events     int64     `json:"events"`
	Uncovered  int64     `json:"uncovered"`
	Purged     int64     `json:"purged,omitempty"` // destroyed, as the clinic's rules allow
	Findings   []finding `json:"findings,omitempty"`
	More       int       `json:"more,omitempty"` // findings that are not among them
}

// The outcomes, and which old checkpoint it was that the audit was compared with.
const (
	outcomeWhole      = "whole"
	outcomeTampered   = "tampered"
	outcomeRolledBack = "rolled_back"
	outcomeRewritten  = "rewritten"
	outcomeFailed     = "failed"

	oldPasted = "pasted"
	oldFile   = "file"
)

// finding is a tlog.Finding as the row keeps it.
type finding struct {
	What string `json:"what"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
}

// errChecking: one check at a time.
var errChecking = errors.New("the audit is being checked already")

// maxFindings is how many findings of a check are kept.
const maxFindings = 100

// lease is how long a check whose server gives no sign waits for another one, beat how often a
// server gives one.
const (
	lease = 10 * time.Second
	beat  = time.Second
)

// begin asks for a check, with an old checkpoint to compare with or "". Who asks is recorded in the
// same transaction.
func (s *checks) begin(ctx context.Context, old string) error {
	actor, _ := audit.ActorFrom(ctx)
	now := time.Now()
	id := audit.NewID(now)
	err := s.change(ctx, proofEvent(actionCheckStarted, checkObject, id), func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, s.db.q(`INSERT INTO clinic_check (tenant, id, asked, person, old, runner, beat, done, many, ended, result)
			VALUES (?, ?, ?, ?, ?, '', 0, 0, 0, 0, '') ON CONFLICT DO NOTHING`), string(tenant), id, now.UnixMicro(), string(actor.ID), old))
	})
	if errors.Is(err, errChanged) {
		return errChecking
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return err
}

// list returns the latest checks, newest first.
func (s *checks) list(ctx context.Context, limit int) (all []check, err error) {
	return s.query(ctx, `TRUE ORDER BY id DESC LIMIT `+strconv.Itoa(limit))
}

func (s *checks) query(ctx context.Context, where string, args ...any) (all []check, err error) {
	rows, err := s.db.pool.QueryContext(ctx, s.db.q(`SELECT id, asked, person, old, runner, done, many, ended, result
		FROM clinic_check WHERE tenant = ? AND `+where), append([]any{string(tenant)}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c check
		var asked, ended int64
		var result string
		if err := rows.Scan(&c.id, &asked, &c.person, &c.old, &c.runner, &c.done, &c.many, &ended, &result); err != nil {
			return nil, err
		}
		c.asked = time.UnixMicro(asked).UTC()
		if ended != 0 {
			c.ended = time.UnixMicro(ended).UTC()
			if err := json.Unmarshal([]byte(result), &c.result); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// run does what checks are asked for until ctx ends.
func (s *checks) run(ctx context.Context) error {
	const look = 2 * time.Second
	for {
		if c, ok := s.take(ctx); ok {
			s.do(ctx, c)
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-time.After(look):
		}
	}
}

// take takes a check that nobody does, or whose server died.
func (s *checks) take(ctx context.Context) (check, bool) {
	now := time.Now()
	res, err := s.db.pool.ExecContext(ctx, s.db.q(`UPDATE clinic_check SET runner = ?, beat = ?, done = 0 WHERE tenant = ? AND ended = 0 AND beat < ?`),
		s.runner, now.UnixMicro(), string(tenant), now.Add(-lease).UnixMicro())
	if touched(res, err) != nil {
		return check{}, false
	}
	mine, err := s.query(ctx, `ended = 0 AND runner = ?`, s.runner)
	return append(mine, check{})[0], err == nil && len(mine) == 1
}

// do checks the audit. When this process ends, or another one has taken the check, there is no
// result of this one.
func (s *checks) do(ctx context.Context, c check) {
	ctx, lost := context.WithCancel(audit.WithActor(ctx, audit.System(tenant, "check")))
	defer lost()
	var at, many atomic.Int64
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		for pause(ctx, beat) == nil {
			if errors.Is(s.beat(ctx, c, at.Load(), many.Load()), errChanged) {
				lost()
			}
		}
	}()
	result := s.verify(ctx, c, func(p tlog.Progress) { at.Store(p.Done); many.Store(p.Many) })
	gone := ctx.Err() != nil
	lost()
	<-beating
	if gone {
		_, _ = s.db.pool.ExecContext(context.WithoutCancel(ctx), s.db.q(`UPDATE clinic_check SET beat = 0 WHERE tenant = ? AND id = ? AND runner = ? AND ended = 0`),
			string(tenant), c.id, s.runner) // the next one need not wait
		return
	}
	_ = s.end(context.WithoutCancel(ctx), c, result) // what cannot be kept is done again
}

// beat says that this process is still at it, and how far.
func (s *checks) beat(ctx context.Context, c check, done, many int64) error {
	return touched(s.db.pool.ExecContext(ctx, s.db.q(`UPDATE clinic_check SET beat = ?, done = ?, many = ? WHERE tenant = ? AND id = ? AND runner = ? AND ended = 0`),
		time.Now().UnixMicro(), done, many, string(tenant), c.id, s.runner))
}

// verify compares the audit with what was signed, and with the old checkpoint that somebody pasted
// or, if nobody did, the last one outside the database.
func (s *checks) verify(ctx context.Context, c check, progress func(tlog.Progress)) checkResult {
	r := checkResult{Old: oldPasted}
	old := []byte(c.old)
	var err error
	if c.old == "" {
		if old, err = s.sink.Last(ctx); err != nil {
			return checkResult{Outcome: outcomeFailed}
		}
		if r.Old = oldFile; old == nil {
			r.Old = ""
		}
	}
	report, err := tlog.Verify(ctx, s.events, s.leaves, s.trees.VerifierKey(), old, &tlog.VerifyOptions{Progress: progress})
	r.Events, r.Uncovered, r.Purged, r.Checkpoint = report.Events, report.Uncovered, report.Purged, strconv.FormatInt(report.Checkpoint.Size, 10)
	for _, f := range report.Findings {
		if f.Tenant != tenant || len(r.Findings) == maxFindings { // what others have is not for this one's pages
			r.More++
			continue
		}
		r.Findings = append(r.Findings, finding{findingOf(f.Err), f.From, f.To})
	}
	r.Outcome = outcomeOf(err, len(report.Findings))
	return r
}

func findingOf(err error) string {
	switch {
	case errors.Is(err, tlog.ErrMissing):
		return "missing"
	case errors.Is(err, tlog.ErrUncoveredPurge):
		return "purged"
	case errors.Is(err, tlog.ErrAltered):
		return "altered"
	}
	return "rewritten"
}

// outcomeOf names what tlog.Verify said. What it does not know is a failure, never a success.
func outcomeOf(err error, findings int) string {
	switch {
	case err == nil && findings == 0:
		return outcomeWhole
	case errors.Is(err, tlog.ErrTampered) && findings > 0:
		return outcomeTampered
	case errors.Is(err, tlog.ErrRolledBack):
		return outcomeRolledBack
	case errors.Is(err, tlog.ErrTampered):
		return outcomeRewritten
	}
	return outcomeFailed
}

// end keeps the result and records it, both or neither.
func (s *checks) end(ctx context.Context, c check, r checkResult) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	e := proofEvent(actionCheckEnded, checkObject, c.id)
	e.Detail = map[string]string{"result": r.Outcome, "events": strconv.FormatInt(r.Events, 10), "findings": strconv.Itoa(len(r.Findings) + r.More)}
	switch r.Outcome {
	case outcomeWhole:
	case outcomeFailed:
		e.Outcome, e.Code = audit.Failure, "unavailable"
	default:
		e.Outcome, e.Code = audit.MajorFailure, r.Outcome
	}
	return s.change(ctx, e, func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, s.db.q(`UPDATE clinic_check SET ended = ?, result = ?, done = ?, many = ? WHERE tenant = ? AND id = ? AND runner = ? AND ended = 0`),
			time.Now().UnixMicro(), string(text), r.Events, max(r.Events, 1), string(tenant), c.id, s.runner))
	})
}
