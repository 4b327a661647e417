package passkey_test

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

// A passkey is made once and used from then on. Between the two halves of a ceremony the browser
// talks to the device; here passkeytest does.
func Example() {
	verifier, err := passkey.New(passkey.RelyingParty{
		ID:      "clinic.example",
		Name:    "Example Clinic",
		Origins: []string{"https://app.clinic.example"},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	phone := passkeytest.New("https://app.clinic.example")

	options, state, _ := verifier.Create(mfa.PasskeyOwner{Handle: make([]byte, 64), Account: "dr.lin@example.com"})
	response, _ := phone.Create(options)
	key, err := verifier.Created(state, response)
	fmt.Println("made:", err, len(key.ID))

	options, state, _ = verifier.Request(nil)
	response, _ = phone.Get(options)
	id, handle, _ := verifier.Claimed(response) // look the key up by them
	fmt.Println("found:", bytes.Equal(id, key.ID), bytes.Equal(handle, key.Handle))
	used, err := verifier.Asserted(state, response, key)
	fmt.Println("signed in:", err, used.Count, used.Cloned)
	// Output:
	// made: <nil> 32
	// found: true true
	// signed in: <nil> 2 false
}

// A page that looks like the clinic's gets a response for its own address, which is worth nothing.
func ExampleVerifier_Asserted_phishing() {
	verifier, _ := passkey.New(passkey.RelyingParty{
		ID:      "clinic.example",
		Name:    "Example Clinic",
		Origins: []string{"https://app.clinic.example"},
	}, nil)
	phone := passkeytest.New("https://app.clinic.example")
	options, state, _ := verifier.Create(mfa.PasskeyOwner{Handle: make([]byte, 64), Account: "dr.lin@example.com"})
	response, _ := phone.Create(options)
	key, _ := verifier.Created(state, response)

	options, state, _ = verifier.Request(nil)
	phone.Origin = "https://clinic-example.example.net"
	_, err := phone.Get(options)
	fmt.Println(err) // browsers do not even ask the device

	phone.Origin = "https://old.clinic.example" // of the same domain, and taken over
	response, _ = phone.Get(options)
	_, err = verifier.Asserted(state, response, key)
	fmt.Println(errors.Is(err, mfa.ErrPasskey), err)
	// Output:
	// passkeytest: the relying party ID does not belong to the origin
	// true mfa: the passkey's response was not accepted: another origin
}
