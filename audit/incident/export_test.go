package incident

import "strings"

// Recode decodes and encodes a case.
func Recode(body []byte) ([]byte, error) {
	c, err := decode(body)
	if err != nil {
		return nil, err
	}
	return encode(&c)
}

// Remoment reads a line of a timeline.
func Remoment(body []byte) error {
	_, err := decodeMoment(body)
	return err
}

// Encoded is the bytes of a case with something in most fields.
func Encoded() []byte {
	c := Case{
		Tenant: "clinic", ID: "0190b7a8-0000-7000-8000-000000000001", Version: 7, State: Notifying, Kind: "lost_device", PHI: Yes, Part2: true,
		Source: Source{By: "p-ada", Kind: "staff", Finding: "f-1"}, Text: strings.Repeat("text ", 3), Owner: "p-ada", About: nil, Triaged: "p-ben",
		Discovered: Date(2026, 3, 2), Listed: []Count{{"NY", 3}}, Estimate: []Count{{"", 4}}, Assessments: []Assessment{{Conclusion: Breach, By: "p-ada"}},
		Notices: []Notice{{For: HHS, On: Date(2026, 3, 3), How: "mail", All: true}}, Delay: &Delay{Said: 3, Until: 4}, Reminded: []string{"a"},
	}
	b, err := encode(&c)
	if err != nil {
		panic(err)
	}
	return b
}
