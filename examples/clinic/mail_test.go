package main

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn"
)

func notice() authn.Notice {
	return authn.Notice{
		ID: "n-1", Topic: authn.TopicInvitation, Address: authn.NewSecret("greta.holm@example.com"),
		Link: authn.NewSecret("https://clinic.example.com/link/x"), Expires: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
	}
}

// One mail server that says nothing must not hold up what else waits to be delivered, such
// as the end of somebody's sessions.
func TestMailObeysItsContext(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan net.Conn, 1)
	go func() {
		if c, err := listener.Accept(); err == nil {
			held <- c
			cancel()
		}
	}()
	require.Error(t, mailer{listener.Addr().String(), "clinic@example.com"}.Send(ctx, notice()))
	require.NoError(t, (<-held).Close())
}

func TestMailIsSent(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	got := make(chan string, 1)
	go func() { got <- receive(listener) }()
	require.NoError(t, mailer{listener.Addr().String(), "clinic@example.com"}.Send(t.Context(), notice()))
	mail := <-got
	require.Contains(t, mail, "MAIL FROM:<clinic@example.com>")
	require.Contains(t, mail, "RCPT TO:<greta.holm@example.com>")
	require.Contains(t, mail, "https://clinic.example.com/link/x\r\n\r\nThe link works once, until 28 Nov 2026 12:00 UTC.")
}

// receive is a mail server for one mail; it returns what the client said.
func receive(listener net.Listener) string {
	c, err := listener.Accept()
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	var all strings.Builder
	say := func(line string) { _, _ = c.Write([]byte(line + "\r\n")) }
	say("220 mail.example.com")
	for in, data := bufio.NewReader(c), false; ; {
		line, err := in.ReadString('\n')
		all.WriteString(line)
		switch {
		case err != nil:
			return all.String()
		case data && line != ".\r\n":
		case strings.HasPrefix(line, "DATA"):
			data = true
			say("354 go on")
		case strings.HasPrefix(line, "QUIT"):
			say("221 bye")
			return all.String()
		default:
			data = false
			say("250 fine")
		}
	}
}
