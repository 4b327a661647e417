package main

// doneText returns the message that a redirect asks for with ?done=…, "" for none of these:
// the words never come from the address itself.
func doneText(code string) string {
	for _, words := range []map[string]string{doneWork(), doneSelf(), donePeople(), doneAudit(), doneCampaign()} {
		if text, ok := words[code]; ok {
			return text
		}
	}
	return ""
}

// doneWork are words about patients and the clinic's daily work.
func doneWork() map[string]string {
	return map[string]string{
		"discarded":      "What you had typed is thrown away.",
		"registered":     "The patient is registered.",
		"note":           "The note is saved.",
		"paper":          "It is in the record.",
		"paper-deleted":  "It is deleted. It can still be put back.",
		"paper-restored": "It is back in the record.",
		"paper-purged":   "It is destroyed for good.",
		"claim":          "The claim is submitted.",
		"emergency":      "The record is open. The privacy officer is told.",
		"emergency-over": "Your emergency access is over.",
		"claim-moved":    "The step is on record.",
		"renewing":       "The keys are being renewed. You can go on working.",
		"disclosed":      "The disclosure is on record.",

		"support-approved":  "The platform’s support may come in now. You see on every page when they are here.",
		"support-refused":   "The request is refused.",
		"support-ended":     "It is ended. Their next click is refused.",
		"support-asked":     "The clinic is asked. You are told by mail when somebody has answered.",
		"support-withdrawn": "The request is withdrawn.",
		"support-left":      "You have left the clinic.",
	}
}

// doneSelf are words about one's own account.
func doneSelf() map[string]string {
	return map[string]string{
		"signed-out":         "You are signed out, on every device.",
		"signed-out-here":    "You are signed out here. Other devices stay signed in.",
		"others-ended":       "All other sessions are ended. They stopped working at once.",
		"phone-on":           "Codes from your phone are on. Now make recovery codes, for the day the phone is gone.",
		"phone-moved":        "The new phone is set up, and the old one makes no codes any more. Please sign in again.",
		"phone-off":          "Codes from your phone are off. Please sign in again.",
		"passkey-added":      "The passkey is ready. Use it the next time you sign in.",
		"passkey-renamed":    "The passkey has its new name.",
		"passkey-removed":    "The passkey is removed and does not work here any more. Please sign in again.",
		"number-on":          "Codes can be sent to your phone now.",
		"number-moved":       "Codes go to the new number now. Please sign in again.",
		"number-off":         "No codes are sent to you any more. Please sign in again.",
		"browser-forgotten":  "The browser is forgotten.",
		"browsers-forgotten": "All browsers are forgotten.",
		"start-again":        "That took too long. Please start again.",
	}
}

// donePeople are words about other people, programs and the clinic's rules.
func donePeople() map[string]string {
	return map[string]string{
		"sessions-ended":    "All sessions of this account are ended. They stopped working at once.",
		"rules":             "The rules are saved. They hold from now on, for everybody.",
		"care-joined":       "They see this patient from their next click on.",
		"care-ended":        "They do not see this patient any more, from their next click on.",
		"roles":             "The change is saved. It holds from the person’s next click on.",
		"choices":           "Saved. It holds from everybody’s next click on.",
		"masks":             "Saved. It holds from everybody’s next click on.",
		"invited":           "The invitation is on its way.",
		"session-ended":     "The session is ended. It stopped working at once.",
		"suspended":         "The account is suspended and signed out everywhere.",
		"unlocked":          "Wrong tries are forgotten. The person can sign in again.",
		"reinstated":        "The account is active again.",
		"factor-reset":      "The second factor is reset. The person was told, and sets up a new one with the next sign-in.",
		"approved":          "The account is approved. The person was told and can sign in.",
		"password-asked":    "The old password no longer works. A link for a new one is on its way to the person.",
		"removed":           "The account is closed for good and signed out everywhere.",
		"portal-invited":    "The invitation is on its way to the patient.",
		"network":           "The networks are saved. They hold from now on, for everybody.",
		"banner":            "The banner is saved. Everybody reads it at the next sign-in.",
		"key-revoked":       "The key is revoked. It stopped working at once, on every server.",
		"program-suspended": "It is suspended. It stopped working at once.",
		"program-resumed":   "It is let in again.",
		"program-removed":   "It is removed. It stopped working at once, and stays in the audit.",
		"accounts":          "The rules for accounts are saved. They hold from now on, for everybody.",
	}
}

// doneAudit are words about the audit, what is kept, and incidents.
func doneAudit() map[string]string {
	return map[string]string{
		"finding":            "The step is saved and on record.",
		"emergency-stopped":  "It is over, from the person’s next click on.",
		"emergency-reviewed": "The review is saved and on record.",
		"retention":          "The time is saved. A longer time counts from now on, a shorter one in 30 days.",
		"held":               "The hold is placed. What it keeps cannot be destroyed.",
		"released":           "The hold is released. It still counts for 30 days.",
		"proposed":           "The purge is proposed, and the copy is made. Nothing is destroyed until somebody else agrees.",
		"destroyed":          "The data of this patient is destroyed, for good and everywhere.",
		"purged":             "Destroyed. Who did it, and what it was, stays on record.",
		"purging":            "You agreed. The server carries it out; this page says when it is done.",
		"purge-withdrawn":    "The proposal is withdrawn. Nothing was destroyed.",
		"checking":           "The audit is being checked. You can close this page; the result stays here.",
		"tampered":           "Done, without any trace in the audit. Now let the audit be checked.",
		"untampered":         "Everything is again as it was. Let the audit be checked once more.",
		"attested":           "It is attested, under your name, until that day.",
		"withdrawn":          "It counts no more.",
		"incident":           "It is on record.",
	}
}
