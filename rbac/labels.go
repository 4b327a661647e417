package rbac

import (
	"math/bits"
	"strconv"
)

// Labels is a set of security labels of a record, one bit each. A host keeps it in an integer
// column of 64 bits (Columns.Labels), NULL or 0 for none. The values are stored by hosts and
// never change their meaning. The names are those that events carry. A record with a label that
// this release does not know is held back from everybody, in checks and lists alike.
type Labels uint64

// The labels. HostLabel makes further ones.
const (
	LabelPsychotherapy Labels = 1 << iota // psychotherapy notes, 45 CFR 164.501
	LabelPart2                            // substance use disorder records, 42 CFR Part 2
	LabelHIV                              // HIV test results and status, protected by state law
	LabelReproductive                     // reproductive health care
	LabelVIP                              // people whose records attract the curious
	LabelEmployee                         // records of the host's own staff
	LabelUnreleased                       // not yet released to the patient
)

const (
	knownLabels = 7
	firstHost   = 32
	// MaxHostLabels is how many labels of its own a host can have.
	MaxHostLabels = 31
)

// HostLabel returns the host's own label of number n, 0 to MaxHostLabels-1; out of range the
// empty set, which Compile refuses in a Forbid.
func HostLabel(n int) Labels {
	if n < 0 || n >= MaxHostLabels {
		return 0
	}
	return 1 << (firstHost + n)
}

// Has reports whether l holds every label of other, and other is not empty.
func (l Labels) Has(other Labels) bool { return other != 0 && l&other == other }

// Names returns the labels' names in order of their bits: "psychotherapy", "42cfr2", "hiv",
// "reproductive", "vip", "employee", "unreleased", "host_0" …; "label_<bit>" for others.
func (l Labels) Names() []string {
	if l == 0 {
		return nil
	}
	names := make([]string, 0, bits.OnesCount64(uint64(l)))
	for rest := uint64(l); rest != 0; rest &= rest - 1 {
		names = append(names, labelName(bits.TrailingZeros64(rest)))
	}
	return names
}

func labelName(bit int) string {
	switch {
	case bit < knownLabels:
		return [knownLabels]string{"psychotherapy", "42cfr2", "hiv", "reproductive", "vip", "employee", "unreleased"}[bit]
	case bit >= firstHost && bit < firstHost+MaxHostLabels:
		return "host_" + strconv.Itoa(bit-firstHost)
	}
	return "label_" + strconv.Itoa(bit)
}

// LabelsOf returns the set of the named labels, and false if a name is unknown.
func LabelsOf(names ...string) (Labels, bool) {
	var set Labels
	for _, name := range names {
		bit := 0
		for bit < 64 && (labelName(bit) != name || !valid(1<<bit)) {
			bit++
		}
		if bit == 64 {
			return 0, false
		}
		set |= 1 << bit
	}
	return set, true
}

// unknownLabels are those that neither this package nor HostLabel names: of a later release, or
// of nobody. What they demand is not known here, so a record that carries one is nobody's.
const unknownLabels = ^(Labels(1<<knownLabels-1) | Labels((1<<MaxHostLabels-1)<<firstHost))

// unknownLabel is how a denial names the rule about them, as the name of a Forbid.
const unknownLabel = "unknown_label"

// valid reports whether every label of l is one that this package or HostLabel names.
func valid(l Labels) bool { return l&unknownLabels == 0 }
