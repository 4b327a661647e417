package audit

import (
	"bytes"
	"cmp"
	"slices"
)

// Decode reads the canonical bytes of an event. Bytes that Encode would not have written,
// even if they are the same JSON, are refused with ErrDamaged. Private values come back as
// commitments; Log.Open adds the values.
func Decode(body []byte) (Event, error) {
	var e Event
	if err := decode(body, new([]byte), &e); err != nil {
		return Event{}, err
	}
	return e, nil
}

// decode is Decode into the zero e, with room for what it writes again, for those who decode many.
func decode(body []byte, room *[]byte, e *Event) error {
	if len(body) > MaxBody {
		return ErrDamaged
	}
	r := reader{all: string(body)}
	if !r.event(e) || r.at < len(r.all) || e.checkEncodable() != nil {
		return ErrDamaged
	}
	// Only what encodes to the same bytes was canonical: this refuses other key orders, repeated
	// keys, empty values, leading zeros, days that no month has.
	again, err := encode(slices.Grow((*room)[:0], 1+len(body)), e)
	*room = again
	if err != nil || !bytes.Equal(again[1:], body) {
		return ErrDamaged
	}
	return nil
}

// event reads version 1 into the zero e. It knows every key, so nothing is nested deeper than an event is.
func (r *reader) event(e *Event) bool {
	version := 0
	ok := r.object(func(key string) bool {
		switch key {
		case "act":
			return r.act(e)
		case "chg":
			return r.list(func() bool { return r.change(e) })
		case "cli":
			return r.client(e)
		case "clk":
			return r.clock(&e.Clock)
		case "cor":
			return r.correlation(&e.Correlation)
		case "dec":
			return r.decision(&e.Decision)
		case "det":
			return r.detail(e)
		case "dis":
			e.Disclosure = &Disclosure{}
			return r.disclosure(e.Disclosure)
		case "id":
			return text(r, &e.ID)
		case "obj":
			return r.list(func() bool { return r.anObject(e) })
		case "occ":
			return r.occurred(&e.Occurred)
		case "out":
			return r.outcome(e)
		case "pat":
			return texts(r, &e.Patients)
		case "pou":
			return text(r, &e.Purpose)
		case "qry":
			return r.private(&e.Search)
		case "rec":
			return r.time(&e.Recorded)
		case "srv":
			return r.server(&e.Server)
		case "ten":
			return text(r, &e.Tenant)
		case "v":
			return integer(r, &version, Version)
		case "who":
			return r.actor(&e.Actor)
		case "why":
			return r.private(&e.Why)
		}
		return false
	})
	e.Actor.Tenant = cmp.Or(e.Actor.Tenant, e.Tenant)
	return ok && version == Version
}

func (r *reader) act(e *Event) bool {
	return r.object(func(key string) bool {
		switch key {
		case "c":
			return text(r, &e.Verb)
		case "v":
			return text(r, &e.Action)
		}
		return false
	})
}

func (r *reader) change(e *Event) bool {
	var c Change
	ok := r.object(func(key string) bool {
		switch key {
		case "a":
			return r.bytes(&c.After)
		case "b":
			return r.bytes(&c.Before)
		case "f":
			return text(r, &c.Field)
		}
		return false
	})
	e.Changes = append(e.Changes, c)
	return ok
}

func (r *reader) client(e *Event) bool {
	return r.object(func(key string) bool {
		switch key {
		case "app":
			return text(r, &e.Client.App)
		case "dev":
			return text(r, &e.Actor.Device)
		case "ip":
			return r.private(&e.origin)
		case "loc":
			return text(r, &e.Client.Location)
		}
		return false
	})
}

func (r *reader) clock(c *Clock) bool {
	c.Known = true
	return r.object(func(key string) bool {
		switch key {
		case "err_us":
			return integer(r, &c.ErrMicros, maxInt)
		case "sync":
			return r.flag(&c.Synced)
		}
		return false
	})
}

func (r *reader) correlation(c *Correlation) bool {
	return r.object(func(key string) bool {
		switch key {
		case "req":
			return text(r, &c.Request)
		case "tr":
			return text(r, &c.Trace)
		}
		return false
	})
}

func (r *reader) decision(d *Decision) bool {
	return r.object(func(key string) bool {
		switch key {
		case "grant":
			return text(r, &d.Grant)
		case "mask":
			return text(r, &d.Mask)
		case "policy":
			return text(r, &d.Policy)
		case "rule":
			return text(r, &d.Rule)
		case "scope":
			return text(r, &d.Scope)
		}
		return false
	})
}

func (r *reader) detail(e *Event) bool {
	e.Detail = map[string]string{}
	return r.object(func(key string) bool {
		var value string
		ok := text(r, &value)
		e.Detail[key] = value
		return ok
	})
}

func (r *reader) disclosure(d *Disclosure) bool {
	return r.object(func(key string) bool {
		switch key {
		case "addr":
			return r.private(&d.Address)
		case "auth":
			return text(r, &d.Authority)
		case "desc":
			return text(r, &d.Description)
		case "freq":
			return text(r, &d.Frequency)
		case "last":
			return r.time(&d.Last)
		case "n":
			return integer(r, &d.Count, maxInt)
		case "to":
			return r.private(&d.Recipient)
		}
		return false
	})
}

func (r *reader) anObject(e *Event) bool {
	var o Object
	ok := r.object(func(key string) bool {
		switch key {
		case "cat":
			return text(r, &o.Category)
		case "fld":
			return texts(r, &o.Fields)
		case "id":
			return text(r, &o.ID)
		case "lbl":
			return texts(r, &o.Labels)
		case "org":
			return text(r, &o.Origin)
		case "t":
			return text(r, &o.Type)
		case "ver":
			return text(r, &o.Version)
		}
		return false
	})
	e.Objects = append(e.Objects, o)
	return ok
}

func (r *reader) occurred(p *Period) bool {
	return r.object(func(key string) bool {
		switch key {
		case "e":
			return r.time(&p.End)
		case "s":
			return r.time(&p.Start)
		}
		return false
	})
}

func (r *reader) outcome(e *Event) bool {
	return r.object(func(key string) bool {
		switch key {
		case "c":
			return integer(r, &e.Outcome, 255)
		case "why":
			return text(r, &e.Code)
		}
		return false
	})
}

func (r *reader) server(s *Server) bool {
	return r.object(func(key string) bool {
		switch key {
		case "id":
			return text(r, &s.ID)
		case "site":
			return text(r, &s.Site)
		case "ver":
			return text(r, &s.Version)
		}
		return false
	})
}

func (r *reader) actor(a *Actor) bool {
	return r.object(func(key string) bool {
		switch key {
		case "aal":
			return integer(r, &a.Assurance, 255)
		case "at":
			return r.time(&a.AuthTime)
		case "em":
			return text(r, &a.Emergency)
		case "id":
			return text(r, &a.ID)
		case "k":
			return text(r, &a.Kind)
		case "m":
			return texts(r, &a.Methods)
		case "of":
			return text(r, &a.OnBehalfOf)
		case "org":
			return text(r, &a.Organization)
		case "phr":
			return r.flag(&a.PhishingResistant)
		case "role":
			return texts(r, &a.Roles)
		case "sess":
			return text(r, &a.Session)
		case "ten":
			return text(r, &a.Tenant)
		}
		return false
	})
}
