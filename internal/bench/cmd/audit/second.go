package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// childArg makes this program the second process of a sample.
const childArg = "second-process"

// twoProcesses halves the writers between this process and another one on the same schema,
// both with Log.Run. Two more connections would be more load, not a second server.
func twoProcesses(address string) func(context.Context, string, int, time.Duration) (*sample, error) {
	return func(ctx context.Context, _ string, writers int, d time.Duration) (s *sample, err error) {
		e, err := openPostgres(ctx, address, "", false)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		other, err := startChild(ctx, e.url, writers/2, d)
		if err != nil {
			return nil, err
		}
		log, err := newLog(ctx, e.store, false)
		if err != nil {
			return nil, errors.Join(err, other.stop())
		}
		stop := keep(ctx, log)
		defer stop()
		var theirs []time.Duration
		from := sources(writers-writers/2, event)
		if err := other.begin(); err != nil {
			return nil, errors.Join(err, other.stop())
		}
		s, err = closedLoop(ctx, len(from), d, func(ctx context.Context, w int) error {
			return log.Record(ctx, from[w]())
		}, func(ctx context.Context) error {
			var err error
			if theirs, err = other.result(); err != nil {
				return err
			}
			return e.drain(ctx)
		})
		if err != nil {
			return nil, errors.Join(err, other.stop())
		}
		s.done += len(theirs)
		s.waits = append(s.waits, theirs...)
		return s, errors.Join(e.expect(ctx, s.done), other.stop())
	}
}

// peer is the second process: it says that it is ready, waits for a line, measures, and
// prints how long each call took.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(ctx context.Context, schema string, writers int, d time.Duration) (*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &peer{cmd: exec.CommandContext(ctx, self, childArg, schema, strconv.Itoa(writers), d.String())}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := p.out.ReadString('\n'); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *peer) begin() error {
	_, err := io.WriteString(p.in, "go\n")
	return err
}

func (p *peer) result() (waits []time.Duration, err error) {
	return waits, json.NewDecoder(p.out).Decode(&waits)
}

func (p *peer) stop() error {
	p.in.Close()
	return p.cmd.Wait()
}

// child is the second process.
func child(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("the second process is started by the first")
	}
	writers, bad := strconv.Atoi(args[1])
	d, err := time.ParseDuration(args[2])
	if err := errors.Join(bad, err); err != nil {
		return err
	}
	e, err := attachPostgres(ctx, os.Getenv("WARDKIT_POSTGRES"), args[0])
	if err != nil {
		return err
	}
	defer e.close()
	log, err := audit.New(e.store, audit.DropOpenings{}, nil)
	if err != nil {
		return err
	}
	stop := keep(ctx, log)
	defer stop()
	from := sources(writers, event)
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	s, err := closedLoop(ctx, writers, d, func(ctx context.Context, w int) error { return log.Record(ctx, from[w]()) }, nil)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s.waits)
}
