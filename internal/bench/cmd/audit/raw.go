package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// rawSize is the length of what the raw cells append.
const rawSize = 400

// measureUnit is one writer that appends to a file and waits for the disk each time: the
// unit of everything else.
func measureUnit(ctx context.Context, dir string, d time.Duration) (*sample, error) {
	f, err := os.Create(filepath.Join(dir, "unit"))
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	data := make([]byte, rawSize)
	return closedLoop(ctx, 1, d, func(context.Context, int) error {
		_, err := f.Write(data)
		return errors.Join(err, datasync(f))
	}, nil)
}

// rawLog is the least that a durable log can do: writers hash their event, whoever finds
// nobody writing takes all that wait, up to 512, and writes them with one flush.
type rawLog struct {
	file *os.File

	mu      sync.Mutex
	next    *rawBatch
	writing sync.Mutex
}

type rawBatch struct {
	data []byte
	n    int
	once sync.Once
	err  error
}

const rawMax = 512

func (l *rawLog) append(body []byte) error {
	leaf := sha256.Sum256(body)
	l.mu.Lock()
	for l.next == nil || l.next.n == rawMax {
		l.next = &rawBatch{}
	}
	b := l.next
	b.data = append(append(b.data, leaf[:]...), body...)
	b.n++
	l.mu.Unlock()

	l.writing.Lock()
	defer l.writing.Unlock()
	b.once.Do(func() {
		l.mu.Lock()
		if l.next == b {
			l.next = nil
		}
		l.mu.Unlock()
		_, err := l.file.Write(b.data)
		b.err = errors.Join(err, datasync(l.file))
	})
	return b.err
}

func measureRaw(ctx context.Context, dir string, writers int, d time.Duration) (*sample, error) {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	log, body := &rawLog{file: f}, make([]byte, rawSize)
	return closedLoop(ctx, writers, d, func(context.Context, int) error { return log.append(body) }, nil)
}
