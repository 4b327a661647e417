// Package vaulttransit is a phi.KMS over the Transit secrets engine of HashiCorp Vault, or of
// OpenBao, by plain HTTP: the key-encryption key stays in Vault, which wraps and unwraps the
// roots of tenants.
//
//	kms, err := vaulttransit.New("https://vault.internal:8200", "acme-ehr", token, nil)
//	vault, err := phi.Open(ctx, "acme-ehr", kms, keys, nil)
//
// # In Vault
//
//	vault secrets enable transit
//	vault write transit/keys/acme-ehr type=aes256-gcm96 derived=true
//
// and for the application a policy with "update" on transit/encrypt/acme-ehr,
// transit/decrypt/acme-ehr and transit/rewrap/acme-ehr. Not "create": with it a misspelt name
// would make a new key. With derived=true every tenant, purpose and epoch has an encryption key
// of its own, made from the context that this package sends with each request; a key without
// it works too, because what is wrapped also carries a digest of its context, which is compared
// when it is unwrapped.
//
// # Rotation
//
// A new version of the key in Vault, then phi.RotateKEK, which asks Vault to re-wrap every root
// (no root leaves Vault by that alone; each result is unwrapped once, to see that it holds the
// same key), and then the old versions can go:
//
//	vault write -f transit/keys/acme-ehr/rotate
//	vault write transit/keys/acme-ehr/config min_decryption_version=2
//
// To come here from a key file, or to go to another Vault, see phi.Ring.
//
// # When Vault does not answer
//
// A request is repeated a few times, with growing pauses or as long as Vault's Retry-After says,
// and never beyond the caller's deadline. Then the error is phi.ErrThrottled or
// phi.ErrUnavailable, which phi.Retryable tells from phi.ErrDenied (token, policy, name of the
// key) and phi.ErrWrongKey (the wrapped key is not one of this Vault key, or its version is no
// longer allowed). No error quotes the
// token, what Vault said, or a tenant's name.
package vaulttransit
