package rbac

import (
	"iter"
	"net/http"
	"slices"
	"strings"
)

// Unguarded returns which routes of a host's own router m does not serve, as "METHOD pattern":
// what the router answers itself, past every decision. routes yields method and pattern, ""
// or "*" for every method, with wildcards as net/http, chi, gin, echo and fiber write them
// ({id}, {id:[0-9]+}, :id, *rest). HEAD counts as GET. A route is served if m has one of the
// same shape and method; the names of wildcards do not matter. A pattern that ends in a slash is
// everything below it, as net/http reads it: for a router that takes it as one path, yield it
// with {$} after it.
//
// It is for a test; Hold drops at run time what nobody decided.
func (m *Mux) Unguarded(routes iter.Seq2[string, string]) []string {
	served := map[string]bool{}
	for _, r := range m.routes {
		served[r.Method+" "+shape(r.Path)] = true
	}
	var out []string
	for method, pattern := range routes {
		method = strings.ToUpper(method)
		if method == "*" {
			method = ""
		}
		path := shape(pattern)
		ok := served[" "+path] || served[method+" "+path] || method == http.MethodHead && served[http.MethodGet+" "+path]
		if !ok {
			out = append(out, strings.TrimSpace(method+" "+pattern))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shape is a path with its wildcards unnamed: {} for one segment, {...} for the rest, which a
// slash at the end means too.
func shape(pattern string) string {
	exact := strings.TrimSuffix(pattern, "{$}")
	if exact == pattern && strings.HasSuffix(pattern, "/") {
		exact += "{rest...}"
	}
	segments := strings.Split(exact, "/")
	for i, s := range segments {
		switch {
		case strings.HasPrefix(s, "*"), strings.HasPrefix(s, "{") && strings.HasSuffix(s, "...}"), strings.HasPrefix(s, "{*"):
			segments[i] = "{...}"
		case strings.HasPrefix(s, ":"), strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}"):
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}
