package phisql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
)

// Visit is a host's row: an id, the patient in a column of its own, what is sealed, and a column
// that phi leaves alone.
type Visit struct {
	ID      string        `phi:",row"`
	Patient audit.Patient `phi:",patient"`
	Note    phi.Text      `phi:"note,class=clinical"`
	Phone   phi.Text      `phi:"phone,class=phone"`
	Starts  int64
}

// A row with sealed columns goes into the host's own table with its search terms, in one
// transaction, and comes out again.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "phisql")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "clinic.db")+
		"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store, err := phisql.SQLite(db)
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = db.ExecContext(ctx, `CREATE TABLE visit (tenant TEXT NOT NULL, id TEXT NOT NULL, patient TEXT NOT NULL,
		starts INTEGER NOT NULL, note BLOB, phone BLOB, PRIMARY KEY (tenant, id))`)
	if err != nil {
		log.Fatal(err)
	}
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), store, nil)
	if err != nil {
		log.Fatal(err)
	}
	visits, err := phi.For[Visit](vault, "visit", phi.WithIndex("phone", phi.Phone("US")))
	if err != nil {
		log.Fatal(err)
	}

	v := &Visit{ID: "v-1", Patient: "p-1", Note: phi.NewText("sleeps badly"), Phone: phi.NewText("(555) 555-0123"), Starts: 1767258000}
	if err := insert(ctx, db, store, visits, "clinic-1", v); err != nil {
		log.Fatal(err)
	}

	q, err := visits.Lookup(ctx, "clinic-1", "phone", "555.555.0123")
	if err != nil {
		log.Fatal(err)
	}
	in, args := store.Subquery("clinic-1", q, 0)
	var row phi.Row
	var starts int64
	err = db.QueryRowContext(ctx, "SELECT id, patient, starts, "+visits.Columns("")+" FROM visit WHERE tenant = ? AND id IN ("+in+")",
		append([]any{"clinic-1"}, args...)...).Scan(visits.Dest(&row, &row.ID, &row.Patient, &starts)...)
	if err != nil {
		log.Fatal(err)
	}
	found, err := visits.Open(ctx, "clinic-1", row)
	if err != nil {
		log.Fatal(err)
	}
	found.Starts = starts
	fmt.Println(found.ID, found.Patient, found.Starts, found.Note)
	// Output: v-1 p-1 1767258000 [PHI]
}

// insert seals before the transaction begins: a patient's first row makes the patient's key.
func insert(ctx context.Context, db *sql.DB, store *phisql.Store, visits *phi.Codec[Visit], t audit.Tenant, v *Visit) error {
	rec, err := visits.Seal(ctx, t, v)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO visit (tenant, id, patient, starts, "+visits.Columns("")+") VALUES (?, ?, ?, ?, ?, ?)",
		rec.Args(t, v.ID, v.Patient, v.Starts)...)
	if err == nil {
		err = store.WithTx(tx).SaveTerms(ctx, t, rec.Terms())
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
