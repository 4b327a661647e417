package enginetest

import (
	"context"
	"database/sql"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"
)

// pooler gives a client another connection to the server for each transaction, as PgBouncer
// does with pool_mode=transaction: what a session keeps, it keeps for whoever comes next.
type pooler struct {
	config *pgx.ConnConfig
	idle   chan *pgconn.HijackedConn
	end    context.Context //nolint:containedctx // ends when the test is over

	mu   sync.Mutex
	last uint32                          // client's number
	busy map[uint32]*pgconn.HijackedConn // by client
}

// Pooled returns a pool whose transactions are carried out on n connections to a PostgreSQL
// server in turn. All ends with the test.
func Pooled(t testing.TB, address string, n int) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatalf("enginetest: PostgreSQL: %v", err)
	}
	end, stop := context.WithCancel(context.Background())
	p := &pooler{config: config.Copy(), idle: make(chan *pgconn.HijackedConn, n), end: end, busy: map[uint32]*pgconn.HijackedConn{}}
	t.Cleanup(p.close)
	for range n {
		conn, err := p.connect(t.Context())
		if err != nil {
			stop()
			t.Fatalf("enginetest: PostgreSQL: %v", err)
		}
		p.idle <- conn
	}
	config.Host, config.Port = listen(t, p.serve)
	config.TLSConfig, config.Fallbacks = nil, nil
	config.RuntimeParams = nil                          // the server's connections have them
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // named statements do not survive a change of connections
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(8)
	t.Cleanup(func() {
		pool.Close()
		stop() // before listen waits for serve
		p.hangup()
	})
	return pool
}

// close closes the connections to the server, those too that took the place of others.
func (p *pooler) close() {
	for {
		select {
		case server := <-p.idle:
			server.Conn.Close()
		default:
			return
		}
	}
}

// hangup closes the connections that are in use: whoever waits for an answer of the server ends.
func (p *pooler) hangup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, server := range p.busy {
		if server != nil {
			server.Conn.Close()
		}
	}
}

// take waits for a connection that nobody uses; nil when the test is over.
func (p *pooler) take() *pgconn.HijackedConn {
	select {
	case server := <-p.idle:
		return server
	case <-p.end.Done():
		return nil
	}
}

func (p *pooler) connect(ctx context.Context) (*pgconn.HijackedConn, error) {
	conn, err := pgconn.ConnectConfig(ctx, &p.config.Config)
	if err == nil {
		err = conn.SyncConn(ctx) // else a goroutine of the driver's may still read what comes next
	}
	if err != nil {
		return nil, err
	}
	return conn.Hijack()
}

// serve carries a client's messages to a connection that nobody uses, and keeps that until
// the server says that no transaction is open.
func (p *pooler) serve(client net.Conn) {
	defer client.Close()
	number, ok := p.greet(client)
	for ok {
		first, err := message(client)
		if err != nil || first[0] == 'X' {
			return
		}
		server := p.take()
		if server == nil {
			return
		}
		p.uses(number, server)
		var ready []byte
		ready, ok = transaction(client, server.Conn, first)
		p.uses(number, nil)
		if !ok { // the client left within it
			server = p.replace(server)
		}
		if server != nil {
			p.idle <- server
		}
		if ok {
			_, err = client.Write(ready)
			ok = err == nil
		}
	}
}

// uses notes which connection a client's transaction is on.
func (p *pooler) uses(client uint32, server *pgconn.HijackedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy[client] = server
}

// greet answers a client's startup message with what a server of the pool had said, and
// passes on its wish to cancel what runs for another connection of its own.
func (p *pooler) greet(client net.Conn) (number uint32, ok bool) {
	backend := pgproto3.NewBackend(client, client)
	startup, err := backend.ReceiveStartupMessage()
	if err != nil {
		return 0, false
	}
	if cancel, is := startup.(*pgproto3.CancelRequest); is {
		p.cancel(cancel.ProcessID)
		return 0, false
	}
	server := p.take()
	if server == nil {
		return 0, false
	}
	defer func() { p.idle <- server }()
	p.mu.Lock()
	p.last++
	number = p.last
	p.mu.Unlock()
	backend.Send(&pgproto3.AuthenticationOk{})
	for name, value := range server.ParameterStatuses {
		backend.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	backend.Send(&pgproto3.BackendKeyData{ProcessID: number, SecretKey: server.SecretKey})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return number, backend.Flush() == nil
}

// cancel asks the server to cancel what runs for a client. Until it has done so the
// connection is nobody else's, who would be hit instead.
func (p *pooler) cancel(client uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	server := p.busy[client]
	if server == nil {
		return
	}
	network, address := pgconn.NetworkAddress(p.config.Host, p.config.Port)
	conn, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer conn.Close()
	request, err := (&pgproto3.CancelRequest{ProcessID: server.PID, SecretKey: server.SecretKey}).Encode(nil)
	if err == nil {
		_, _ = conn.Write(request)
		_, _ = conn.Read(request) // until the server hangs up
	}
}

// replace connects anew, again and again where the server has too many connections: with one
// less each time, clients would wait for ever in the end. It returns nil when the test is over.
func (p *pooler) replace(old *pgconn.HijackedConn) *pgconn.HijackedConn {
	old.Conn.Close()
	for p.end.Err() == nil {
		server, err := p.connect(p.end)
		if err == nil {
			return server
		}
		select {
		case <-p.end.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// transaction carries messages until no transaction is open. That message of the server's is for
// the caller to pass on, when the connection is somebody else's to use.
func transaction(client, server net.Conn, first []byte) (ready []byte, ok bool) {
	for said := first; ; {
		if _, err := server.Write(said); err != nil {
			return nil, false
		}
		if said[0] == 'Q' || said[0] == 'S' { // a query, or Sync: the server answers
			ready, ok = answers(client, server)
			if !ok || ready[5] == 'I' {
				return ready, ok
			}
			if _, err := client.Write(ready); err != nil {
				return nil, false
			}
		}
		var err error
		if said, err = message(client); err != nil || said[0] == 'X' {
			return nil, false
		}
	}
}

// answers carries what the server says until it waits for the next query, and returns its message
// that it does.
func answers(client, server net.Conn) (ready []byte, ok bool) {
	for {
		said, err := message(server)
		if err != nil {
			return nil, false
		}
		if said[0] == 'Z' {
			return said, true
		}
		if _, err := client.Write(said); err != nil {
			return nil, false
		}
	}
}

// message reads one message of the protocol: a type, the length of what follows, that.
func message(conn net.Conn) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[1:])) - 4
	all := append(head, make([]byte, n)...)
	_, err := io.ReadFull(conn, all[5:])
	return all, err
}
