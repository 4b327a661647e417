package session

import (
	"fmt"
	"net/http"
	"time"
)

// Challenge answers, in full, a request whose person owes a fresh proof of who they are (see
// StepUp): 401 with the challenge of RFC 9470, section 3. within is how long ago the proof may
// be, in whole seconds as max_age; 0 is now, as in the challenges of package rbac, which
// answers so by itself. A page shows a form instead, whose handler calls Reauthenticated.
func Challenge(w http.ResponseWriter, within time.Duration) {
	challenge := fmt.Sprintf(`Bearer error="insufficient_user_authentication", max_age=%d`, int64(max(0, within)/time.Second))
	h := w.Header()
	h.Set("WWW-Authenticate", challenge)
	h.Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
}
