package audit

// What the log and its keeper do, as actions of their own. The packages of wardkit and the
// host record them like any other event, with who did it as the actor. Names never change.
const (
	ActionEnabled  Action = "audit.enabled"  // Run began
	ActionDisabled Action = "audit.disabled" // Run ended in order
	ActionRefused  Action = "audit.refused"  // the store holds entries that no log of this host wrote
	ActionRead     Action = "audit.read"     // a page of the log was served
	ActionOpen     Action = "audit.open"     // the private values of an event were served
	ActionErase    Action = "audit.erase"    // the private values of events were erased

	ActionPolicyChanged    Action = "audit.policy.changed" // what is recorded, or how, was changed
	ActionPrivilegeChanged Action = "privilege.changed"    // somebody's rights were changed
	ActionEncryption       Action = "encryption.status"    // encryption at rest was found on or off, or switched
	ActionKeyRotated       Action = "key.rotated"          // a key was replaced

	ActionClockUnsynced Action = "clock.unsynced" // the server's clock lost its synchronisation
	ActionClockSynced   Action = "clock.synced"   // it is synchronised again
	ActionClockStep     Action = "clock.step"     // the server's clock was set, forward or back

	ActionRetentionChanged Action = "retention.changed" // how long data is kept was changed
	ActionPurgeExecuted    Action = "purge.executed"    // data beyond its retention was destroyed
	ActionHoldPlaced       Action = "hold.placed"       // a legal hold was placed
	ActionHoldReleased     Action = "hold.released"     // a legal hold was released
	ActionExportCreated    Action = "export.created"    // data left the system as an export
)

// SystemAction describes one of the actions above.
type SystemAction struct {
	Action  Action
	Verb    Verb   // the verb that events of it carry
	Meaning string // one line, English; a page may have its own words by Action
}

// SystemActions returns all of them, in the order of a page that explains them.
func SystemActions() []SystemAction {
	return []SystemAction{
		{ActionEnabled, Execute, "Recording was switched on, or a server started"},
		{ActionDisabled, Execute, "Recording was switched off, or a server stopped in order"},
		{ActionRefused, Execute, "Entries were found in the store that this system did not write"},
		{ActionRead, Execute, "Somebody looked at the audit log"},
		{ActionOpen, Read, "Somebody looked at the private values of an event"},
		{ActionErase, Delete, "The private values of events were erased"},
		{ActionPolicyChanged, Update, "The rules of recording were changed"},
		{ActionPrivilegeChanged, Update, "Somebody's rights were changed"},
		{ActionEncryption, Execute, "Encryption at rest was checked or switched"},
		{ActionKeyRotated, Update, "An encryption key was replaced"},
		{ActionClockUnsynced, Execute, "A server's clock lost its synchronisation"},
		{ActionClockSynced, Execute, "A server's clock is synchronised again"},
		{ActionClockStep, Execute, "A server's clock was set forward or back"},
		{ActionRetentionChanged, Update, "The time that data is kept was changed"},
		{ActionPurgeExecuted, Delete, "Data beyond its retention was destroyed"},
		{ActionHoldPlaced, Create, "A legal hold was placed"},
		{ActionHoldReleased, Delete, "A legal hold was released"},
		{ActionExportCreated, Execute, "Data left the system as an export"},
	}
}
