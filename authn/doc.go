// Package authn lets people in. It keeps who may sign in, checks passwords, walks every
// sign-in from step to step through one gate, and carries out what ends a right to be signed
// in, so that nothing acknowledged is undone by a race or a crash.
//
// It protects against guessing (slow hashes, counted tries, delays, an end at 100),
// lock-outs by guessing (a browser that is known for the person is counted apart), enumeration
// (an unknown identifier looks and costs like a wrong password), floods (bounded hashing), stolen databases (hashes, sealed identifiers, hashed links and tickets), replayed
// and mixed-up steps, forged links, and sign-ins that overtake a change of password.
//
//	people, err := authn.New(authn.Parts{
//		Store: store, Vault: vault, Sessions: sessions, Factor: factors,
//		Recorder: log, Mailer: mailer, BaseURL: "https://clinic.example.com",
//	}, nil)
//	go people.Run(ctx)
//	step, err := people.SignIn(ctx, tenant, identifier, authn.NewPassword(typed), client)
//
// # Steps
//
// SignIn returns a [Step]. Its Need says what to ask next; [Manager.Continue] takes the
// answer and returns the next Step, until Need is [Done] and Token is a session's. What a
// sign-in has proven stays on the server, sealed, behind a ticket that is used once and kept
// in one browser's cookie by [SetTicket]. No path leads around a step and nobody is exempt:
// passwords, links, a changed password all end in the same gate, which alone starts sessions.
//
// [Manager.OfferPasskey] begins another way in: a passkey, without an identifier and without a
// password ([Options].Passkeys). The order is: address, identifier or passkey, throttle, password,
// state of the tenant and of the person (approval too), inactivity, network, second factor or its
// set-up, a new password if one is due, banner, session. What a tenant asks of it is its [Policy]:
// [Manager.SavePolicy] puts another one into force with the next step. [Manager.Prove] asks who is
// signed in once more, before a sensitive act.
//
// # Second factors
//
// Step.Factors says what a step takes: a passkey, a code of an app (or a recovery code), a code by
// text message ([Options].Texts, where [Policy].Texts takes them). Passkeys are offered wherever a
// second factor is set up. Any one that a person has is asked for, also one that the policy has
// switched off since, so that nobody's account gets weaker by it; where the policy asks for one
// that it takes, it is set up behind the other.
//
// A passkey is two factors and signs in alone ([PasskeysAlone], the default). So it is made only by
// who has just proven a password, and a second factor if they had one, or another passkey: in guided
// set-up, or by [Manager.BeginPasskey] and [Manager.AddPasskey] in a session that was proven within
// five minutes.
//
// # Changes
//
// [Manager.Invite], [Manager.Suspend] and the others each end the sessions that lose their
// ground, write their rows together with what is to be told, and then tell it: sessions again,
// the audit log, the person, and [Options].Admission, whose seats follow people. What cannot be told at once waits in an outbox that
// [Manager.Run] delivers. A change can join the host's own transaction: [Manager.With].
//
// # What the host must still do
//
//   - decide who may invite, suspend, reset: package rbac, before the call;
//   - find the tenant of a request before anybody signs in, from the host name for example;
//   - give the client's address as a trusted proxy reports it, never from a raw header;
//   - render the steps and the link's page, where GET calls PeekLink and only POST uses it
//     up, with Referrer-Policy: no-referrer because the token is in the address;
//   - refuse cross-site posts to these pages: package session's handler does;
//   - pass KnownFrom on in Client.Known, and write cookies with SetTicket;
//   - hand Step.Passkey to the browser and its answer back, as it is;
//   - call Run on at least one server, and look at Health;
//   - let the heap grow further before garbage is collected, debug.SetGCPercent(400): each hash of a
//     password leaves 19 MiB, and by Go's default a flood of sign-ins has everybody wait for the collector;
//   - check codes that people type outside of sign-ins, to end a second factor for example, inside
//     [Manager.Guess];
//   - show people their known browsers: [Manager.Devices], [Manager.ForgetDevice];
//   - take second factors away through [Manager.ResetFactor], which ends sessions: the app, passkeys
//     and the number together; and let people who lost a device end its sessions when they remove
//     its passkey.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Stored rows,
// migrations, hashes, action names and codes never break: a release reads what the release
// before it wrote.
package authn
