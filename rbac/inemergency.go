package rbac

// Emergencies returns Relations.Emergency, nil for none: to ask whether it knows a grant.
func (p *Policy) Emergencies() EmergencyRelation {
	if p == nil {
		return nil
	}
	return p.emergency
}

// InEmergency reports whether some role may do a with open emergency access where it may not without.
func (p *Policy) InEmergency(a AnyAction) bool {
	if p == nil || a == nil {
		return false
	}
	i, ok := p.find(a.definition())
	return ok && p.urgent[i] != 0
}
