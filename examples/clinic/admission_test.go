package main

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSeatsFollowAccounts: an invitation takes a seat, the last one is the last, and whoever is
// withdrawn or suspended makes room.
func TestSeatsFollowAccounts(t *testing.T) {
	t.Parallel()
	s := tell(t, "-data", t.TempDir())
	boss := s.enter()
	boss.signIn(alma, demoPassword)
	invite := func(n int) page {
		return boss.post("/team/invite", url.Values{
			"name": {fmt.Sprintf("Guest %d", n)}, "email": {fmt.Sprintf("guest%d@example.com", n)}, "role": {"nurse"},
		})
	}
	free := paidSeats - len(demoAccounts())
	for n := range free {
		require.Equal(t, "/team?done=invited", invite(n).path)
	}
	require.Contains(t, boss.get("/roles").text(), fmt.Sprintf("%d of %d seats taken", paidSeats, paidSeats))
	full := invite(free)
	require.Equal(t, http.StatusConflict, full.status, full.text())
	require.Contains(t, full.text(), "No seat is left")
	require.NotContains(t, full.body, "Guest "+fmt.Sprint(free)+"</a>", "nobody is half invited")
	guest := full.match(t, `href="/team/([^"/]+)">Guest 0<`)
	require.Equal(t, "/team/"+guest+"?done=removed", boss.post("/team/"+guest+"/remove", nil).path)
	require.Equal(t, "/team?done=invited", invite(free).path)
	require.Equal(t, http.StatusConflict, invite(free+1).status)
	require.Equal(t, "/team/"+irisID+"?done=suspended", boss.post("/team/"+irisID+"/suspend", nil).path)
	require.Equal(t, "/team?done=invited", invite(free+1).path)
	back := boss.post("/team/"+irisID+"/reinstate", nil)
	require.Equal(t, http.StatusConflict, back.status)
	require.Contains(t, back.text(), "the clinic’s seats are all taken")
}
