package authn_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
)

// keeper, phone and post stand in for session.Manager, mfa.Factors and a mail server.
type (
	keeper struct{}
	phone  struct{ ready bool }
	post   struct{ last authn.Notice }
)

func (keeper) Start(context.Context, audit.Actor) (string, error) { return "a session token", nil }
func (keeper) End(context.Context, string, string) error          { return nil }
func (keeper) EndAll(context.Context, audit.Tenant, audit.ActorID, string) error {
	return nil
}

func (p *phone) Enrolled(context.Context, audit.Tenant, audit.ActorID) (bool, error) {
	return p.ready, nil
}

func (p *phone) TakesCodes(context.Context, audit.Tenant, audit.ActorID) (bool, error) {
	return p.ready, nil
}

func (p *phone) Verify(_ context.Context, _ audit.Tenant, _ audit.ActorID, code string) ([]string, error) {
	if code != "123456" {
		return nil, nil
	}
	return []string{"otp"}, nil
}

func (p *phone) Begin(_ context.Context, _ audit.Tenant, _ audit.ActorID, account string) (string, string, error) {
	return "otpauth://totp/Example:" + account, "JBSW Y3DP", nil
}

func (p *phone) Confirm(_ context.Context, _ audit.Tenant, _ audit.ActorID, code string) (bool, error) {
	p.ready = code == "123456"
	return p.ready, nil
}

func (p *post) Send(_ context.Context, n authn.Notice) error {
	p.last = n
	return nil
}

// open wires a Manager for the examples.
func open(mail authn.Mailer) *authn.Manager {
	vault, err := phi.Open(context.Background(), "example", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	people, err := authn.New(authn.Parts{
		Store:    authn.NewMemory(),
		Vault:    vault,
		Sessions: keeper{},
		Factor:   &phone{},
		Recorder: audit.Discard{},
		Mailer:   mail,
		BaseURL:  "https://clinic.example.com",
	}, &authn.Options{InsecureArgon2: &authn.Argon2{Memory: 8, Time: 1, Threads: 1}})
	if err != nil {
		log.Fatal(err)
	}
	return people
}

var browser = authn.Client{Addr: netip.MustParseAddr("192.0.2.7"), Device: "Firefox on Windows"}

// Somebody is invited, opens the link, chooses a password and sets up a second factor, which
// the policy requires of staff. Then they are signed in.
func Example() {
	ctx := context.Background()
	mail := &post{}
	people := open(mail)

	_, err := people.Invite(ctx, "clinic", authn.Newcomer{Identifier: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	token := mail.last.Link.Reveal()
	token = token[strings.LastIndex(token, "/")+1:]

	step, err := people.CompleteSetUp(ctx, token, authn.Answer{Password: authn.NewPassword("nine lives of a tabby")}, browser)
	fmt.Println(step.Need, err)
	step, err = people.Continue(ctx, step.Ticket.Reveal(), authn.Answer{Code: "123456"}, browser)
	fmt.Println(step.Need, err, step.Token)

	// Output:
	// enrolment <nil>
	// done <nil> [secret]
}

// A sign-in is a walk from step to step; a host renders what Need asks for.
func ExampleManager_SignIn() {
	ctx := context.Background()
	mail := &post{}
	people := open(mail)
	if _, err := people.Invite(ctx, "clinic", authn.Newcomer{Kind: audit.KindPatient, Identifier: "pat@example.com"}); err != nil {
		log.Fatal(err)
	}
	link := mail.last.Link.Reveal()
	password := authn.NewPassword("nine lives of a tabby")
	if _, err := people.CompleteSetUp(ctx, link[strings.LastIndex(link, "/")+1:], authn.Answer{Password: password}, browser); err != nil {
		log.Fatal(err)
	}

	_, err := people.SignIn(ctx, "clinic", "pat@example.com", authn.NewPassword("a guess"), browser)
	fmt.Println(err)
	_, err = people.SignIn(ctx, "clinic", "nobody@example.com", authn.NewPassword("a guess"), browser)
	fmt.Println(err)
	step, err := people.SignIn(ctx, "clinic", "Pat@Example.com", password, browser)
	fmt.Println(step.Need, err)

	// Output:
	// authn: sign-in refused
	// authn: sign-in refused
	// done <nil>
}

// After five failures in a row each further one costs more time.
func ExampleThrottledError() {
	people := open(&post{})
	var err error
	for range 6 {
		_, err = people.SignIn(context.Background(), "clinic", "ada@example.com", authn.NewPassword("a guess"), browser)
	}
	var throttled *authn.ThrottledError
	if errors.As(err, &throttled) {
		fmt.Println("try again in", throttled.RetryAfter)
	}
	// Output: try again in 1s
}

// A password that is not acceptable comes with the reason, and leaves the link as it was.
func ExamplePolicyError() {
	ctx := context.Background()
	mail := &post{}
	people := open(mail)
	if _, err := people.Invite(ctx, "clinic", authn.Newcomer{Identifier: "ada@example.com"}); err != nil {
		log.Fatal(err)
	}
	token := mail.last.Link.Reveal()
	token = token[strings.LastIndex(token, "/")+1:]
	for _, typed := range []string{"kettle", "password2024"} {
		_, err := people.CompleteSetUp(ctx, token, authn.Answer{Password: authn.NewPassword(typed)}, browser)
		var refused *authn.PolicyError
		if errors.As(err, &refused) {
			fmt.Println(refused.Reason, refused.Min)
		}
	}
	link, err := people.PeekLink(ctx, token)
	fmt.Println(link.Purpose, err)
	// Output:
	// too short 8
	// commonly used 8
	// invitation <nil>
}

// The first administrator of a new tenant gets a link that the operator prints.
func ExampleManager_SetUp() {
	ctx := context.Background()
	people := open(&post{})
	link, err := people.SetUp(ctx, "clinic", authn.Newcomer{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(link.Reveal()[:len("https://clinic.example.com/link/")])
	// Output: https://clinic.example.com/link/
}

// Who leaves loses every session at once; a person who is not there any more cannot be
// suspended again.
func ExampleManager_Remove() {
	ctx := context.Background()
	people := open(&post{})
	p, err := people.Invite(ctx, "clinic", authn.Newcomer{Identifier: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(people.Remove(ctx, "clinic", p.ID, "left the practice"))
	fmt.Println(people.Suspend(ctx, "clinic", p.ID, "") == authn.ErrState)
	// Output:
	// <nil>
	// true
}

// Delays double from the fifth failure on.
func ExampleLimits_Delay() {
	l := authn.Limits{Free: 4, Base: time.Second, Max: 15 * time.Minute, Disable: 100}
	for _, n := range []int{4, 5, 6, 10, 50} {
		fmt.Println(n, l.Delay(n))
	}
	// Output:
	// 4 0s
	// 5 1s
	// 6 2s
	// 10 32s
	// 50 15m0s
}

// A Password and a Secret do not print.
func ExamplePassword() {
	fmt.Printf("%v %+v %s\n", authn.NewPassword("typed"), struct{ P authn.Password }{authn.NewPassword("typed")}, authn.NewSecret("token"))
	// Output: [password] {P:[password]} [secret]
}

// Before network rules are saved, an administrator learns whom they would keep out.
func ExampleNetwork_Replace() {
	var now, next authn.Network // now: from everywhere
	var err error
	next.Staff, err = authn.ParseNetworks("198.51.100.0/24 # the clinic\n2001:db8::/32")
	fmt.Println(err, "would I pass?", next.WouldAllow(audit.KindStaff, browser.Addr))

	err = now.Replace(next, audit.KindStaff, browser.Addr, false)
	var ask *authn.LockOutError
	if errors.As(err, &ask) {
		fmt.Println("me:", ask.Yourself, "the first list:", ask.First)
	}
	fmt.Println(now.Replace(next, audit.KindStaff, browser.Addr, true)) // the host saves next
	// Output:
	// <nil> would I pass? false
	// me: true the first list: true
	// <nil>
}

// A tenant's rules are saved as a whole, against the version that the editor saw, and are in force
// with the next step of every sign-in.
func ExampleManager_SavePolicy() {
	people := open(&post{})
	boss := audit.Actor{ID: "boss", Kind: audit.KindStaff, Tenant: "clinic", Origin: browser.Addr}
	ctx := audit.WithActor(context.Background(), boss)
	p, err := people.Policy(ctx, "clinic")
	if err != nil {
		log.Fatal(err)
	}
	p.Patients, p.ApproveStaff = authn.Required, true
	fmt.Println(people.SavePolicy(ctx, "clinic", p, false))
	fmt.Println(people.SavePolicy(ctx, "clinic", p, false)) // of a version that is over
	p, err = people.Policy(ctx, "clinic")
	fmt.Println(p.Version, p.Patients == authn.Required, err)
	// Output:
	// <nil>
	// authn: changed by somebody else
	// 1 true <nil>
}

// A person sees the browsers that are known for them, and forgets one that is not theirs any more:
// tries from it are a stranger's from then on.
func ExampleManager_Devices() {
	ctx := context.Background()
	mail := &post{}
	people := open(mail)
	pat, err := people.Invite(ctx, "clinic", authn.Newcomer{Kind: audit.KindPatient, Identifier: "pat@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	link := mail.last.Link.Reveal()
	step, err := people.CompleteSetUp(ctx, link[strings.LastIndex(link, "/")+1:], authn.Answer{Password: authn.NewPassword("nine lives of a tabby")}, browser)
	if err != nil {
		log.Fatal(err)
	}

	here := browser
	here.Known = step.Known.Reveal() // what KnownFrom returns for this browser's requests
	devices, err := people.Devices(ctx, "clinic", pat.ID, here)
	fmt.Println(len(devices), devices[0].Label, devices[0].Current, err)

	me := audit.WithActor(ctx, audit.Actor{ID: pat.ID, Tenant: "clinic", Kind: audit.KindPatient})
	fmt.Println(people.ForgetDevice(me, "clinic", pat.ID, devices[0].ID))
	devices, err = people.Devices(ctx, "clinic", pat.ID, here)
	fmt.Println(len(devices), err)

	// Output:
	// 1 Firefox on Windows true <nil>
	// <nil>
	// 0 <nil>
}

// Before a sensitive act, somebody signed in proves once more who they are. The actor goes to
// session.Manager.Reauthenticated.
func ExampleManager_Prove() {
	ctx := context.Background()
	mail := &post{}
	people := open(mail)
	pat, err := people.Invite(ctx, "clinic", authn.Newcomer{Kind: audit.KindPatient, Identifier: "pat@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	link := mail.last.Link.Reveal()
	if _, err := people.CompleteSetUp(ctx, link[strings.LastIndex(link, "/")+1:], authn.Answer{Password: authn.NewPassword("nine lives of a tabby")}, browser); err != nil {
		log.Fatal(err)
	}
	me := audit.WithActor(ctx, audit.Actor{ID: pat.ID, Tenant: "clinic", Kind: audit.KindPatient}) // package session does this

	asked, err := people.Asked(me)
	fmt.Println(asked.Password, asked.Code, err)
	_, err = people.Prove(me, authn.Answer{Password: authn.NewPassword("nine lives of a cat")}, browser)
	fmt.Println(err, authn.Status(err))
	actor, err := people.Prove(me, authn.Answer{Password: authn.NewPassword("nine lives of a tabby")}, browser)
	fmt.Println(actor.Methods, actor.Assurance == audit.AAL1, err)

	// Output:
	// true false <nil>
	// authn: sign-in refused 401
	// [pwd] true <nil>
}

// A code that is typed on a page of who is signed in could be guessed there too: it is charged
// before it is looked at.
func ExampleManager_Guess() {
	ctx := context.Background()
	mail := &post{}
	people := open(mail)
	pat, err := people.Invite(ctx, "clinic", authn.Newcomer{Kind: audit.KindPatient, Identifier: "pat@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	link := mail.last.Link.Reveal()
	if _, err := people.CompleteSetUp(ctx, link[strings.LastIndex(link, "/")+1:], authn.Answer{Password: authn.NewPassword("nine lives of a tabby")}, browser); err != nil {
		log.Fatal(err)
	}
	me := audit.WithActor(ctx, audit.Actor{ID: pat.ID, Tenant: "clinic", Kind: audit.KindPatient})

	disable := func(code string) (ok bool, err error) { return code == "123456", nil } // mfa.Factors.Disable
	for _, code := range []string{"111111", "222222", "333333", "444444", "555555", "123456"} {
		err := people.Guess(me, browser, func(context.Context) (bool, error) { return disable(code) })
		fmt.Println(err, authn.Status(err))
	}

	// Output:
	// authn: wrong code 401
	// authn: wrong code 401
	// authn: wrong code 401
	// authn: wrong code 401
	// authn: wrong code 401
	// authn: too many tries 429
}
