package phitest_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

func ExampleCanary() {
	canary, err := phitest.NewCanary("Jane Doe", "555-555-0123")
	if err != nil {
		log.Fatal(err)
	}
	good := fmt.Sprintln("patient saved", phi.NewText("Jane Doe"), canary.Decoy())
	bad := fmt.Sprintln("patient saved", "JANE DOE", canary.Decoy())
	for _, text := range []string{good, bad} {
		found, decoy, err := canary.Search(strings.NewReader(text)) // in a test: canary.Check(t, "log", r)
		fmt.Println(found, decoy, err)
	}
	// Output:
	// [] true <nil>
	// [value 0 in clear] true <nil>
}
