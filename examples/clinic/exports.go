package main

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/fhir"
	"github.com/wardkit/wardkit/audit/ocsf"
	"github.com/wardkit/wardkit/audit/tlog"
)

// exportFormat is a form in which the audit can be taken out.
type exportFormat struct {
	ID, Name, Hint string
	File           string // in the archive
	encoder        export.Encoder
}

func exportFormats() []exportFormat {
	return []exportFormat{
		{"jsonl", "For checking (JSON Lines)", "The events as they were signed: the file proves itself.", "audit.jsonl", export.JSONLines{}},
		{"csv", "For a spreadsheet (CSV)", "One event on a line. What is personal is left out.", "audit.csv", export.CSV{}},
		{"fhir-r4-auditevent", "For other systems (FHIR AuditEvent)", "One resource on a line, FHIR R4.", "audit.ndjson", fhir.AuditEvents{}},
		{"ocsf-1.2", "For a SIEM (OCSF)", "One event on a line, for those who watch many systems.", "audit.ocsf.ndjson", ocsf.Events{Product: "Harbor Clinic"}},
	}
}

// formatOf finds a format by its id.
func formatOf(id string) (exportFormat, bool) {
	for _, f := range exportFormats() {
		if f.ID == id {
			return f, true
		}
	}
	return exportFormat{}, false
}

// archive writes a .zip while it is made: nothing of it waits in memory, and nothing leaves before
// there is something to write, so what fails before can be told on a page.
type archive struct {
	w       http.ResponseWriter
	control *http.ResponseController
	zip     *zip.Writer
	file    io.Writer // the one that is being written
	name    string    // of the first file
	now     time.Time
}

func newArchive(w http.ResponseWriter, name string, now time.Time) *archive {
	return &archive{w: w, control: http.NewResponseController(w), name: name, now: now}
}

// pieceTime is how long a browser may take for a piece of the file.
const pieceTime = time.Minute

// Write writes to the file that was begun last.
func (z *archive) Write(p []byte) (int, error) {
	if z.zip == nil {
		z.w.Header().Set("Content-Type", "application/zip")
		z.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="audit-%s.zip"`, z.now.UTC().Format("2006-01-02-150405")))
		z.zip = zip.NewWriter(z.w)
		if err := z.begin(z.name); err != nil {
			return 0, err
		}
	}
	// The server's own limits are for requests, not for a file that takes an hour.
	_ = z.control.SetReadDeadline(time.Time{})
	_ = z.control.SetWriteDeadline(time.Now().Add(pieceTime))
	return z.file.Write(p)
}

// begun reports whether something may have left.
func (z *archive) begun() bool { return z.zip != nil }

// begin begins a file.
func (z *archive) begin(name string) (err error) {
	z.file, err = z.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: z.now})
	return err
}

// add adds a whole file.
func (z *archive) add(name, text string) error {
	if err := z.begin(name); err != nil {
		return err
	}
	_, err := io.WriteString(z, text)
	return err
}

// manifestName is beside a file.
func manifestName(file string) string { return file + ".manifest" }

// command is what checks an export.
func (a *app) command(file string) string {
	return fmt.Sprintf("auditverify export -log-key '%s' -export-key '%s' -manifest %s %s", a.trees.VerifierKey(), a.exporter.VerifierKey(), manifestName(file), file)
}

// howTo is the text in the archive that says how to check the rest.
func (a *app) howTo(file string) string {
	return `This is a copy of the audit of ` + clinicName + `.

` + file + `
    the events
` + manifestName(file) + `
    what was taken out, by whom it can be checked, and the signature

To check that nothing was changed or left out, on any machine with Go:

    go install github.com/wardkit/wardkit/audit/cmd/auditverify@latest
    ` + a.command(file) + `

The two keys came with the file. Compare them with those that the clinic gave you before:
whoever could change the file could have changed the keys as well.
`
}

// give writes an export as an archive and keeps its manifest. Without the last byte the archive
// cannot be opened, and without the manifest in it the file is nothing.
func (a *app) give(ctx context.Context, z *archive, f exportFormat, filter *export.Filter) error {
	signed, err := a.exporter.Export(ctx, z, export.Request{Tenant: tenant, Filter: filter, Encoder: f.encoder})
	if err != nil {
		return err
	}
	m, err := export.OpenManifest(signed, a.exporter.VerifierKey())
	if err != nil {
		return err
	}
	if !z.begun() { // nothing was selected, and the format begins with nothing
		if _, err := z.Write(nil); err != nil {
			return err
		}
	}
	if err := a.keepManifest(ctx, m.ID, string(signed)); err != nil {
		return err
	}
	if err := z.add(manifestName(f.File), string(signed)); err != nil {
		return err
	}
	if err := z.add("HOW-TO-CHECK.txt", a.howTo(f.File)); err != nil {
		return err
	}
	return z.zip.Close()
}

func (a *app) keepManifest(ctx context.Context, id, manifest string) error {
	actor, _ := audit.ActorFrom(ctx)
	_, err := a.db.pool.ExecContext(ctx, a.db.q(`INSERT INTO clinic_export (tenant, id, person, manifest) VALUES (?, ?, ?, ?)`),
		string(tenant), id, string(actor.ID), manifest)
	return err
}

// keptExport is an export that was given out.
type keptExport struct{ id, person, manifest string }

// exports returns the latest exports, newest first, or the one with an id.
func (a *app) exports(ctx context.Context, id string) (all []keptExport, err error) {
	rows, err := a.db.pool.QueryContext(ctx, a.db.q(`SELECT id, person, manifest FROM clinic_export WHERE tenant = ? AND (id = ? OR ? = '') ORDER BY id DESC LIMIT 50`),
		string(tenant), id, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var k keptExport
		if err := rows.Scan(&k.id, &k.person, &k.manifest); err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

// manifestOf reads a manifest that was kept: one that this clinic did not sign is told as such.
func (a *app) manifestOf(k keptExport) (export.Manifest, bool) {
	m, err := export.OpenManifest([]byte(k.manifest), a.exporter.VerifierKey())
	if err != nil || m.ID != k.id {
		return export.Manifest{}, false
	}
	_, err = tlog.OpenCheckpoint([]byte(m.Checkpoint), a.trees.VerifierKey())
	return m, err == nil
}
