package review

import (
	"fmt"
	"time"
)

// Explanation says in plain English what was counted and what is usual. A host with other words
// makes them from the finding's numbers.
func (f Finding) Explanation() string {
	switch f.Rule {
	case Volume:
		return fmt.Sprintf("Patients' records were opened or changed %s in one day; %s.", times(f.Count), f.usual("a day"))
	case ManyPatients:
		return fmt.Sprintf("%s in %s; %s.", count(f.Count, "different patient"), span(f.Window), f.usual("at the busiest time of a day"))
	case FirstContact:
		return fmt.Sprintf("%s in %s whom this person never had to do with and does not care for; %s.", count(f.Count, "patient"), span(f.Window), f.usual("new ones a day"))
	case OffHours:
		return fmt.Sprintf("Patients' records were opened %s while the house was closed; that happened on %s before (30 days).", times(f.Count), count(f.Usual, "day"))
	case Denied:
		return fmt.Sprintf("%s within %s; %d are let pass.", count(f.Count, "refusal"), span(f.Window), f.Limit-1)
	case Sequence:
		return fmt.Sprintf("%s in a row whose identifiers follow one another, within %s.", count(f.Count, "record"), span(f.Window))
	case SameSurname:
		return fmt.Sprintf("%s with this person's surname, whom the person does not care for, in %s.", count(f.Count, "patient"), span(f.Window))
	case OwnRecord:
		return "This person looked at their own record."
	case CoWorker:
		return fmt.Sprintf("%s who work here, whom this person does not care for, in %s.", count(f.Count, "patient"), span(f.Window))
	case VIP:
		return fmt.Sprintf("%s of public interest, whom this person does not care for, in %s.", count(f.Count, "patient"), span(f.Window))
	case Listing:
		return fmt.Sprintf("Lists showed %s in %s, those shown again counted again; %d are let pass.", count(f.Count, "patient"), span(f.Window), f.Limit-1)
	case Export:
		return fmt.Sprintf("%s within %s.", count(f.Count, "export"), span(f.Window))
	case Woken:
		return fmt.Sprintf("This account came back after %s on which others worked.", count(f.Count, "day"))
	case AuditReading:
		return fmt.Sprintf("The audit log was looked at %s within %s; %d are let pass.", times(f.Count), span(f.Window), f.Limit-1)
	case Unasked:
		return fmt.Sprintf("How people and patients stand to each other could not be asked, for %s. What the rules would have said is not known.", count(f.Count, "look"))
	case Unreadable:
		return fmt.Sprintf("%s in the log could not be read: they are not what was recorded. Verify the log.", count(f.Count, "event"))
	case Crowd:
		return fmt.Sprintf("More than %d actors: those that are new since are watched together, not each for themselves.", MaxActors)
	}
	return fmt.Sprintf("%d counted.", f.Count)
}

// usual says what is usual, or that nobody knows.
func (f Finding) usual(when string) string {
	if f.Days == 0 {
		return "what is usual for this person is not known yet"
	}
	return fmt.Sprintf("usual for this person: %d %s (%s of the last 30)", f.Usual, when, count(f.Days, "day"))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// span writes a window the way people say it.
func span(d time.Duration) string {
	switch {
	case d == time.Hour:
		return "one hour"
	case d == day:
		return "one day"
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d minutes", d/time.Minute)
}
