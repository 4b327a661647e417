// Package session keeps people signed in, and ends that when it should: everywhere, at once.
//
// # What it protects against
//
//   - A stolen database: only the SHA-256 of each 256-bit token is kept.
//   - A session that comes back. Stores write on conditions: a request that was slow cannot
//     revive what was ended while it ran, and what one server ends is dead on every other by
//     the next request.
//   - A screen left open: an idle and an absolute limit, enforced on the server, narrowed for
//     sessions that run when the policy is (45 CFR 164.312(a)(2)(iii), NIST SP 800-63B-4
//     section 2.2.3). A clock that steps back lengthens nothing.
//   - A screen left for a moment: a locked session acts for nobody, and only its own person
//     unlocks it.
//   - Somebody at an open screen: what the tenant's policy lists as high risk asks for a fresh
//     proof, for an area of the application or for one action on one object, once.
//   - More devices than the policy allows, and networks it does not.
//   - Fixation: a token presented before sign-in is never adopted.
//   - Cross-site requests, cookies that other hosts or scripts can read or set, two tokens in
//     one request, tokens in logs.
//   - A sign-in nobody recorded: the start of a session is durable in the audit log before
//     the token is handed out.
//   - A store that fails or hangs: nobody is signed in then.
//
// # Use
//
//	sessions, err := session.New(store, log, session.RemoteAddr, nil)
//	handler, err := audithttp.Hold(log, sessions.Handler(mux), nil)
//	token, err := sessions.Start(ctx, actor)  // after sign-in: package authn does this
//	sessions.SetCookie(w, token)              // or hand it to a mobile client
//	token, err = sessions.Reauthenticated(ctx, actor, session.Area("settings"))
//	err = sessions.Lock(ctx)                  // Unlock, by the same person, gives a new token
//	err = sessions.SignOut(ctx)               // on every device, or as the tenant decides
//	go sessions.Run(ctx)                      // deletes what has long been over
//
// Each tenant's Policy is read with each request and changed with SavePolicy. In a request,
// audit.ActorFrom says who acts, From returns the session and Status what became of the token.
//
// # Pages
//
// Forms that post carry CSRF in their first field. A page says how long the session lasts, and
// goes blank when it is over, with the script that Handler serves below Options.Path:
//
//	<script src="/session/countdown.js" nonce="{{nonce}}" data-csrf="{{csrf}}"
//	 data-session="{{id}}" data-end="/sign-in" data-unlock="/locked"></script>
//
// nonce is Nonce, csrf is CSRF and id is Session.ID; data-end is where the browser goes once
// the session is over, data-unlock where a locked one is unlocked, both "/" where they are
// left out. Its words are replaced by data-warn, data-stay, data-checking, data-over,
// data-locked, data-unlock-text and data-title. Programs read LeftHeader.
//
// # What the host must still do
//
//   - Serve HTTPS: browsers keep the cookie only there; Chromium also on http://localhost.
//   - Say where client addresses come from. RemoteAddr behind a proxy takes the proxy for
//     every client; TrustedProxy needs the addresses of the proxies.
//   - Decide who may list and end whose sessions, and save a policy, with package rbac. Here
//     only the tenant is compared.
//   - Ask StepUp before what may be of high risk; package rbac does it for its routes.
//   - Verify who is there before Reauthenticated and Unlock, with packages authn and mfa or at
//     the person's identity provider, and call Rotate when privileges change.
//   - End a person's sessions when their password, factors, role or employment change. A
//     sign-in that is under way meanwhile is one after the end: whoever calls Start for a proof
//     reads a version of the person, which each such change raises first, before looking at
//     the proof and again after Start, and calls End where it has grown. Package authn does.
//   - Change nothing in answer to GET, HEAD and OPTIONS; the cross-origin check lets them pass.
//   - Put SecurityHeaders outermost.
//
// # Compatibility
//
// Before version 1 the Go API may change, with a changelog entry. The format of tokens, the
// migrations of sessionsql, the stored form of policies and the names of events
// (session.start, session.end, session.end_all, session.check, session.reauthenticate,
// session.rotate, session.lock, session.unlock, session.policy) do not change their meaning.
package session
