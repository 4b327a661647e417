package phi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// KeyFile is a KMS whose key-encryption key is in a local file: for development and for
// small installations. Whoever has the file and the database can read everything, and whoever
// loses the file can read nothing: keep a copy away from the database's backups. A Ring
// replaces it by another one.
type KeyFile struct{ localKMS }

const (
	keyFilePrefix   = "phi-key-1."
	keyFileChecksum = 4
	keyFileMax      = 4096
	keyFileComment  = "# wardkit phi: key-encryption key. Who has it can read the data, who loses it cannot.\n"
)

// CreateKeyFile writes a new random key to path, mode 0600, and syncs it to disk. It never
// overwrites: where path exists, the error is an fs.ErrExist. The file appears complete or
// not at all.
func CreateKeyFile(path string) error {
	if err := createKeyFile(path); err != nil {
		return fmt.Errorf("phi: creating key file: %w", err)
	}
	return nil
}

func createKeyFile(path string) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".phi-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, err = tmp.WriteString(keyFileComment + encodeKeyFile(randomKey()) + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil { // unlike Rename, it never replaces
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in dir durable. Windows has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OpenKeyFile reads the key file at path. It returns an fs.ErrNotExist where there is none,
// ErrKeyFileMode where anybody but its owner has access, on systems with mode bits, and
// ErrKeyFile where it is not what CreateKeyFile wrote.
func OpenKeyFile(path string) (*KeyFile, error) {
	key, err := readKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("phi: opening key file: %w", err)
	}
	defer clear(key)
	return &KeyFile{newLocalKMS(key)}, nil
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of the open file, so that it cannot be exchanged in between
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrKeyFile)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, ErrKeyFileMode
	}
	text, err := io.ReadAll(io.LimitReader(f, keyFileMax+1))
	if err != nil {
		return nil, err
	}
	defer clear(text)
	return decodeKeyFile(text)
}

func encodeKeyFile(key []byte) string {
	sum := sha256.Sum256(key)
	return keyFilePrefix + base64.RawURLEncoding.EncodeToString(append(key, sum[:keyFileChecksum]...))
}

// decodeKeyFile reads the one line that is neither empty nor a comment.
func decodeKeyFile(text []byte) ([]byte, error) {
	if len(text) > keyFileMax {
		return nil, fmt.Errorf("%w: too long", ErrKeyFile)
	}
	var line string
	for l := range strings.Lines(string(text)) {
		l = strings.TrimRight(l, "\r\n")
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if line != "" {
			return nil, fmt.Errorf("%w: more than one key", ErrKeyFile)
		}
		line = l
	}
	b64, ok := strings.CutPrefix(line, keyFilePrefix)
	if !ok {
		return nil, fmt.Errorf("%w: no key of a known version", ErrKeyFile)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(b64)
	if err != nil || len(raw) != keySize+keyFileChecksum {
		return nil, fmt.Errorf("%w: the key is cut short or garbled", ErrKeyFile)
	}
	sum := sha256.Sum256(raw[:keySize])
	if !bytes.Equal(sum[:keyFileChecksum], raw[keySize:]) {
		return nil, fmt.Errorf("%w: the key is garbled", ErrKeyFile)
	}
	return raw[:keySize], nil
}
