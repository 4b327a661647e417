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
//	err = sessions.EndAll(ctx, tenant, person, session.ReasonSignOut)
//
// In a request, audit.ActorFrom says who acts, From returns the session and Status what
// became of the token.
//
// # What the host must still do
//
//   - Serve HTTPS: browsers keep the cookie only there; Chromium also on http://localhost.
//   - Say where client addresses come from. RemoteAddr behind a proxy takes the proxy for
//     every client; TrustedProxy needs the addresses of the proxies.
//   - Decide who may list and end whose sessions, with package rbac. Here only the tenant is
//     compared.
//   - End a person's sessions when their password, factors, role or employment change.
//   - Change nothing in answer to GET, HEAD and OPTIONS; the cross-origin check lets them pass.
//   - Put SecurityHeaders outermost.
//
// # Compatibility
//
// Before version 1 the Go API may change, with a changelog entry. The format of tokens, the
// migrations of sessionsql and the names of events (session.start, session.end,
// session.end_all, session.check) do not change their meaning.
package session
