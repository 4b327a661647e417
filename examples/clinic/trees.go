package main

import (
	"crypto/ed25519"
	"path/filepath"
	"time"

	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
)

// The names of what the clinic signs, for ever.
const (
	logOrigin    = "clinic.example.com/audit"
	exportOrigin = "clinic.example.com/export"
)

// checkpointFile is where the clinic keeps every checkpoint, outside the database. A clinic that
// moves to another database begins another history, with a file of its own.
func (c config) checkpointFile() string {
	name := "clinic.checkpoints"
	if c.db != "" {
		name = "postgres.checkpoints"
	}
	return filepath.Join(c.data, name)
}

// wireTrees makes what the audit is proven with: signed trees over it, and exports.
func (a *app) wireTrees(s *stores) error {
	logKey, err := a.config.signingKey("wardkit clinic: checkpoints of the audit")
	if err != nil {
		return err
	}
	exportKey, err := a.config.signingKey("wardkit clinic: exports of the audit")
	if err != nil {
		return err
	}
	a.events, a.leaves, a.sink = s.audit, s.tlog, tlog.NewFileSink(a.config.checkpointFile())
	o := &tlog.Options{Sinks: []tlog.Sink{a.sink}, Now: a.config.now}
	if a.config.demo {
		o.Every = 2 * time.Second // somebody is waiting to see it
	}
	a.trees, err = tlog.New(s.audit, s.tlog, logOrigin, logKey, o)
	if err != nil {
		return err
	}
	a.exporter, err = export.New(s.audit, a.trees, a.log, exportOrigin, exportKey, nil)
	return err
}

// signingKey returns the key that signs for one purpose: every server that has the key file has
// the same one.
func (c config) signingKey(purpose string) (ed25519.PrivateKey, error) {
	seed, err := c.derive(purpose)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
