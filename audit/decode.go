package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"time"
)

// Decode reads the canonical bytes of an event. Bytes that Encode would not have written,
// even if they are the same JSON, are refused with ErrDamaged. Private values come back as
// commitments; Log.Open adds the values.
func Decode(body []byte) (Event, error) {
	if len(body) > MaxBody {
		return Event{}, ErrDamaged
	}
	var in wire
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(&in) != nil || in.Version != Version {
		return Event{}, ErrDamaged
	}
	e := in.event()
	if e.checkEncodable() != nil {
		return Event{}, ErrDamaged
	}
	// Only what encodes to the same bytes was canonical: this refuses white space, other key
	// orders and spellings, repeated keys, nulls, empty objects, trailing bytes.
	again, err := encode(&e)
	if err != nil || !bytes.Equal(again[1:], body) {
		return Event{}, ErrDamaged
	}
	return e, nil
}

// wire is version 1 as JSON.
type wire struct {
	Act struct {
		Verb   Verb   `json:"c"`
		Action Action `json:"v"`
	} `json:"act"`
	Changes []struct {
		After  []byte `json:"a"`
		Before []byte `json:"b"`
		Field  string `json:"f"`
	} `json:"chg"`
	Client struct {
		App      string      `json:"app"`
		Device   string      `json:"dev"`
		Origin   *commitment `json:"ip"`
		Location string      `json:"loc"`
	} `json:"cli"`
	Clock *struct {
		ErrMicros int64 `json:"err_us"`
		Synced    bool  `json:"sync"`
	} `json:"clk"`
	Correlation struct {
		Request string `json:"req"`
		Trace   string `json:"tr"`
	} `json:"cor"`
	Decision struct {
		Grant  string `json:"grant"`
		Mask   string `json:"mask"`
		Policy string `json:"policy"`
		Rule   string `json:"rule"`
		Scope  string `json:"scope"`
	} `json:"dec"`
	Detail     map[string]string `json:"det"`
	Disclosure *struct {
		Address     *commitment `json:"addr"`
		Authority   string      `json:"auth"`
		Description string      `json:"desc"`
		Frequency   string      `json:"freq"`
		Last        stamp       `json:"last"`
		Count       int         `json:"n"`
		Recipient   *commitment `json:"to"`
	} `json:"dis"`
	ID      string `json:"id"`
	Objects []struct {
		Category string   `json:"cat"`
		Fields   []string `json:"fld"`
		ID       string   `json:"id"`
		Labels   []string `json:"lbl"`
		Origin   string   `json:"org"`
		Type     string   `json:"t"`
		Version  string   `json:"ver"`
	} `json:"obj"`
	Occurred struct {
		End   stamp `json:"e"`
		Start stamp `json:"s"`
	} `json:"occ"`
	Outcome struct {
		Code   Outcome `json:"c"`
		Reason string  `json:"why"`
	} `json:"out"`
	Patients []Patient   `json:"pat"`
	Purpose  string      `json:"pou"`
	Search   *commitment `json:"qry"`
	Recorded stamp       `json:"rec"`
	Server   struct {
		ID      string `json:"id"`
		Site    string `json:"site"`
		Version string `json:"ver"`
	} `json:"srv"`
	Tenant  Tenant `json:"ten"`
	Version int    `json:"v"`
	Actor   struct {
		Assurance         Assurance `json:"aal"`
		AuthTime          stamp     `json:"at"`
		Emergency         string    `json:"em"`
		ID                ActorID   `json:"id"`
		Kind              Kind      `json:"k"`
		Methods           []string  `json:"m"`
		OnBehalfOf        ActorID   `json:"of"`
		Organization      string    `json:"org"`
		PhishingResistant bool      `json:"phr"`
		Roles             []string  `json:"role"`
		Session           string    `json:"sess"`
		Tenant            Tenant    `json:"ten"`
	} `json:"who"`
	Why *commitment `json:"why"`
}

type commitment struct {
	Sum []byte `json:"$c"`
}

func (c *commitment) private() Private {
	if c == nil {
		return Private{}
	}
	return Private{commitment: c.Sum}
}

// stamp is a time in exactly the layout that Encode writes.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(b []byte) error {
	t, err := time.Parse(`"`+timeLayout+`"`, string(b))
	s.Time = t
	return err
}

func (in *wire) event() Event {
	e := Event{
		ID: in.ID, Tenant: in.Tenant, Recorded: in.Recorded.Time,
		Occurred: Period{in.Occurred.Start.Time, in.Occurred.End.Time},
		Action:   in.Act.Action, Verb: in.Act.Verb,
		Outcome: in.Outcome.Code, Code: in.Outcome.Reason,
		Actor:       in.actor(),
		Client:      Client{in.Client.App, in.Client.Location},
		Server:      Server(in.Server),
		Patients:    in.Patients,
		Search:      in.Search.private(),
		Purpose:     in.Purpose,
		Why:         in.Why.private(),
		Correlation: Correlation(in.Correlation),
		Decision: Decision{
			Rule: in.Decision.Rule, Scope: in.Decision.Scope, Grant: in.Decision.Grant,
			Policy: in.Decision.Policy, Mask: in.Decision.Mask,
		},
		Detail: in.Detail,
		origin: in.Client.Origin.private(),
	}
	if c := in.Clock; c != nil {
		e.Clock = Clock{Known: true, Synced: c.Synced, ErrMicros: c.ErrMicros}
	}
	for _, o := range in.Objects {
		e.Objects = append(e.Objects, Object{o.Type, o.ID, o.Version, o.Category, o.Labels, o.Origin, o.Fields})
	}
	for _, c := range in.Changes {
		e.Changes = append(e.Changes, Change{c.Field, c.Before, c.After})
	}
	if d := in.Disclosure; d != nil {
		e.Disclosure = &Disclosure{
			Recipient: d.Recipient.private(), Address: d.Address.private(),
			Description: d.Description, Authority: d.Authority,
			Count: d.Count, Frequency: d.Frequency, Last: d.Last.Time,
		}
	}
	return e
}

func (in *wire) actor() Actor {
	a := in.Actor
	return Actor{
		ID: a.ID, Kind: a.Kind, Tenant: cmp.Or(a.Tenant, in.Tenant), OnBehalfOf: a.OnBehalfOf,
		Session: a.Session, AuthTime: a.AuthTime.Time, Methods: a.Methods,
		Assurance: a.Assurance, PhishingResistant: a.PhishingResistant,
		Device: in.Client.Device, Emergency: a.Emergency,
		Organization: a.Organization, Roles: a.Roles,
	}
}
