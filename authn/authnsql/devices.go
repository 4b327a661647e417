package authnsql

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const deviceColumns = `SELECT id, person, hash, label, created, seen, password FROM authn_device`

const (
	// holdPerson changes nothing: it keeps every change of the person waiting until the browser is
	// written, and waits for one that is under way.
	holdPerson   = `UPDATE authn_person SET version = version WHERE tenant = ? AND id = ? AND version = ?`
	insertDevice = `INSERT INTO authn_device (tenant, id, person, hash, label, created, seen, password)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	dropDevices = `DELETE FROM authn_device WHERE tenant = ? AND person = ? AND id <> ? AND id NOT IN
		(SELECT d.id FROM authn_device d WHERE d.tenant = ? AND d.person = ? AND d.id <> ? ORDER BY d.seen DESC, d.id DESC LIMIT ?)`
	selectDevice  = deviceColumns + ` WHERE tenant = ? AND hash = ?`
	selectDevices = deviceColumns + ` WHERE tenant = ? AND person = ? ORDER BY seen DESC, id DESC`
	seeDevice     = `UPDATE authn_device SET label = CASE WHEN seen <= ? THEN ? ELSE label END,
		seen = CASE WHEN seen <= ? THEN ? ELSE seen END WHERE tenant = ? AND id = ?`
	forgetDevice  = `DELETE FROM authn_device WHERE tenant = ? AND person = ? AND id = ?`
	forgetDevices = `DELETE FROM authn_device WHERE tenant = ? AND person = ?`
)

// PutDevice implements authn.Devices.
func (s *Store) PutDevice(ctx context.Context, d authn.Device, version int64, keep int) error {
	t, who := string(d.Tenant), string(d.Person)
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, err := tx.Exec(ctx, holdPerson, t, who, version)
		switch {
		case err != nil:
			return err
		case n == 0:
			return authn.ErrConflict
		}
		n, err = tx.Exec(ctx, insertDevice, t, d.ID, who, d.Hash, d.Label, micros(d.Created), micros(d.Seen), micros(d.Password))
		switch {
		case err != nil:
			return err
		case n == 0:
			return authn.ErrExists
		}
		_, err = tx.Exec(ctx, dropDevices, t, who, d.ID, t, who, d.ID, keep-1)
		return err
	})
}

// deviceRow receives a browser's columns.
type deviceRow struct {
	d                       authn.Device
	created, seen, password int64
}

func (r *deviceRow) dest() []any {
	return []any{&r.d.ID, &r.d.Person, &r.d.Hash, &r.d.Label, &r.created, &r.seen, &r.password}
}

func (r *deviceRow) device(t audit.Tenant) authn.Device {
	d := r.d
	d.Tenant, d.Created, d.Seen, d.Password = t, timeOf(r.created), timeOf(r.seen), timeOf(r.password)
	return d
}

// Device implements authn.Devices.
func (s *Store) Device(ctx context.Context, t audit.Tenant, hash []byte) (authn.Device, error) {
	var r deviceRow
	err := s.db.Get(ctx, r.dest(), selectDevice, string(t), hash)
	if errors.Is(err, sql.ErrNoRows) {
		return authn.Device{}, authn.ErrNotFound
	}
	if err != nil {
		return authn.Device{}, err
	}
	return r.device(t), nil
}

// SeeDevice implements authn.Devices.
func (s *Store) SeeDevice(ctx context.Context, t audit.Tenant, id, label string, now time.Time) error {
	us := micros(now)
	n, err := s.db.Exec(ctx, seeDevice, us, label, us, us, string(t), id)
	if err == nil && n == 0 {
		return authn.ErrNotFound
	}
	return err
}

// Devices implements authn.Devices. A person has few.
func (s *Store) Devices(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]authn.Device, error) {
	rows, err := s.db.Query(ctx, selectDevices, string(t), string(person))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []authn.Device
	for rows.Next() {
		var r deviceRow
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		all = append(all, r.device(t))
	}
	return all, rows.Err()
}

// ForgetDevices implements authn.Devices.
func (s *Store) ForgetDevices(ctx context.Context, t audit.Tenant, person audit.ActorID, id string) error {
	if id == "" {
		_, err := s.db.Exec(ctx, forgetDevices, string(t), string(person))
		return err
	}
	_, err := s.db.Exec(ctx, forgetDevice, string(t), string(person), id)
	return err
}
