package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"
)

// tesseraCell measures Tessera's POSIX log with batches of 5 ms, which suits it best here. Its
// Add is awaited until the index is durable or, with published, until a signed checkpoint
// covers it, which is when others can see the event. It has neither filters nor tenants.
func tesseraCell(published bool) func(context.Context, string, int, time.Duration) (*sample, error) {
	return func(ctx context.Context, dir string, writers int, d time.Duration) (s *sample, err error) {
		klog.SetSlogLogger(slog.New(slog.DiscardHandler))
		secret, _, err := note.GenerateKey(rand.Reader, "bench")
		if err != nil {
			return nil, err
		}
		signer, err := note.NewSigner(secret)
		if err != nil {
			return nil, err
		}
		life, end := context.WithCancel(ctx) // its goroutines last until then
		defer end()
		driver, err := posix.New(life, posix.Config{Path: dir})
		if err != nil {
			return nil, err
		}
		appender, shutdown, reader, err := tessera.NewAppender(life, driver, tessera.NewAppendOptions().
			WithCheckpointSigner(signer).WithCheckpointInterval(100*time.Millisecond).WithBatching(512, 5*time.Millisecond))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, shutdown(life)) }()
		awaiter := tessera.NewPublicationAwaiter(life, reader.ReadCheckpoint, 10*time.Millisecond)
		return closedLoop(ctx, writers, d, func(ctx context.Context, _ int) error {
			body := make([]byte, rawSize)
			rand.Read(body)
			future := appender.Add(ctx, tessera.NewEntry(body))
			if published {
				_, _, err := awaiter.Await(ctx, future)
				return err
			}
			_, err := future()
			return err
		}, nil)
	}
}
