package review

import (
	"strings"
	"time"
)

// follow goes on with an identifier.
func (r *run) follow(id string, m mark, window time.Duration) {
	for len(r.Marks) > 0 && m.At-r.Marks[0].At >= window.Microseconds() {
		r.Marks = r.Marks[1:]
	}
	n := len(r.Marks)
	switch {
	case n == 0:
		*r = run{Last: id, Next: 1, Along: 1, Marks: []mark{m}}
		return
	case r.Last == id:
		return // the same page again
	}
	r.Next, r.Along = min(r.Next, n), min(r.Along, n)
	up := id > r.Last
	if r.Along > 1 && up != r.Up {
		r.Along = 1
	}
	r.Along, r.Up = r.Along+1, up
	if neighbours(r.Last, id) {
		r.Next++
	} else {
		r.Next = 1
	}
	r.Last = id
	r.Marks = append(r.Marks, m)
	keep := min(maxMarks, max(r.Next, r.Along), len(r.Marks))
	r.Marks = r.Marks[len(r.Marks)-keep:]
}

// restart begins anew with the identifier that came last.
func (r *run) restart() {
	*r = run{Last: r.Last, Next: 1, Along: 1, Marks: r.Marks[len(r.Marks)-1:]}
}

// neighbours reports whether two identifiers are the same but for a number at their end, and the
// numbers are one or two apart.
func neighbours(a, b string) bool {
	if a == b {
		return false
	}
	heada, na := trailing(a)
	headb, nb := trailing(b)
	if na == "" || nb == "" || heada != headb {
		return false
	}
	// Only the last digits are subtracted; what stands before them has to be the same, or to
	// carry: identifiers may have more digits than a machine's number.
	const most = 15
	if len(na) > most || len(nb) > most {
		if len(na) != len(nb) || na[:len(na)-most] != nb[:len(nb)-most] {
			return false
		}
		na, nb = na[len(na)-most:], nb[len(nb)-most:]
	}
	d := number(na) - number(nb)
	return d >= -2 && d <= 2
}

// trailing cuts the digits at the end off.
func trailing(s string) (head, digits string) {
	head = strings.TrimRight(s, "0123456789")
	return head, s[len(head):]
}

func number(digits string) (n int64) {
	for _, d := range digits {
		n = 10*n + int64(d-'0')
	}
	return n
}
