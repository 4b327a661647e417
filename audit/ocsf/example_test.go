package ocsf_test

import (
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/ocsf"
)

// A sign-in as a SIEM takes it.
func Example() {
	body, err := audit.Encode(audit.Event{
		ID: "0193a5c0-7c4f-7abc-8def-000000000001", Tenant: "clinic-17", Action: "authn.sign_in", Verb: audit.Execute,
		Recorded: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), Actor: audit.Actor{ID: "u-ada", Kind: audit.KindStaff, Tenant: "clinic-17"},
	})
	if err != nil {
		panic(err)
	}
	line, err := ocsf.Events{Product: "clinic"}.Append(nil, &audit.Entry{Body: body})
	fmt.Println(string(line[:95]), err)
	// Output:
	// {"class_uid":3002,"category_uid":3,"activity_id":1,"type_uid":300201,"time":1777896000000,"seve <nil>
}
