// Command cmd is how .ci/run uses package reqcheck:
//
//	go test -json ./... | go run ./internal/reqcheck/cmd read results.json
//	go run ./internal/reqcheck/cmd check docs/requirements.md results.json …
//
// The first keeps the results and prints what plain go test would; the second fails if the
// table is not true for them.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wardkit/wardkit/internal/reqcheck"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reqcheck:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "read":
		return read(args[1])
	case len(args) >= 3 && args[0] == "check":
		return check(args[1], args[2:])
	}
	return errors.New("usage: read FILE, or check DOCUMENT FILE …")
}

func read(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	results := reqcheck.Results{}
	if err := results.Read(io.TeeReader(os.Stdin, file), os.Stdout); err != nil {
		return err
	}
	fmt.Printf("%d tests passed, %d were skipped, %d failed\n",
		results.Count("pass"), results.Count("skip"), results.Count("fail"))
	return nil
}

func check(document string, files []string) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	table, err := reqcheck.Parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	results := reqcheck.Results{}
	for _, path := range files {
		if err := load(results, path); err != nil {
			return err
		}
	}
	problems := reqcheck.Check(table, results)
	for _, p := range problems {
		fmt.Println(p)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%s claims more than this run proved", document)
	}
	fmt.Println(reqcheck.Summary(table))
	return nil
}

func load(results reqcheck.Results, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return results.Read(file, io.Discard)
}
