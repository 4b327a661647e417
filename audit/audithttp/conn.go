package audithttp

import (
	"net"
	"time"
)

// conn is a hijacked connection. What is read from it is the client's own; what is written
// passes the gate.
type conn struct {
	raw      net.Conn
	response *response
}

// Write sends p once everything decided and seen before is durable; every 30 seconds it asks
// again whether the right still holds. If not, the connection is closed.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.admit(); err != nil {
		_ = c.raw.Close()
		return 0, err
	}
	return c.raw.Write(p)
}

func (c *conn) admit() error {
	w := c.response
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.withheld != nil {
		return ErrWithheld
	}
	return w.admit()
}

// Read reads what the client sends.
func (c *conn) Read(p []byte) (int, error) { return c.raw.Read(p) }

// Close closes the connection.
func (c *conn) Close() error { return c.raw.Close() }

// LocalAddr returns the server's address.
func (c *conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr returns the address of the client or of the proxy before it.
func (c *conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline bounds reading and writing.
func (c *conn) SetDeadline(t time.Time) error { return c.raw.SetDeadline(t) }

// SetReadDeadline bounds reading.
func (c *conn) SetReadDeadline(t time.Time) error { return c.raw.SetReadDeadline(t) }

// SetWriteDeadline bounds writing.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.raw.SetWriteDeadline(t) }
