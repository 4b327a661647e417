package rbac_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// A response that lasts was begun with certain roles and practices: once one of them is gone,
// the rest must not leave because some smaller right is still there.
func TestRecheckNoticesASmallerRight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path string
		grants     func(s *site) (lost rbac.Grant)
	}{
		{"list_of_the_tenant", "/patients", func(s *site) rbac.Grant {
			s.grant(t, "bea", "biller", "north")
			return s.grant(t, "bea", "admin")
		}},
		{"list_of_two_practices", "/patients", func(s *site) rbac.Grant {
			s.grant(t, "bea", "biller", "north")
			return s.grant(t, "bea", "biller", "south")
		}},
		{"record_with_a_wider_sight", "/patients/p1", func(s *site) rbac.Grant {
			s.grant(t, "bea", "biller", "north")
			return s.grant(t, "bea", "admin")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			lost := c.grants(s)
			ctx, trail := audit.WithTrail(t.Context(), s.rec, audit.Event{})
			r := httptest.NewRequest("GET", c.path, nil)
			w := httptest.NewRecorder()
			s.mux.ServeHTTP(w, r.WithContext(audit.WithActor(ctx, staff("bea"))))
			require.Equal(t, 200, w.Code)
			s.grant(t, "bea", "biller", "west")
			require.NoError(t, trail.Recheck(ctx), "more than before is no reason to stop")
			require.NoError(t, s.z.Revoke(audit.WithActor(ctx, audit.System(clinic, "setup")), "bea", lost.ID))
			require.ErrorIs(t, trail.Recheck(ctx), rbac.ErrDenied)
		})
	}
}
