package main

import "net/netip"

// place says where an address is, as far as the clinic can tell by itself. A host that knows more
// asks a database of places here; nobody outside is asked about anybody's address.
func place(addr netip.Addr) string {
	addr = addr.Unmap()
	for _, p := range places() {
		if p.where.Contains(addr) {
			return p.name
		}
	}
	switch {
	case !addr.IsValid():
		return "Place not known"
	case addr.IsLoopback():
		return "The clinic’s server itself"
	case addr.IsPrivate(), addr.IsLinkLocalUnicast():
		return "A private network, such as the clinic’s"
	}
	return "Somewhere on the internet"
}

// places are those of the demo: the ranges that are reserved for documentation (RFC 5737, 3849).
func places() []struct {
	where netip.Prefix
	name  string
} {
	return []struct {
		where netip.Prefix
		name  string
	}{
		{netip.MustParsePrefix("192.0.2.0/24"), "Harbor Clinic, main building"},
		{netip.MustParsePrefix("198.51.100.0/24"), "Harbor Clinic, river branch"},
		{netip.MustParsePrefix("203.0.113.0/24"), "Springfield"},
		{netip.MustParsePrefix("2001:db8::/32"), "Lakeview"},
	}
}
