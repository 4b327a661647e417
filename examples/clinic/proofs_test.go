package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// proof is the story of an audit that somebody tampers with.
type proof struct {
	*story
	alma, tom, greta, iris *person
	key, old               string // what was kept on the first day
}

func TestProof(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		p := &proof{story: tell(t, args...)}
		p.arrive()
		p.kept()
		p.tampering()
		p.pasted()
		p.proven()
	})
}

func (p *proof) arrive() {
	p.alma, p.tom, p.greta, p.iris = p.enter(), p.enter(), p.enter(), p.enter()
	p.step("everybody_arrives", func(t *testing.T) {
		p.alma.signIn(alma, demoPassword)
		p.tom.signIn(tom, demoPassword)
		p.iris.signIn(iris, demoPassword)
		p.greta.joins(p.alma, newcomer.name, newcomer.email, "auditor")
		p.tom.patient(demoPatient(0).Email)
	})
}

// covered waits until every event so far is covered.
func (p *person) covered() {
	p.t.Helper()
	ids := p.get("/audit").links(eventLink)
	require.NotEmpty(p.t, ids)
	require.Eventually(p.t, func() bool {
		return strings.HasPrefix(p.get("/audit/"+ids[0]).fact(p.t, "Covered"), "by the checkpoint of ")
	}, 30*time.Second, 200*time.Millisecond)
}

// checkpoint downloads the latest one.
func (p *person) checkpoint() string {
	p.t.Helper()
	at := p.get("/audit/proof/checkpoint")
	require.Equal(p.t, http.StatusOK, at.status, at.text())
	require.Contains(p.t, at.header.Get("Content-Disposition"), "checkpoint.txt")
	return at.body
}

// verify has the audit checked and returns the page with the result.
func (p *person) verify(old string) page {
	p.t.Helper()
	at := p.post("/audit/proof/check", url.Values{"old": {old}})
	require.Equal(p.t, http.StatusOK, at.status, at.text())
	return p.result()
}

// result waits for the end of a check.
func (p *person) result() page {
	p.t.Helper()
	var at page
	require.Eventually(p.t, func() bool {
		at = p.get("/audit/proof")
		return at.status == http.StatusOK && !strings.Contains(at.body, "<progress")
	}, 60*time.Second, 200*time.Millisecond)
	return at
}

func (p *proof) kept() {
	p.step("checkpoint_and_key_are_taken_home", func(t *testing.T) {
		p.alma.covered()
		p.old = p.alma.checkpoint()
		require.Regexp(t, `^clinic\.example\.com/audit\n\d+\n[A-Za-z0-9+/]{43}=\n\n— clinic\.example\.com/audit \S+\n$`, p.old)
		at := p.alma.get("/audit/proof")
		require.Contains(t, at.text(), "Nobody has asked yet.")
		p.key = at.match(t, `aria-label="Key of the checkpoints">([^<]+)<`)
		require.Regexp(t, `^clinic\.example\.com/audit\+[0-9a-f]{8}\+\S+$`, p.key)
		require.Equal(t, "yes so nobody can change the past unnoticed", at.fact(t, "Covered by signed checkpoints"))
		require.Contains(t, p.alma.get("/audit/health").fact(t, "Covered by signed checkpoints"), "yes")
	})
	p.step("audit_is_whole_and_who_asked_is_on_record", func(t *testing.T) {
		at := p.greta.verify("")
		require.Regexp(t, `Whole: all [0-9,]+ events are as they were signed\.`, at.text())
		require.Equal(t, newcomer.name, at.fact(t, "Asked for by"))
		require.Equal(t, "the last checkpoint in the server’s file", at.fact(t, "Compared with"))
		for action, who := range map[string]string{"proof.check_started": newcomer.name, "proof.check_ended": "the clinic's server"} {
			rows := p.alma.get("/audit?action=" + action).table()
			require.Len(t, rows, 1, action)
			require.Equal(t, who, rows[0][1])
			require.Equal(t, "Done", rows[0][5])
		}
	})
}

// tampering: three ways, each found by the next check and named, and undone.
func (p *proof) tampering() {
	for _, way := range []struct {
		how, did, finds string
		look            int // what the audit page answers
	}{
		{"blame", `Event number (\d+) now says that demo-[a-z0-9-]+ did it, not demo-[a-z0-9-]+\.`, `Events? number (\d+)(?: to (\d+): at least one of them was changed|: changed, and its hash with it)`, http.StatusOK},
		{"byte", `One letter of event number (\d+) was changed\.`, `Event number (\d+)(): changed\.`, http.StatusInternalServerError},
		{"delete", `Event number (\d+) was deleted\.`, `Event number (\d+)(): gone\.`, http.StatusInternalServerError},
	} {
		p.step("tampering_by_"+way.how+"_is_found", func(t *testing.T) {
			p.alma.covered()
			at := p.alma.post("/audit/proof/tamper", url.Values{"how": {way.how}})
			require.Equal(t, http.StatusOK, at.status, at.text())
			place := regexp.MustCompile(way.did).FindStringSubmatch(at.text())
			require.NotNil(t, place, at.text())
			require.Equal(t, way.look, p.alma.get("/audit?period=all").status, "what the audit page shows")
			at = p.alma.verify("")
			require.Contains(t, at.text(), "Changed: not all events are as they were signed.")
			require.Contains(t, at.text(), "Call whoever answers for privacy here")
			found := regexp.MustCompile(way.finds).FindStringSubmatch(at.text())
			require.NotNil(t, found, at.text())
			changed := number(t, place[1])
			if found[2] == "" {
				require.Equal(t, place[1], found[1])
			} else {
				require.GreaterOrEqual(t, changed, number(t, found[1]))
				require.LessOrEqual(t, changed, number(t, found[2]))
			}
			near := at.links(`<li><a href="(/audit/[0-9a-f-]{36})">`)
			require.NotEmpty(t, near)
			require.Equal(t, http.StatusOK, p.alma.get(near[0]).status)
			if way.how == "delete" && (changed+1)%256 != 0 { // what is read again to go on
				require.Eventually(t, func() bool {
					return strings.Contains(p.alma.get("/audit/health").text(), "Treat this as a security incident")
				}, 2*time.Minute, 200*time.Millisecond, "the server notices by itself")
			}
			require.Equal(t, http.StatusOK, p.alma.get("/readyz").status, "what is recorded goes on being recorded")
		})
		p.step("undone_after_"+way.how+"_it_is_whole_again", func(t *testing.T) {
			at := p.alma.post("/audit/proof/undo", nil)
			require.Contains(t, at.text(), "Everything is again as it was.")
			at = p.alma.verify(p.old)
			require.Contains(t, at.text(), "Whole: all")
			require.Equal(t, "the checkpoint that was pasted", at.fact(t, "Compared with"))
			require.Eventually(t, func() bool {
				return strings.HasPrefix(p.alma.get("/audit/health").fact(t, "Covered by signed checkpoints"), "yes")
			}, 2*time.Minute, 200*time.Millisecond)
		})
	}
	p.step("every_check_is_on_record_with_its_result", func(t *testing.T) {
		outcomes := p.alma.get("/audit?action=proof.check_ended").column(5)
		require.Equal(t, []string{"Done", "Needs a look", "Done", "Needs a look", "Done", "Needs a look", "Done"}, outcomes)
	})
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// pasted: an old checkpoint counts only as it was signed.
func (p *proof) pasted() {
	p.step("nonsense_is_no_old_checkpoint", func(t *testing.T) {
		before := len(p.alma.events(url.Values{"action": {"proof.check_started"}}))
		lines := strings.Split(p.old, "\n")
		text, signature, _ := strings.Cut(p.old, "\n\n")
		own, err := base64.StdEncoding.DecodeString(signature[strings.LastIndex(signature, " ")+1 : len(signature)-1])
		require.NoError(t, err)
		forged := append(own[:4:4], ed25519.Sign(ed25519.NewKeyFromSeed(make([]byte, 32)), []byte(text+"\n"))...)
		for name, old := range map[string]string{
			"words": "please", "without its signature": strings.Join(lines[:3], "\n"), "another size": strings.Replace(p.old, "\n"+lines[1]+"\n", "\n1"+lines[1]+"\n", 1),
			"another root": strings.Replace(p.old, lines[2], strings.Repeat("A", 43)+"=", 1), "another log": strings.ReplaceAll(p.old, logOrigin, "other.example.com/audit"),
			"another key": text + "\n\n— " + logOrigin + " " + base64.StdEncoding.EncodeToString(forged) + "\n", "markup": "<script>alert(1)</script>", "long": strings.Repeat(p.old, 40), "nul": "a\x00b",
		} {
			at := p.alma.post("/audit/proof/check", url.Values{"old": {old}})
			require.Contains(t, []int{http.StatusUnprocessableEntity, http.StatusBadRequest}, at.status, "%s: %s", name, at.text())
			require.NotContains(t, at.body, "<script>alert")
		}
		require.Len(t, p.alma.events(url.Values{"action": {"proof.check_started"}}), before, "nothing was begun")
	})
	p.step("what_mail_and_browsers_do_to_lines_does_no_harm", func(t *testing.T) {
		old := "\r\n====\r\n" + strings.ReplaceAll(p.old, "\n", " \r\n") + "\r\n"
		require.Contains(t, p.alma.verify(old).text(), "Whole: all")
	})
}

// proven: one event, without the database.
func (p *proof) proven() {
	p.step("one_event_is_proven_by_a_file", func(t *testing.T) {
		p.alma.covered()
		id := p.alma.get("/audit?who=" + tomID).links(eventLink)[0]
		at := p.greta.get("/audit/proof/" + id)
		require.Equal(t, http.StatusOK, at.status, at.text())
		var file provenEvent
		require.NoError(t, json.Unmarshal([]byte(at.body), &file))
		require.Equal(t, p.key, file.Key)
		require.NoError(t, file.Proof.Check(p.key, []byte(file.Event)))
		e, err := audit.Decode([]byte(file.Event))
		require.NoError(t, err)
		require.Equal(t, id, e.ID)
		require.ErrorIs(t, file.Proof.Check(p.key, []byte(strings.Replace(file.Event, tomID, nadiaID, 1))), tlog.ErrProof)
	})
	p.step("ids_of_nothing_lead_nowhere", func(t *testing.T) {
		for _, path := range []string{"/audit/proof/nobodys", "/audit/proof/00000000-0000-7000-8000-000000000000", "/audit/exports/nobodys", "/audit/exports/'"} {
			at := p.alma.sure(p.alma.get(path))
			require.Equal(t, http.StatusNotFound, at.status, path)
		}
		require.Equal(t, http.StatusOK, p.alma.get("/audit/proof?check=nobodys").status)
		require.Equal(t, http.StatusUnprocessableEntity, p.alma.post("/audit/proof/tamper", url.Values{"how": {"DROP TABLE"}}).status)
	})
	p.step("who_does_not_read_the_audit_proves_nothing", func(t *testing.T) {
		id := p.alma.get("/audit").links(eventLink)[0]
		for _, who := range []*person{p.iris, p.tom} {
			for _, path := range []string{"/audit/proof", "/audit/proof/checkpoint", "/audit/exports", "/audit/exports/nobodys", "/audit/proof/" + id} {
				require.Equal(t, http.StatusForbidden, who.get(path).status, path)
			}
			for _, path := range []string{"/audit/proof/check", "/audit/proof/tamper", "/audit/proof/undo", "/audit/exports"} {
				at := who.post(path, url.Values{"how": {"delete"}, "format": {"jsonl"}, "reason": {"just curious"}})
				require.Equal(t, http.StatusForbidden, at.status, path)
			}
		}
	})
}

// TestNoTamperingWithoutDemo: the routes are not there.
func TestNoTamperingWithoutDemo(t *testing.T) {
	t.Parallel()
	for demo, want := range map[string]int{"-demo=true": 2, "-demo=false": 0} {
		c, err := parseConfig([]string{"-data", t.TempDir(), "-url", "http://localhost:8080", demo})
		require.NoError(t, err)
		a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(a.close)
		n := 0
		for _, route := range a.mux().Routes() {
			if route.Action == demoTamper.Name() || strings.Contains(route.Path, "tamper") || strings.Contains(route.Path, "undo") {
				n++
			}
		}
		require.Equal(t, want, n, demo)
	}
}
