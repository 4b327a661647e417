package support

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// label binds a body to its row and its version. Two UUIDs would not fit with more words around them.
func label(id string, version int64) string {
	return "support/" + id + "/" + strconv.FormatInt(version, 10)
}

// seal makes the row of a record, as its version will be.
func (d *Desk) seal(ctx context.Context, r *record) (Row, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Row{}, unavailable("encoding", err)
	}
	sealed, err := d.p.Sealer.Seal(ctx, r.Tenant, label(r.ID, r.Version), body)
	if err == nil && len(sealed) == 0 {
		err = errors.New("the sealer keeps nothing")
	}
	if err != nil {
		return Row{}, unavailable("sealing", err)
	}
	return Row{r.Tenant, r.ID, r.Version, r.Operator, r.State.Open(), r.active(), sealed}, nil
}

// unseal reads a row and holds it against itself.
func (d *Desk) unseal(ctx context.Context, row Row) (record, error) {
	body, err := d.p.Sealer.Unseal(ctx, row.Tenant, label(row.ID, row.Version), row.Body)
	if err != nil {
		return record{}, unavailable("unsealing", err)
	}
	var r record
	if err := json.Unmarshal(body, &r); err != nil {
		return record{}, ErrDamaged
	}
	r.Version = row.Version
	if r.Tenant != row.Tenant || r.ID != row.ID || r.Operator != row.Operator || r.State.Open() != row.Open || r.Operator.Tenant != d.p.Platform {
		return record{}, ErrDamaged
	}
	return r, nil
}

// read returns the record of this ID.
func (d *Desk) read(ctx context.Context, t audit.Tenant, id string) (record, error) {
	row, err := d.p.Store.Get(ctx, t, id)
	return d.found(ctx, row, err)
}

// open returns the operator's record in the tenant that is not closed.
func (d *Desk) open(ctx context.Context, t audit.Tenant, operator Account) (record, error) {
	row, err := d.p.Store.Open(ctx, t, operator)
	return d.found(ctx, row, err)
}

func (d *Desk) found(ctx context.Context, row Row, err error) (record, error) {
	switch {
	case errors.Is(err, ErrNotFound):
		return record{}, ErrNotFound
	case err != nil:
		return record{}, unavailable("reading", err)
	}
	return d.unseal(ctx, row)
}
