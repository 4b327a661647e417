package export

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/signed"
	"github.com/wardkit/wardkit/audit/tlog"
)

// Manifest says what an export holds and proves it. It is signed with the exporter's key as a C2SP
// signed note whose text is "wardkit export v1", a line break, this as JSON, and a line break.
type Manifest struct {
	Origin string       `json:"origin"` // which exporter
	ID     string       `json:"id"`     // of the export and of its event in the log
	Format string       `json:"format"` // "jsonl", "csv" …
	Made   time.Time    `json:"made"`
	Tenant audit.Tenant `json:"tenant"`

	// What was selected: all events with an index from From to To-1 or, where Filter is set, those
	// of them that it selects.
	From   int64   `json:"from"`
	To     int64   `json:"to"`
	Filter *Filter `json:"filter,omitempty"`

	Count  int64     `json:"count"`            // events
	Purged int64     `json:"purged,omitempty"` // places from From to To-1 whose events were purged
	Bytes  int64     `json:"bytes"`            // length of the export
	SHA256 tlog.Hash `json:"sha256"`           // over the export

	// The proof that these are the events of a signed tree: Left are the hashes of the whole
	// subtrees before From, from the largest to the smallest, Head is the tree of size To, Path leads
	// from it to the checkpoint, which is signed with the log's key.
	Left       []tlog.Hash `json:"left,omitempty"`
	Head       tlog.Head   `json:"head"`
	Path       []tlog.Hash `json:"path"`
	Checkpoint string      `json:"checkpoint"`
}

// Filter selects events; an empty field does not restrict. It is audit.Query's.
type Filter struct {
	Start        time.Time       `json:"start,omitzero"`
	End          time.Time       `json:"end,omitzero"`
	Actors       []audit.ActorID `json:"actors,omitempty"`
	Actions      []audit.Action  `json:"actions,omitempty"`
	Outcomes     []audit.Outcome `json:"outcomes,omitempty"`
	Patient      audit.Patient   `json:"patient,omitempty"`
	ResourceType string          `json:"resource_type,omitempty"`
	ResourceID   string          `json:"resource_id,omitempty"`
}

// select returns what a store is asked.
func (f *Filter) store(t audit.Tenant) audit.Filter {
	if f == nil {
		return audit.Filter{Tenant: t}
	}
	return audit.Filter{
		Tenant: t, From: f.Start, To: f.End, Actors: f.Actors, Actions: f.Actions, Outcomes: f.Outcomes,
		Patient: f.Patient, ObjectType: f.ResourceType, ObjectID: f.ResourceID,
	}
}

const manifestTitle = "wardkit export v1\n"

// maxManifest bounds what is read as a manifest, in bytes.
const maxManifest = 1 << 20

// OpenManifest reads a signed manifest. The verifier key is the exporter's, in the form of C2SP
// signed notes ("origin+hash+key"). Anything that is not signed with it: ErrManifest.
func OpenManifest(data []byte, verifierKey string) (Manifest, error) {
	if len(data) > maxManifest {
		return Manifest{}, ErrManifest
	}
	text, name, err := signed.Open(data, verifierKey)
	if err != nil {
		return Manifest{}, ErrManifest
	}
	body, ok := strings.CutPrefix(text, manifestTitle)
	if !ok {
		return Manifest{}, ErrManifest
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	var m Manifest
	if err := d.Decode(&m); err != nil || m.Origin != name {
		return Manifest{}, ErrManifest
	}
	again, err := m.text()
	if err != nil || again != text {
		return Manifest{}, ErrManifest
	}
	return m, nil
}

func (m *Manifest) text() (string, error) {
	body, err := json.Marshal(m)
	return manifestTitle + string(body) + "\n", err
}

// sign returns the signed note of a manifest.
func sign(s *signed.Signer, m *Manifest) ([]byte, error) {
	text, err := m.text()
	if err != nil {
		return nil, unavailable("encoding a manifest", err)
	}
	note, err := s.Note(text)
	if err != nil {
		return nil, unavailable("signing a manifest", err)
	}
	return note, nil
}
