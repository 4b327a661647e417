package redact_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/redact"
)

// planted is an identifier in a generated note.
type planted struct {
	from, to int
	class    phi.Class
	known    bool // of the patient, so that the record has it
}

// notes writes invented clinical notes around identifiers it remembers.
type notes struct {
	r       *rand.Rand
	b       strings.Builder
	planted []planted
	patient []redact.Identifier
	first   string
	last    string
	phone   string
	mrn     string
	ssn     string
	birth   time.Time
	street  string
	email   string
}

func (n *notes) pick(of ...string) string { return of[n.r.IntN(len(of))] }

func (n *notes) digits(count int) string {
	b := make([]byte, count)
	for i := range b {
		b[i] = byte('0' + n.r.IntN(10))
	}
	return string(b)
}

func newNotes(seed uint64) *notes {
	n := &notes{r: rand.New(rand.NewPCG(seed, 1))}
	n.first = n.pick("Ana", "Tomas", "Maribel", "Xochitl", "Siobhan", "Oluwaseun", "Grace", "Hiroshi", "Beatriz", "Will", "Anneliese", "José", "Li", "Priyanka", "Dmitri")
	n.last = n.pick("Ruiz", "Berg", "Okonkwo", "Nguyen", "Pérez-Luna", "O'Connor", "Kowalczyk", "Hill", "Van Dyke", "Yamamoto", "Fernández", "Brown", "Ó Briain", "Schmidt")
	n.phone = n.pick("212", "646", "312", "503") + "55501" + n.digits(2)
	n.mrn = "HC" + n.digits(6)
	n.ssn = fmt.Sprintf("%03d%02d%04d", 1+n.r.IntN(665), 1+n.r.IntN(99), 1+n.r.IntN(9999))
	n.birth = time.Date(1930+n.r.IntN(80), time.Month(1+n.r.IntN(12)), 1+n.r.IntN(28), 0, 0, 0, 0, time.UTC)
	n.street = fmt.Sprintf("%d %s %s", 100+n.r.IntN(9000), n.pick("Juniper", "Maple Grove", "Old Mill", "Third", "Harbor View"), n.pick("Street", "Ave", "Road", "Lane", "Blvd"))
	n.email = strings.ToLower(fold(n.first)+"."+fold(n.last)) + "@example.com"
	n.patient = []redact.Identifier{
		{Class: phi.ClassName, Value: n.first + " " + n.last},
		{Class: phi.ClassPhone, Value: n.phone},
		{Class: phi.ClassMRN, Value: n.mrn},
		{Class: phi.ClassSSN, Value: n.ssn},
		{Class: phi.ClassDate, Value: n.birth.Format(time.DateOnly)},
		{Class: phi.ClassGeography, Value: n.street},
		{Class: phi.ClassEmail, Value: n.email},
	}
	return n
}

func fold(s string) string {
	return strings.NewReplacer("é", "e", "á", "a", "Ó", "O", "'", "", "-", "", " ", "").Replace(s)
}

func (n *notes) say(s string) { n.b.WriteString(s) }

func (n *notes) plant(s string, class phi.Class, known bool) {
	from := n.b.Len()
	n.b.WriteString(s)
	n.planted = append(n.planted, planted{from, n.b.Len(), class, known})
}

// name writes the patient's name the way notes do, with a slip of the keyboard now and then.
func (n *notes) name() {
	switch first := strings.Fields(n.first)[0]; n.r.IntN(6) {
	case 0:
		n.plant(n.first+" "+n.last, phi.ClassName, true)
	case 1:
		n.say(n.pick("Mr. ", "Mrs. ", "Ms. "))
		n.plant(n.last, phi.ClassName, true)
	case 2:
		n.plant(strings.ToUpper(fold(first)), phi.ClassName, true)
	case 3:
		if len(first) >= 6 {
			i := 1 + n.r.IntN(len(first)-2)
			n.plant(first[:i]+first[i+1:], phi.ClassName, true)
			return
		}
		n.plant(first, phi.ClassName, true)
	default:
		n.plant(first, phi.ClassName, true)
	}
}

func (n *notes) sentence() {
	others := n.pick("Karen", "Miguel", "Fatima", "Bob", "Sun-Hee")
	surnames := n.pick("Larsen", "Ortega", "Haddad", "Whitfield", "Park")
	at := n.birth.AddDate(20+n.r.IntN(20), n.r.IntN(12), n.r.IntN(28))
	switch n.r.IntN(24) {
	case 0:
		n.name()
		n.say(" reports low mood for 6 weeks, PHQ-9 score 17, sleep 4-5 hours.")
	case 1:
		n.say("Called ")
		n.plant(n.pick(n.phone[:3]+"-"+n.phone[3:6]+"-"+n.phone[6:], "("+n.phone[:3]+") "+n.phone[3:6]+"-"+n.phone[6:], n.phone, n.phone[:3]+"."+n.phone[3:6]+"."+n.phone[6:]), phi.ClassPhone, true)
		n.say(", no answer.")
	case 2:
		n.say(n.pick("MRN ", "MRN: ", "Chart # ", "Medical record no. "))
		n.plant(n.mrn, phi.ClassMRN, true)
		n.say(" reviewed.")
	case 3:
		n.say(n.pick("SSN ", "Social security number "))
		n.plant(n.pick(n.ssn[:3]+"-"+n.ssn[3:5]+"-"+n.ssn[5:], n.ssn), phi.ClassSSN, true)
		n.say(" verified by the front desk.")
	case 4:
		n.say("DOB ")
		n.plant(n.birth.Format(n.pick("01/02/2006", "2006-01-02", "January 2, 2006", "1/2/06")), phi.ClassDate, true)
		n.say(".")
	case 5:
		n.say("Lives at ")
		n.plant(n.street, phi.ClassGeography, true)
		n.say(" with two children.")
	case 6:
		n.say("Prefers e-mail to ")
		n.plant(n.email, phi.ClassEmail, true)
		n.say(".")
	case 7:
		n.say("First episode on ")
		n.plant(at.Format(n.pick("1/2/2006", "2 January 2006", "Jan 2, 2006", "2006-01-02")), phi.ClassDate, false)
		n.say(", second after sertraline 50 mg was stopped.")
	case 8:
		n.say(n.pick("Mother: ", "Contact: ", "Dr. ", "Mr. "))
		n.plant(others+" "+surnames, phi.ClassName, false)
		n.say(" was informed.")
	case 9: // a name without any sign of being one
		n.say("The sister ")
		n.plant(others, phi.ClassName, false)
		n.say(" will bring the child.")
	case 10:
		n.say("Referred by NPI ")
		n.plant(npi(n.digits(8)), phi.ClassLicence, false)
		n.say(".")
	case 11:
		n.say("Insurance: member ID ")
		n.plant("XK"+n.digits(7), phi.ClassHealthPlan, false)
		n.say(", plan checked.")
	case 12:
		n.say("From ")
		n.plant(n.pick("Springfield, IL 62704", "Portland, OR 97201", "New Haven, CT 06510"), phi.ClassGeography, false)
		n.say(" originally.")
	case 13:
		n.say("Form at ")
		n.plant("https://forms.example.com/f/"+n.digits(6), phi.ClassURL, false)
		n.say(" completed, from ")
		n.plant("192.0.2."+fmt.Sprint(n.r.IntN(255)), phi.ClassIP, false)
		n.say(".")
	case 14:
		n.say("Grandfather is a ")
		n.plant(fmt.Sprint(90+n.r.IntN(12)), phi.ClassDate, false)
		n.say("-year-old veteran.")
	case 15:
		n.say("Fax records to ")
		n.plant("503-555-01"+n.digits(2), phi.ClassFax, false)
		n.say(".")
	default:
		n.say(n.pick(
			"BP 118/76, pulse 72, temp 98.6, pain 3/10.", "Continue sertraline 100 mg daily; recheck in 4 weeks.", "GAD-7 score 12, down from 15.", "A 45-year-old teacher, ICD-10 F32.1.",
			"Session 12 of 20, 50 minutes, CPT 90837.", "Will practise breathing twice a day; may return to work in May.", "Grace under pressure was a theme; the hill behind the school, too.", "Sleep 6.5 hours, 2-3 awakenings.",
			"Labs: TSH 2.1, glucose 96, ferritin 41.", "Denies thoughts of self-harm.", "Brown rash on the left arm, 3 cm.", "Room 4, interpreter present since 2019."))
	}
	n.say(n.pick(" ", "\n"))
}

func npi(d string) string {
	for c := '0'; c <= '9'; c++ {
		if full := "1" + d + string(c); luhn("80840" + full) {
			return full
		}
	}
	return ""
}

func luhn(d string) bool {
	sum := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			v = v*2/10 + v*2%10
		}
		sum += v
	}
	return sum%10 == 0
}

// score counts over a generated corpus: identifiers planted and found, and bytes of what was removed
// and had not been planted.
type score struct {
	planted, found map[phi.Class]int
	removed, wrong int
}

// ownName counts names of the patients apart from those of others.
const ownName phi.Class = "own name"

func measure(t *testing.T, count uint64, known bool) (s score, chars int) {
	s = score{planted: map[phi.Class]int{}, found: map[phi.Class]int{}}
	for seed := range count {
		n := newNotes(seed)
		for range 12 {
			n.sentence()
		}
		text := n.b.String()
		chars += len(text)
		all, err := redact.Rules{}.Detect(t.Context(), text)
		require.NoError(t, err)
		if known {
			more, err := redact.NewKnown(n.patient...).Detect(t.Context(), text)
			require.NoError(t, err)
			all = append(all, more...)
		}
		gone, meant := make([]bool, len(text)), make([]bool, len(text))
		for _, f := range all {
			for i := f.From; i < f.To; i++ {
				gone[i] = true
			}
		}
		for _, p := range n.planted {
			class := p.class
			if p.known && class == phi.ClassName {
				class = ownName
			}
			s.planted[class]++
			whole := true
			for i := p.from; i < p.to; i++ {
				meant[i] = true
				c := text[i]
				whole = whole && (gone[i] || c == ' ' || c == ',' || c == '-' || c == '\'' || c == '.')
			}
			if whole {
				s.found[class]++
			}
		}
		for i := range text {
			if gone[i] {
				s.removed++
				if !meant[i] {
					s.wrong++
				}
			}
		}
	}
	return s, chars
}

// TestCorpus measures recall (identifiers removed whole) and precision (of the bytes removed) on
// generated notes, with the patient's own identifiers known. Of names of other people that nothing
// announces, none is found; that is why nothing here promises de-identification.
func TestCorpus(t *testing.T) {
	least := map[phi.Class]float64{
		ownName: 0.99, phi.ClassName: 0.40, phi.ClassPhone: 0.99, phi.ClassMRN: 0.99, phi.ClassSSN: 0.99, phi.ClassDate: 0.99, phi.ClassGeography: 0.97, phi.ClassEmail: 0.99,
		phi.ClassLicence: 0.99, phi.ClassHealthPlan: 0.99, phi.ClassURL: 0.99, phi.ClassIP: 0.99, phi.ClassFax: 0.99,
	}
	s, chars := measure(t, 500, true)
	alone, _ := measure(t, 500, false)
	t.Logf("%d notes, %d bytes", 500, chars)
	for _, class := range append(phi.Classes(), ownName) {
		if s.planted[class] == 0 {
			continue
		}
		recall := float64(s.found[class]) / float64(s.planted[class])
		t.Logf("%-11s planted %5d, found by rules %.3f, and with the patient's own %.3f", class, s.planted[class], float64(alone.found[class])/float64(alone.planted[class]), recall)
		require.GreaterOrEqual(t, recall, least[class], class)
		require.Positive(t, least[class], class)
	}
	precision := 1 - float64(s.wrong)/float64(s.removed)
	t.Logf("precision %.3f, by rules alone %.3f", precision, 1-float64(alone.wrong)/float64(alone.removed))
	require.GreaterOrEqual(t, precision, 0.97)
}
