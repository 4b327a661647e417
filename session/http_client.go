package session

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddr returns the address of the client that sent a request, or the zero Addr if it
// cannot tell. There is no default: a host that stands behind a proxy and does not say so
// would take the proxy for every client, and one that believes any header takes the client's
// word for it.
type ClientAddr func(r *http.Request) netip.Addr

// RemoteAddr is the address of the connection's other end: right where no proxy stands
// between the client and this server. It reads no header.
func RemoteAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a Unix socket, for example
	}
	return plain(peer.Addr())
}

// TrustedProxy reads X-Forwarded-For, but only as far as proxies whose addresses lie in
// trusted vouch for it: from its right end, where the nearest proxy wrote, to the first
// address that is not a trusted proxy. What a client wrote there itself lies further left
// and is never reached. A connection that does not come from a trusted proxy is taken by its
// own address; an entry that is no address makes the client unknown.
//
// A prefix of zero bits trusts everybody, so nobody: it matches nothing. The proxies must
// append to the header or replace it.
func TrustedProxy(trusted ...netip.Prefix) ClientAddr {
	trusted = slices.Clone(trusted)
	return func(r *http.Request) netip.Addr {
		client := RemoteAddr(r)
		lines := r.Header["X-Forwarded-For"]
		for i := len(lines) - 1; i >= 0; i-- {
			for rest, more := lines[i], true; more; {
				if !within(trusted, client) {
					return client
				}
				var entry string
				rest, entry, more = cutLast(rest)
				if client = forwarded(entry); !client.IsValid() {
					return client
				}
			}
		}
		return client
	}
}

// cutLast splits the last entry off a comma-separated list.
func cutLast(list string) (rest, entry string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// forwarded parses one entry: an address, some proxies add a port.
func forwarded(entry string) netip.Addr {
	entry = strings.Trim(entry, " \t")
	if a, err := netip.ParseAddr(entry); err == nil {
		return plain(a)
	}
	if p, err := netip.ParseAddrPort(entry); err == nil {
		return plain(p.Addr())
	}
	return netip.Addr{}
}

// plain drops what makes equal addresses differ: the IPv6 form of an IPv4 address, a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
