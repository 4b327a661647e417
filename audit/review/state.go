package review

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Bounds of what is remembered of an actor.
const (
	maxDays  = 31   // days with counts
	maxMarks = 128  // events in a window; older ones are counted together
	maxShown = 20   // events of a day
	maxKnown = 4096 // patients seen; who was not seen longest is forgotten
)

// tenantState is what Place.Data holds.
type tenantState struct {
	Clock  clock `json:"clock"`
	Actors int   `json:"actors"` // rows there are
	Since  int64 `json:"since"`  // what was recorded before makes no findings, microseconds
}

// clock is the tenant's time as its events tell it. Servers' clocks differ and are set, so nothing
// is measured between two times of Recorded but through it: Now never goes back, and a leap, in
// either direction, is one day more on which something was recorded, however far it went.
type clock struct {
	High int64 `json:"high"` // the latest Recorded, or that after a step back
	Now  int64 `json:"now"`  // microseconds since the first event
	Day  int64 `json:"day"`  // days on which anything was recorded, so far
	Date int   `json:"date"` // the last of them
}

// slack is by how much events may be out of order, and leap what one step forward counts at most: it
// is longer than any window, and a clock that swings between centuries cannot make Now overflow.
const (
	slack = int64(10 * time.Minute / time.Microsecond)
	leap  = int64(31 * day / time.Microsecond)
)

// tick goes on to an event.
func (c *clock) tick(recorded time.Time, zone *time.Location) {
	us := recorded.UnixMicro()
	switch {
	case c.Day == 0:
		c.High = us
	case us >= c.High:
		c.Now += min(us-c.High, leap)
		c.High = us
	case us < c.High-slack:
		c.High = us
	}
	y, m, d := time.UnixMicro(c.High).In(zone).Date()
	if date := y*10000 + int(m)*100 + d; date != c.Date {
		c.Date = date
		c.Day++
	}
}

// state is what Actor.Data holds.
type state struct {
	Since int64           `json:"since"`          // tenant's day of the first event
	Seen  int64           `json:"seen"`           // and of the last
	Days  []counts        `json:"days,omitempty"` // oldest first
	Marks map[Name][]mark `json:"marks,omitempty"`
	Known []known         `json:"-"` // longest not seen first
	Pack  []byte          `json:"known,omitempty"`
	Runs  [2]run          `json:"runs"` // of patients and of other objects
	Last  map[Name]last   `json:"last,omitempty"`
}

// counts is one day of one actor.
type counts struct {
	Day  int64 `json:"d"`
	N    int   `json:"n"`           // records opened or changed
	Peak int   `json:"p,omitempty"` // different patients in the busiest window
	New  int   `json:"f,omitempty"` // first contacts
	Off  int   `json:"o,omitempty"` // records opened while closed
}

// mark is one event in a window.
type mark struct {
	At  int64  `json:"a"`           // clock.Now
	Rec int64  `json:"r"`           // Recorded, microseconds
	N   int    `json:"n"`           // what it counts
	Key uint32 `json:"k,omitempty"` // counts once; 0: counts always
	ID  string `json:"i"`
}

// known is a patient seen: four bytes of a digest, and the tenant's day (modulo 2^16) on which the
// host was asked last.
type known struct {
	Key uint32
	Day uint16
}

// run is identifiers that follow one another.
type run struct {
	Last  string `json:"l,omitempty"`
	Next  int    `json:"n,omitempty"` // so many are each next to the one before
	Along int    `json:"s,omitempty"` // so many are in order
	Up    bool   `json:"u,omitempty"`
	Marks []mark `json:"m,omitempty"`
}

// last is the finding that a rule made last for an actor.
type last struct {
	ID   string `json:"id,omitempty"`
	At   int64  `json:"at"`             // clock.Now when something was added
	Done int64  `json:"done,omitempty"` // the day whose counts were reviewed
}

// keyOf is the digest by which a patient is known.
func keyOf(p audit.Patient) uint32 {
	sum := sha256.Sum256([]byte(p))
	return max(1, binary.BigEndian.Uint32(sum[:]))
}

func (s *state) encode() []byte {
	s.Pack = make([]byte, 0, 6*len(s.Known))
	for _, k := range s.Known {
		s.Pack = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(s.Pack, k.Key), k.Day)
	}
	data, _ := json.Marshal(s) // numbers and strings only
	return data
}

func decodeState(data []byte) (*state, error) {
	s := &state{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, err
	}
	for p := s.Pack; len(p) >= 6; p = p[6:] {
		s.Known = append(s.Known, known{binary.BigEndian.Uint32(p), binary.BigEndian.Uint16(p[4:])})
	}
	s.Pack = nil
	s.complete()
	return s, nil
}

func newState(day int64) *state {
	s := &state{Since: day, Seen: day}
	s.complete()
	return s
}

func (s *state) complete() {
	if s.Marks == nil {
		s.Marks = map[Name][]mark{}
	}
	if s.Last == nil {
		s.Last = map[Name]last{}
	}
}

// today returns the counts of a day, and drops those that are too old.
func (s *state) today(day int64) *counts {
	if n := len(s.Days); n == 0 || s.Days[n-1].Day != day {
		s.Days = append(s.Days, counts{Day: day})
		for s.Days[0].Day <= day-maxDays || len(s.Days) > maxDays {
			s.Days = s.Days[1:]
		}
	}
	return &s.Days[len(s.Days)-1]
}

// usual returns the median of a number over the days before today on which the actor opened
// records, and how many these are. One wild day moves a median little, and so does one that an
// intruder prepares.
func (s *state) usual(today int64, of func(*counts) int) (median, days int) {
	var all []int
	for i := range s.Days {
		if d := &s.Days[i]; d.Day < today && d.N > 0 {
			all = append(all, of(d))
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], len(all)
}

// meet returns the day on which the host was asked about a patient last, and whether the patient
// was seen before.
func (s *state) meet(key uint32) (day uint16, before bool) {
	for i := len(s.Known) - 1; i >= 0; i-- {
		if s.Known[i].Key == key {
			return s.Known[i].Day, true
		}
	}
	return 0, false
}

// know remembers that a patient was seen.
func (s *state) know(key uint32, day uint16) {
	if i := slices.IndexFunc(s.Known, func(k known) bool { return k.Key == key }); i >= 0 {
		s.Known = slices.Delete(s.Known, i, i+1)
	}
	s.Known = append(s.Known, known{key, day})
	if len(s.Known) > maxKnown {
		s.Known = s.Known[len(s.Known)-maxKnown:]
	}
}

// within returns the marks with one more, without those that left the window. Beyond most, the two
// oldest become one.
func within(marks []mark, m mark, window time.Duration, most int) []mark {
	var keep []mark
	for _, o := range marks {
		if m.At-o.At < window.Microseconds() && (m.Key == 0 || o.Key != m.Key) {
			keep = append(keep, o)
		}
	}
	keep = append(keep, m)
	for len(keep) > most {
		keep[1].N += keep[0].N
		keep = keep[1:]
	}
	return keep
}

func sum(marks []mark) (n int) {
	for _, m := range marks {
		n += m.N
	}
	return n
}
