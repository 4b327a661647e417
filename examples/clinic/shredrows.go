package main

import (
	"context"
	"errors"

	"github.com/wardkit/wardkit/phi"
)

// living opens rows, and leaves nil where a patient's data was destroyed. There are such rows only after an old copy
// of the database was put back under a server that runs: the next start removes them again.
func living[T any](ctx context.Context, codec *phi.Codec[T], rows []phi.Row) ([]*T, error) {
	all, err := codec.OpenAll(ctx, tenant, rows)
	if !errors.Is(err, phi.ErrShredded) {
		return all, err
	}
	all = make([]*T, len(rows))
	for i, row := range rows {
		all[i], err = codec.Open(ctx, tenant, row)
		if err != nil && !errors.Is(err, phi.ErrShredded) {
			return nil, err
		}
	}
	return all, nil
}
