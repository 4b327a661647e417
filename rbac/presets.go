package rbac

// PresetOptions say where the presets leave a choice; nil means the least privilege.
type PresetOptions struct {
	// Desk is the scope in which front desk and finance work: Tenant (default) or Practice.
	Desk Base
	// AdminReadsNotes lets the clinic admin read clinical notes and documents.
	AdminReadsNotes bool
	// AdminRevealsIdentifiers lets the clinic admin reveal identifiers such as the social
	// security number, with the duties of the action that does so.
	AdminRevealsIdentifiers bool
}
