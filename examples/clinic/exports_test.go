package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// copies is the story of what leaves the clinic, and of who checks it outside.
type copies struct {
	*story
	alma, tom, greta, iris *person
	tool                   string // auditverify
	logKey, exportKey      string
}

func TestExports(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "auditverify")
	out, err := exec.Command("go", "build", "-o", tool, "github.com/wardkit/wardkit/audit/cmd/auditverify").CombinedOutput()
	require.NoError(t, err, "%s", out)
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		c := &copies{story: tell(t, args...), tool: tool}
		c.arrive()
		c.refused()
		c.everything()
		c.selections()
		c.spreadsheet()
		c.resources()
		c.damaged()
		c.database(args)
	})
}

func (c *copies) arrive() {
	c.alma, c.tom, c.greta, c.iris = c.enter(), c.enter(), c.enter(), c.enter()
	c.step("everybody_arrives", func(t *testing.T) {
		c.alma.signIn(alma, demoPassword)
		c.tom.signIn(tom, demoPassword)
		c.iris.signIn(iris, demoPassword)
		c.greta.joins(c.alma, newcomer.name, newcomer.email, "auditor")
		at := c.alma.get("/audit/proof") // published before anybody needs them
		c.logKey, c.exportKey = at.match(t, `aria-label="Key of the checkpoints">([^<]+)<`), at.match(t, `aria-label="Key of the copies">([^<]+)<`)
	})
}

// copyForm fills in the form of an export.
func copyForm(format string, more ...string) url.Values {
	form := url.Values{"period": {"all"}, "format": {format}, "reason": {"yearly audit"}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// refused: nothing leaves before somebody may, has said why and proven who they are.
func (c *copies) refused() {
	c.step("no_copy_without_step_up", func(t *testing.T) {
		at := c.greta.post("/audit/exports", copyForm("jsonl"))
		require.Equal(t, http.StatusUnauthorized, at.status, at.text())
		require.Contains(t, at.text(), "Is it you?")
		require.NotEqual(t, "application/zip", at.header.Get("Content-Type"))
		require.Equal(t, http.StatusUnauthorized, c.greta.get("/audit/exports").status)
	})
	c.step("no_copy_without_reason_or_form", func(t *testing.T) {
		require.Equal(t, http.StatusOK, c.sureOfGreta().status)
		for _, reason := range []string{"", "  ", "x"} {
			at := c.greta.post("/audit/exports", copyForm("jsonl", "reason", reason))
			require.Equal(t, "/audit/exports?reason=missing", at.path)
			require.Contains(t, at.text(), "Please type a reason")
		}
		for name, form := range map[string]url.Values{
			"no such format": copyForm("exe"), "no format": copyForm(""), "no such patient": copyForm("jsonl", "q", "nobody@example.com"),
			"a date": copyForm("jsonl", "from", "yesterday"), "a number of nothing": copyForm("jsonl", "id", "7"),
		} {
			at := c.greta.post("/audit/exports", form)
			require.Equal(t, http.StatusUnprocessableEntity, at.status, "%s: %s", name, at.text())
			require.Contains(t, at.text(), "Nothing was taken out.", name)
		}
		require.Contains(t, c.greta.get("/audit/exports").text(), "None yet.")
		require.Empty(t, c.alma.events(url.Values{"action": {"export.created"}}), "nothing left")
	})
	c.step("what_is_looked_at_is_what_is_offered", func(t *testing.T) {
		at := c.greta.get("/audit?period=7d&action=patient.read")
		link := at.match(t, `href="(/audit/exports[^"]*)"`)
		require.Equal(t, "/audit/exports?action=patient.read&period=7d", link)
	})
	c.step("no_copy_for_other_roles", func(t *testing.T) {
		for _, who := range []*person{c.tom, c.iris} {
			require.Equal(t, http.StatusForbidden, who.post("/audit/exports", copyForm("jsonl")).status)
			require.Equal(t, http.StatusForbidden, who.get("/audit/exports").status)
		}
	})
}

// sureOfGreta opens the form as somebody who has just proven who she is.
func (c *copies) sureOfGreta() page {
	at := c.greta.get("/audit/exports")
	if at.status == http.StatusUnauthorized {
		return c.greta.proves(at, url.Values{fieldPassword: {newcomer.password}})
	}
	return at
}

// takes downloads a copy and unpacks it into a folder.
func (p *person) takes(form url.Values) (folder string, files map[string]string) {
	p.t.Helper()
	at := p.post("/audit/exports", form)
	require.Equal(p.t, http.StatusOK, at.status, at.text())
	require.Equal(p.t, "application/zip", at.header.Get("Content-Type"), at.text())
	require.Equal(p.t, "no-store", at.header.Get("Cache-Control"))
	z, err := zip.NewReader(strings.NewReader(at.body), int64(len(at.body)))
	require.NoError(p.t, err)
	folder, files = p.t.TempDir(), map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(p.t, err)
		content, err := io.ReadAll(r)
		require.NoError(p.t, err)
		files[f.Name] = string(content)
		require.NoError(p.t, os.WriteFile(filepath.Join(folder, f.Name), content, 0o600))
	}
	return folder, files
}

// checks runs auditverify on a copy with the keys that were published.
func (c *copies) checks(folder, file string) (out string, code int) {
	return c.runs(folder, "export", "-log-key", c.logKey, "-export-key", c.exportKey, "-manifest", file+".manifest", file)
}

func (c *copies) runs(folder string, args ...string) (string, int) {
	cmd := exec.Command(c.tool, args...)
	cmd.Dir = folder
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	_ = cmd.Run()
	return all.String(), cmd.ProcessState.ExitCode()
}

func (c *copies) everything() {
	c.step("copy_of_everything_proves_itself", func(t *testing.T) {
		c.alma.covered()
		c.sureOfGreta()
		folder, files := c.greta.takes(copyForm("jsonl"))
		require.Len(t, files, 3)
		out, code := c.checks(folder, "audit.jsonl")
		require.Zero(t, code, out)
		require.Contains(t, out, "these are all events from 0 to ")
		require.Contains(t, files["HOW-TO-CHECK.txt"], "-log-key '"+c.logKey+"' -export-key '"+c.exportKey+"' -manifest audit.jsonl.manifest audit.jsonl")
		require.NotContains(t, files["audit.jsonl"], "yearly audit", "reasons stay sealed")

		forged := strings.Replace(files["audit.jsonl"], tomID, nadiaID, 1)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "audit.jsonl"), []byte(forged), 0o600))
		out, code = c.checks(folder, "audit.jsonl")
		require.Equal(t, 1, code, out)
		_, rest, _ := strings.Cut(files["audit.jsonl"], "\n")
		require.NoError(t, os.WriteFile(filepath.Join(folder, "audit.jsonl"), []byte(rest), 0o600))
		out, code = c.checks(folder, "audit.jsonl")
		require.Equal(t, 1, code, "a line less: %s", out)
	})
	c.step("who_took_it_and_why_is_on_record", func(t *testing.T) {
		rows := c.alma.get("/audit?action=export.created").table()
		require.Len(t, rows, 1)
		require.Equal(t, []string{newcomer.name, "Copy of the audit taken out"}, rows[0][1:3])
		allowed := c.alma.events(url.Values{"action": {"audit_export.make"}, "outcome": {"ok"}})
		require.NotEmpty(t, allowed)
		require.Equal(t, "yearly audit", c.alma.get("/audit/"+allowed[0]).fact(t, "Reason given"))
	})
	c.step("its_manifest_stays_and_holds", func(t *testing.T) {
		at := c.sureOfGreta()
		rows := at.table()
		require.Len(t, rows, 1)
		require.Equal(t, newcomer.name, rows[0][1])
		require.Contains(t, rows[0][2], "Everything")
		again := c.greta.get(at.match(t, `href="(/audit/exports/[0-9a-f-]{36})"`))
		require.Equal(t, http.StatusOK, again.status)
		require.Contains(t, again.body, "wardkit export v1")
	})
}

func (c *copies) selections() {
	c.step("copies_of_a_selection", func(t *testing.T) {
		record := c.tom.patient(demoPatient(0).Email)
		c.tom.get(record)
		c.alma.covered()
		c.sureOfGreta()
		for name, form := range map[string]url.Values{
			"of one person": copyForm("jsonl", "who", tomID), "about one patient": copyForm("jsonl", "q", demoPatient(0).Email),
			"of one kind": copyForm("jsonl", "action", "patient.read"), "of a day": copyForm("jsonl", "period", "24h", "outcome", "ok"),
		} {
			folder, files := c.greta.takes(form)
			out, code := c.checks(folder, "audit.jsonl")
			require.Zero(t, code, "%s: %s", name, out)
			require.Contains(t, out, "that none was left out is what the exporter has signed", name)
			lines := strings.Split(strings.TrimSpace(files["audit.jsonl"]), "\n")
			for _, line := range lines {
				switch name {
				case "of one person":
					require.Contains(t, line, `"`+tomID+`"`)
				case "about one patient":
					require.Contains(t, line, strings.TrimPrefix(record, "/patients/"))
				case "of one kind":
					require.Contains(t, line, `"patient.read"`)
				}
			}
		}
		_, files := c.greta.takes(copyForm("jsonl", "who", "demo-finance"))
		require.NotContains(t, files["audit.jsonl"], tomID)
	})
}

// spreadsheet: what somebody typed into an address is no formula in a copy.
func (c *copies) spreadsheet() {
	c.step("no_formula_reaches_a_spreadsheet", func(t *testing.T) {
		for _, path := range []string{"/patients/" + url.PathEscape("=cmd|'/c calc'!A1"), "/patients/" + url.PathEscape(`@SUM(1+1)",=2+3,"`)} {
			require.Equal(t, http.StatusNotFound, c.tom.get(path).status)
		}
		c.alma.covered()
		c.sureOfGreta()
		folder, files := c.greta.takes(copyForm("csv"))
		out, code := c.checks(folder, "audit.csv")
		require.Zero(t, code, out)
		rows, err := csv.NewReader(strings.NewReader(files["audit.csv"])).ReadAll()
		require.NoError(t, err)
		require.Greater(t, len(rows), 50)
		for _, row := range rows {
			for _, cell := range row {
				require.NotContains(t, "=+-@\t\r", string((cell + " ")[0]), cell)
			}
		}
	})
}

// resources: the same for systems that speak FHIR.
func (c *copies) resources() {
	c.step("copy_for_other_systems", func(t *testing.T) {
		c.alma.covered()
		c.sureOfGreta()
		folder, files := c.greta.takes(copyForm("fhir-r4-auditevent"))
		out, code := c.checks(folder, "audit.ndjson")
		require.Zero(t, code, out)
		for _, line := range strings.Split(strings.TrimSpace(files["audit.ndjson"]), "\n") {
			var resource struct{ ResourceType string }
			require.NoError(t, json.Unmarshal([]byte(line), &resource))
			require.Equal(t, "AuditEvent", resource.ResourceType)
		}
		c.sureOfGreta()
		folder, files = c.greta.takes(copyForm("ocsf-1.2"))
		out, code = c.checks(folder, "audit.ocsf.ndjson")
		require.Zero(t, code, out)
		for _, line := range strings.Split(strings.TrimSpace(files["audit.ocsf.ndjson"]), "\n") {
			var event struct {
				Class int `json:"class_uid"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &event))
			require.Contains(t, []int{3002, 6003}, event.Class)
		}
	})
}

// damaged: of a log that somebody changed there is no copy.
func (c *copies) damaged() {
	c.step("no_copy_of_a_log_that_was_changed", func(t *testing.T) {
		before := len(c.sureOfGreta().table())
		for _, how := range []string{"blame", "byte", "delete"} {
			c.alma.covered()
			require.Equal(t, http.StatusOK, c.alma.post("/audit/proof/tamper", url.Values{"how": {how}}).status)
			c.sureOfGreta()
			at, err := c.greta.attempt("/audit/exports", copyForm("jsonl"))
			if err == nil { // nothing had left yet; otherwise the file breaks off
				require.Equal(t, http.StatusInternalServerError, at.status, at.text())
				require.Contains(t, at.text(), "The database was changed behind the application’s back")
			}
			require.Equal(t, http.StatusOK, c.alma.post("/audit/proof/undo", nil).status)
		}
		require.Len(t, c.alma.events(url.Values{"action": {"audit_export.broken"}}), 3)
		c.sureOfGreta()
		require.Len(t, c.greta.get("/audit/exports").table(), before, "no manifest")
	})
}

// database: the command reads the clinic's own database, after the clinic ended.
func (c *copies) database(args []string) {
	c.step("database_is_checked_from_outside", func(t *testing.T) {
		c.alma.covered()
		old := filepath.Join(t.TempDir(), "checkpoint.txt")
		require.NoError(t, os.WriteFile(old, []byte(c.alma.checkpoint()), 0o600))
		c.clinic.stop()
		where := []string{"-sqlite", filepath.Join(args[1], "clinic.db")}
		kept := "clinic.checkpoints"
		if len(args) > 2 {
			where, kept = []string{"-postgres", args[3]}, "postgres.checkpoints"
		}
		for _, checkpoint := range []string{old, filepath.Join(args[1], kept)} {
			out, code := c.runs(t.TempDir(), append([]string{"database", "-log-key", c.logKey, "-checkpoint", checkpoint}, where...)...)
			require.Zero(t, code, out)
			require.Contains(t, out, "whole: ")
		}
		out, code := c.runs(t.TempDir(), append([]string{"database", "-log-key", c.exportKey, "-checkpoint", old}, where...)...)
		require.Equal(t, 1, code, "another key: %s", out)
	})
}
