package main

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// dumpFolder returns the bytes of every file below dir: what a stolen backup holds.
func dumpFolder(t *testing.T, dir string) []byte {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all.Write(content)
		return err
	})
	require.NoError(t, err)
	require.NotZero(t, all.Len())
	return all.Bytes()
}

// dumpPostgres returns every value of every table of the schema as text, binary columns
// both in hexadecimal and as the bytes they are.
func dumpPostgres(t *testing.T, pool *sql.DB) []byte {
	t.Helper()
	var all bytes.Buffer
	names, err := pool.QueryContext(t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`)
	require.NoError(t, err)
	var tables []string
	for names.Next() {
		var name string
		require.NoError(t, names.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, names.Err())
	require.NotEmpty(t, tables)
	for _, table := range tables {
		dumpTable(t, pool, table, &all)
	}
	return all.Bytes()
}

func dumpTable(t *testing.T, pool *sql.DB, table string, all *bytes.Buffer) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	for rows.Next() {
		require.NoError(t, rows.Scan(values...))
		for _, v := range values {
			switch v := (*v.(*any)).(type) {
			case []byte:
				all.Write(v)
				fmt.Fprintf(all, " %s ", hex.EncodeToString(v))
			default:
				fmt.Fprintf(all, "%v ", v)
			}
		}
	}
	require.NoError(t, rows.Err())
}
