package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/wardkit/wardkit/phi"
)

// keyFile is where the clinic's own key is.
func (c config) keyFile() string { return filepath.Join(c.data, "clinic.key") }

// derive returns a key for one purpose, 32 bytes, from the key file: every server that has the
// file has the same one.
func (c config) derive(purpose string) ([]byte, error) {
	secret, err := os.ReadFile(c.keyFile())
	if err != nil {
		return nil, errors.New("-data: clinic.key cannot be read")
	}
	return hkdf.Key(sha256.New, secret, nil, purpose, 32)
}

// prepareFolder makes the data folder, and refuses one whose key was lost: a new key could
// never open what the old one sealed.
func prepareFolder(c config, keyFile string) error {
	if err := os.MkdirAll(c.data, 0o700); err != nil {
		return fmt.Errorf("-data: %w", err)
	}
	_, err := os.Stat(keyFile)
	switch {
	case err == nil:
		if _, err = phi.OpenKeyFile(keyFile); err != nil { // refused before anything opens
			return fmt.Errorf("-data: clinic.key: %w", err)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("-data: %w", err)
	}
	if c.db != "" {
		return nil
	}
	if info, err := os.Stat(filepath.Join(c.data, "clinic.db")); err == nil && info.Size() > 0 {
		return errors.New("-data: the folder has a database but no clinic.key; put the key file back")
	}
	return nil
}

// openKey opens the key file, or makes one for a database that has no keys yet.
func openKey(ctx context.Context, path string, d *database) (*phi.KeyFile, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		var n int
		if err := d.pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM phi_key").Scan(&n); err != nil {
			return nil, errors.New("the database's keys cannot be read")
		}
		if n > 0 {
			return nil, errors.New("-data: the database holds keys but the folder has no clinic.key; put the key file back")
		}
		if err := phi.CreateKeyFile(path); err != nil {
			return nil, err
		}
	}
	return phi.OpenKeyFile(path)
}
