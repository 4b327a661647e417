// Clinic is a clinic's web application built on wardkit: sign-in with a second factor,
// sessions, roles, an audit of every look at a record, and sealed patient data.
//
//	go run ./examples/clinic
//	go run ./examples/clinic -rotate -why "yearly renewal"
//
// It keeps everything in ./clinic-data: an SQLite file and a key file. With -demo=false it
// starts empty and prints a one-time link for the first administrator.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/wardkit/wardkit/phi/redact"
)

// collectAt lets the heap grow to five times of what is in use before garbage is collected. Each password
// that is hashed leaves 19 MiB of it: by Go's default a flood of sign-ins would have the collector run
// once per hash, and everybody else wait for it. GOGC in the environment, if set, counts instead.
const collectAt = 400

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "clinic: "+oneLine(err))
		os.Exit(1)
	}
}

// oneLine turns an error into one clear line.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parseConfig(args)
	if help := (helpError{}); errors.As(err, &help) {
		fmt.Fprint(stdout, help.text)
		return nil
	}
	if err != nil {
		return err
	}
	logger := slog.New(redact.NewLogHandler(slog.NewTextHandler(stderr, nil), nil))
	if c.rotate {
		return renewKeys(ctx, c, logger, stdout)
	}
	// Certificate and port come first: nothing is written for a server that cannot listen.
	secure, err := c.tlsConfig()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	defer listener.Close()
	if c.baseURL == "" {
		c.baseURL = localURL(c, listener.Addr())
	}
	app, err := open(ctx, c, logger)
	if err != nil {
		return err
	}
	defer app.close()
	if err := app.greet(ctx, stdout); err != nil {
		return err
	}
	return app.serve(ctx, listener, secure)
}

// localURL names the listener the way browsers like it: they refuse passkeys on 127.0.0.1.
func localURL(c config, addr net.Addr) string {
	scheme := "http"
	if c.tls() {
		scheme = "https"
	}
	_, port, _ := net.SplitHostPort(addr.String())
	return scheme + "://" + net.JoinHostPort("localhost", port)
}

// serve runs the web server, over TLS where secure is not nil, and the background work until
// ctx ends.
func (a *app) serve(ctx context.Context, listener net.Listener, secure *tls.Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(a.logger.Handler(), slog.LevelWarn),
	}
	background := make(chan error, 1)
	go func() { background <- a.background(ctx) }()
	served := make(chan error, 1)
	go func() {
		if secure != nil {
			server.TLSConfig = secure
			served <- server.ServeTLS(listener, "", "")
			return
		}
		served <- server.Serve(listener)
	}()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		grace, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		err = server.Shutdown(grace)
	}
	cancel()
	if e := <-background; e != nil && !errors.Is(e, context.Canceled) {
		err = errors.Join(err, e)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
