package recert

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"iter"
	"time"
)

// frozen is what of an item never changes.
type frozen struct {
	Seq    int64  `json:"seq"`
	Access Access `json:"access"`
	Risk   Risk   `json:"risk"`
}

// FrozenDigest returns the SHA-256, in lower-case hexadecimal digits, over the frozen parts of items in
// their order, each as a line of JSON. It reports the iterator's error.
func FrozenDigest(items iter.Seq2[Item, error]) (digest string, count int, err error) {
	h := sha256.New()
	for i, err := range items {
		if err != nil {
			return "", 0, err
		}
		if err := line(h, frozen{i.Seq, i.Access, i.Risk}); err != nil {
			return "", 0, err
		}
		count++
	}
	return hex.EncodeToString(h.Sum(nil)), count, nil
}

// ContentDigest returns the SHA-256, in lower-case hexadecimal digits, over a campaign and all its items
// in their order, each as a line of JSON: what a sign-off signs, with who signs, when, and under which
// event. It leaves out SignOff.Digest, and Version, Active, State, Next and Told, which change with or
// after it.
func ContentDigest(c Campaign, items iter.Seq2[Item, error]) (string, error) {
	c.Version, c.Active, c.State, c.Next, c.Told, c.SignOff.Digest = 0, false, "", time.Time{}, nil, ""
	h := sha256.New()
	if err := line(h, c); err != nil {
		return "", err
	}
	for i, err := range items {
		if err != nil {
			return "", err
		}
		if err := line(h, i); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// line hashes one record.
func line(h hash.Hash, record any) error {
	b, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("recert: encoding: %w", err)
	}
	h.Write(append(b, '\n'))
	return nil
}
