package mfa

import (
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// MethodText is the method that VerifyText reports: an amr value of RFC 8176.
const MethodText = "sms"

// What is recorded about text messages; see the actions of the app. No event has a number or a
// code.
const (
	ActionTextSent     audit.Action = "mfa.text_sent"     // before a message is handed over; Code: enrol, verify
	ActionTextRefused  audit.Action = "mfa.text_refused"  // none was; Code: person, number, prefix, tenant, all, paused, region, risk
	ActionTextAlarm    audit.Action = "mfa.text_alarm"    // a range of numbers is paused; Detail has it as "prefix"
	ActionTextVerified audit.Action = "mfa.text_verified" // a code was right
	ActionTextFailed   audit.Action = "mfa.text_failed"   // Code: wrong_code, no_code, used_before, locked, unreadable, not_sent
	ActionTextAdded    audit.Action = "mfa.text_added"    // a number was confirmed
	ActionTextReplaced audit.Action = "mfa.text_replaced" // another number took the place of the first
	ActionTextRemoved  audit.Action = "mfa.text_removed"  // ended by the person
	ActionTextLocked   audit.Action = "mfa.text_locked"   // disabled after too many wrong codes
)

func aboutTexts(a audit.Action) bool { return strings.HasPrefix(string(a), "mfa.text_") }

func textVerb(a audit.Action) audit.Verb {
	switch a {
	case ActionTextAdded:
		return audit.Create
	case ActionTextReplaced, ActionTextLocked:
		return audit.Update
	case ActionTextRemoved:
		return audit.Delete
	}
	return audit.Execute
}
