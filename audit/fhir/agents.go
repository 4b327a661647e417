package fhir

// agents writes the client, the server, the recipient of a disclosure and the user.
func (r *resource) agents() {
	e := r.e
	r.List("agent")
	r.agent(r.shape.client, e.Actor.ID == "")
	r.who("who", e.Client.App)
	r.Str("name", e.Actor.Device)
	if e.Client.Location != "" {
		r.Begin("location")
		r.Str("display", e.Client.Location)
		r.End()
	}
	r.Begin("network")
	r.absent("_address", e.OriginCommitment())
	r.Str("type", "2") // an IP address
	r.End()
	r.End()

	r.agent(r.shape.server, false)
	r.who("who", e.Server.ID)
	r.Begin("network")
	if e.Server.ID != "" {
		r.Str("address", e.Server.ID)
	} else {
		r.absent("_address", nil)
	}
	r.Str("type", "1") // a machine's name
	r.End()
	r.End()

	if r.shape.disclosure {
		r.agent(coding{dcm, "110152"}, false)
		r.absent("who", e.Disclosure.Recipient.Commitment())
		r.Begin("network")
		r.absent("_address", nil)
		r.End()
		r.End()
	}
	if e.Actor.ID != "" {
		r.user()
	}
	r.EndList()
}

// agent begins an agent.
func (r *resource) agent(kind coding, requestor bool) {
	r.Raw(`{"type":{"coding":[{"system":"`, kind.system, `","code":"`, kind.code, `"}]}`)
	r.Bool("requestor", requestor)
}

func (r *resource) user() {
	a := &r.e.Actor
	r.agent(r.shape.user, true)
	r.who("who", string(a.ID))
	if len(a.Roles) > 0 {
		r.List("role")
		for _, role := range a.Roles {
			r.concept("", role)
		}
		r.EndList()
	}
	if r.e.Purpose != "" {
		r.List("purposeOfUse")
		r.concept(reasons, r.e.Purpose)
		r.EndList()
	}
	r.End()
}

// source is who recorded the event: the server.
func (r *resource) source() {
	r.Begin("source")
	r.Str("site", r.e.Server.Site)
	r.who("observer", r.e.Server.ID)
	r.Raw(`"type":[{"system":"`, sourceTypes, `","code":"4"}]`) // an application server
	r.End()
}

// purpose writes why: the purpose of use, an emergency, and the commitment to what a person typed.
func (r *resource) purpose() {
	e := r.e
	emergency := e.Actor.Emergency != "" && e.Purpose != emergencyTreatment
	if e.Purpose == "" && e.Why.IsZero() && !emergency {
		return
	}
	r.List("purposeOfEvent")
	if e.Purpose != "" {
		r.concept(reasons, e.Purpose)
	}
	if emergency {
		r.concept(reasons, emergencyTreatment)
	}
	if !e.Why.IsZero() {
		r.Object()
		r.absent("_text", e.Why.Commitment())
		r.End()
	}
	r.EndList()
}

const emergencyTreatment = "ETREAT"

// who writes a logical reference, or that there is none.
func (r *resource) who(key, id string) {
	if id == "" {
		r.absent(key, nil)
		return
	}
	r.Raw(`"`, key, `":{"identifier":{`)
	r.Str("value", id)
	r.B = append(r.B, "}}"...)
}

// absent writes, in the place of a value, that it is masked and its commitment, or that it is not
// known.
func (r *resource) absent(key string, commitment []byte) {
	r.Raw(`"`, key, `":{"extension":[{"url":"`, absentReasonsURL)
	if commitment == nil {
		r.B = append(r.B, `","valueCode":"unknown"`...)
	} else {
		r.B = append(r.B, `","valueCode":"masked"},{"url":"`+CommitmentURL+`"`...)
		r.Bytes("valueBase64Binary", commitment)
	}
	r.B = append(r.B, "}]}"...)
}

// coding writes one of our own Codings as an element of a list.
func (r *resource) coding(c coding) {
	r.Raw(`{"system":"`, c.system, `","code":"`, c.code, `"}`)
}

// concept writes a CodeableConcept of a host's word as an element of a list: a code if FHIR's codes
// may look so, a text otherwise.
func (r *resource) concept(system, word string) {
	r.Object()
	if !isCode(word) {
		r.Str("text", word)
		r.End()
		return
	}
	r.List("coding")
	r.Object()
	r.Str("system", system)
	r.Str("code", word)
	r.End()
	r.EndList()
	r.End()
}

// label writes a host's word as a Coding.
func (r *resource) label(word string) {
	r.Object()
	if isCode(word) {
		r.Str("code", word)
	} else {
		r.Str("display", word)
	}
	r.End()
}

// isCode reports whether a text is a code in the narrowest reading of FHIR's datatype: printable
// ASCII without spaces.
func isCode(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}
