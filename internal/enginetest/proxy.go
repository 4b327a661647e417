package enginetest

import (
	"bytes"
	"database/sql"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Moment is when a Proxy cuts a connection, seen from one message of the client's.
type Moment uint8

// The moments.
const (
	Before Moment = iota + 1 // the message does not reach the server
	After                    // the server answers it, and the answer does not reach the client
)

// Commit is the message that ends a transaction, however it is sent.
const Commit = "commit\x00"

// Proxy stands between a client's connections and PostgreSQL or Redis, and cuts or stalls them.
type Proxy struct {
	network, address string // of the server

	mu      sync.Mutex
	links   map[*link]bool
	moment  Moment
	message []byte
	left    int // how many more messages are cut
	cuts    int
	stalled chan struct{} // closed where nothing is held back
}

// link is a client's connection and the one to the server behind it.
type link struct{ client, server net.Conn }

func (l *link) close() {
	l.client.Close()
	l.server.Close()
}

// Proxied returns a pool whose connections go to a PostgreSQL server through a Proxy. Both
// end with the test.
func Proxied(t testing.TB, address string) (*sql.DB, *Proxy) {
	t.Helper()
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatalf("enginetest: PostgreSQL: %v", err)
	}
	p := newProxy(pgconn.NetworkAddress(config.Host, config.Port))
	config.Host, config.Port = listen(t, p.serve)
	config.TLSConfig, config.Fallbacks = nil, nil // so that messages can be read
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(8)
	t.Cleanup(func() {
		p.Resume()
		p.Hangup()
		pool.Close()
	})
	return pool, p
}

func newProxy(network, address string) *Proxy {
	p := &Proxy{network: network, address: address, links: map[*link]bool{}, stalled: make(chan struct{})}
	close(p.stalled)
	return p
}

// listen serves connections on a port of this machine until the test ends, each in a
// goroutine of its own.
func listen(t testing.TB, serve func(net.Conn)) (host string, port uint16) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("enginetest: %v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wg.Wait()
	})
	address := listener.Addr().(*net.TCPAddr)
	return address.IP.String(), uint16(address.Port)
}

// Cut cuts the connection of each of the next n messages that hold the text, in any case.
func (p *Proxy) Cut(m Moment, text string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moment, p.message, p.left = m, bytes.ToLower([]byte(text)), n
}

// Cuts returns how many messages were cut.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Hangup cuts all connections now; new ones are served.
func (p *Proxy) Hangup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

// Stall holds back everything that clients say until Resume; connections stay open.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = make(chan struct{})
}

// Resume ends Stall.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stalled:
	default:
		close(p.stalled)
	}
}

// serve copies both ways until one end hangs up.
func (p *Proxy) serve(client net.Conn) {
	server, err := net.Dial(p.network, p.address)
	if err != nil {
		client.Close()
		return
	}
	l := &link{client, server}
	p.mu.Lock()
	p.links[l] = true
	p.mu.Unlock()
	mute := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { l.answer(mute) })
	p.ask(l, mute)
	wg.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// ask carries what the client says.
func (p *Proxy) ask(l *link, mute chan struct{}) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buffer)
		if err != nil {
			l.close()
			return
		}
		p.mu.Lock()
		stalled := p.stalled
		p.mu.Unlock()
		<-stalled
		switch p.judge(buffer[:n]) {
		case Before:
			l.close()
			return
		case After: // the answer closes the link
			close(mute)
			_, _ = l.server.Write(buffer[:n])
			return
		}
		if _, err := l.server.Write(buffer[:n]); err != nil {
			l.close()
			return
		}
	}
}

// judge says whether what a client said is to be cut.
func (p *Proxy) judge(said []byte) Moment {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 || !bytes.Contains(bytes.ToLower(said), p.message) {
		return 0
	}
	p.left--
	p.cuts++
	return p.moment
}

// answer carries what the server says.
func (l *link) answer(mute chan struct{}) {
	defer l.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buffer)
		if err != nil {
			return
		}
		select {
		case <-mute:
			return
		default:
		}
		if _, err := l.client.Write(buffer[:n]); err != nil {
			return
		}
	}
}
