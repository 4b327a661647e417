// Package mfatest proves stores for package mfa, and has what a host's own tests need in its
// place.
//
// A store of a host's own is proven in one line:
//
//	func TestStore(t *testing.T) { mfatest.TestStore(t, open) }
//
// where open returns an empty store. Check does the same outside of a test.
//
// A Fake stands in for mfa.Factors and for the phones of everybody who enrols:
//
//	factors := mfatest.NewFake(t, nil)
//	people, err := authn.New(authn.Parts{Factor: factors, …}, nil)
//	factors.Enrol(t, tenant, person)
//	step, err := people.Continue(ctx, ticket, authn.Answer{Code: factors.Code(t, tenant, person)}, client)
//
// For passkeys, Device answers to what a browser is asked:
//
//	factors.EnrolPasskey(t, tenant, person)
//	response, err := factors.Device(tenant, person).Get([]byte(step.Passkey))
package mfatest
