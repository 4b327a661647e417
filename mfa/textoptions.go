package mfa

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// TextSender hands a text message to whoever carries it; examples/texts is one. It writes the
// words: m.Code.Line makes the last line. It must not keep or log the number or the code, sends a message with an ID that
// it has seen no second time, and does not try again after it has answered.
type TextSender interface {
	Send(ctx context.Context, m TextMessage) error
}

// TextMessage is one code for one person.
type TextMessage struct {
	ID     string // UUIDv7
	Tenant audit.Tenant
	Person audit.ActorID
	Number Phone
	Code   TextCode
}

// Windows counts per key in fixed windows of time; authn's, in memory, SQL and Redis, are some.
type Windows interface {
	// Hit adds one to the key's count in the window that is open at now and opens one of the
	// given length where none is. It returns the count with this hit and when the window ends.
	// Hits at once are counted one by one.
	Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (count int, ends time.Time, err error)
}

// TextOptions are how codes are sent by text message. Sender and Windows are required, the rest
// is safe when it is zero.
type TextOptions struct {
	Sender  TextSender
	Windows Windows

	// Regions are the beginnings of numbers that get messages, such as "+44" or "+1876". Nil:
	// "+1", the United States and Canada. The islands that share the code 1, Puerto Rico and
	// Guam included, are not in "+1" and have to be named: a message there may cost many times
	// as much, which is what toll fraud lives on.
	Regions []string
	// Risk says, just before a message is sent, whether the number is not to be trusted now: its
	// SIM was exchanged or it was ported lately (NIST SP 800-63B-4, section 3.1.3.3). Nothing is
	// sent then, nor when it fails. Nil: nobody is asked.
	Risk func(ctx context.Context, t audit.Tenant, person audit.ActorID, number Phone) (risky bool, err error)
	// Alarm is told when a range of numbers is paused. It returns at once. Nil: only the audit log
	// says so (ActionTextAlarm).
	Alarm func(ctx context.Context, a TextAlarm)

	// Lifetime is how long a code lives, up to 10 minutes (NIST SP 800-63B-4, section 3.1.3.2).
	// No other is sent meanwhile. 0: 5 minutes.
	Lifetime time.Duration
	// Tries is how many times a code may be tried, 1 to 10. 0: 5.
	Tries int

	// How many messages are sent at most: to one person, to one number for each purpose, to the
	// numbers of one tenant that begin alike (the country's code and three more digits), for one
	// tenant, and for all of them. Zero fields: 5 and 20, 5 and 20, 200 and 1000, 500 and 2500, 5000 and 25000.
	Person, Number, Prefix, Tenant, All TextBudget
	// Unverified is how many messages of one purpose may go within an hour to the numbers of one
	// tenant that begin alike before their codes come back. Each code that does makes room for two
	// more, so that beyond this number at least every second one must; otherwise the range is
	// paused until the hour is over. It must be more than are on their way at once when a shift
	// begins. 0: 30.
	Unverified int
}

// TextBudget is a number of messages.
type TextBudget struct {
	Hour int
	Day  int
}

// TextAlarm says that of the messages to numbers that begin alike too few codes came back:
// somebody may be earning money with the messages.
type TextAlarm struct {
	Tenant  audit.Tenant
	Prefix  string    // how the numbers begin: "+1415"
	Purpose string    // TextEnrol or TextVerify: messages of this kind are paused
	Until   time.Time // none is sent to them until then
}

// What a message is for: confirming a number that somebody typed, or signing in.
const (
	TextEnrol  = "enrol"
	TextVerify = "verify"
)

const (
	maxLifetime = 10 * time.Minute
	maxTries    = 10
)

// withDefaults returns nil for nil: no text messages.
func (o *TextOptions) withDefaults() (*TextOptions, error) {
	if o == nil {
		return nil, nil //nolint:nilnil // both are right: there are none
	}
	d := *o
	err := d.problems()
	d.Lifetime = cmp.Or(d.Lifetime, 5*time.Minute)
	d.Tries = cmp.Or(d.Tries, 5)
	d.Unverified = cmp.Or(d.Unverified, 30)
	if d.Regions == nil {
		d.Regions = []string{"+1"}
	}
	d.Regions = slices.Clone(d.Regions)
	for _, b := range []struct{ have, preset *TextBudget }{
		{&d.Person, &TextBudget{5, 20}},
		{&d.Number, &TextBudget{5, 20}},
		{&d.Prefix, &TextBudget{200, 1000}},
		{&d.Tenant, &TextBudget{500, 2500}},
		{&d.All, &TextBudget{5000, 25000}},
	} {
		*b.have = TextBudget{cmp.Or(b.have.Hour, b.preset.Hour), cmp.Or(b.have.Day, b.preset.Day)}
	}
	return &d, err
}

// problems names every value that cannot be used.
func (o *TextOptions) problems() error {
	negative := o.Unverified < 0
	for _, b := range []TextBudget{o.Person, o.Number, o.Prefix, o.Tenant, o.All} {
		negative = negative || b.Hour < 0 || b.Day < 0
	}
	unknown := slices.ContainsFunc(o.Regions, func(r string) bool { return !isRegion(r) })
	var found []error
	for _, p := range []struct {
		wrong bool
		what  string
	}{
		{o.Sender == nil || o.Windows == nil, "mfa: TextOptions needs Sender and Windows"},
		{o.Lifetime < 0 || o.Lifetime > maxLifetime, "mfa: TextOptions.Lifetime must be up to 10 minutes, or 0 for 5"},
		{o.Tries < 0 || o.Tries > maxTries, "mfa: TextOptions.Tries must be 1 to 10, or 0 for 5"},
		{negative, "mfa: a budget of TextOptions is negative"},
		{unknown, `mfa: TextOptions.Regions must be like "+44" or "+1876"`},
	} {
		if p.wrong {
			found = append(found, errors.New(p.what))
		}
	}
	return errors.Join(found...)
}
