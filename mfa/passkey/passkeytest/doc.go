// Package passkeytest is a software authenticator for tests of what uses passkeys: a browser with
// a device behind it, as one value that makes passkeys (ES256) and signs with them. It needs
// neither a browser nor a third-party package.
//
//	device := passkeytest.New("https://clinic.example")
//	response, err := device.Create(options) // navigator.credentials.create and toJSON
//	response, err = device.Get(options)     // navigator.credentials.get and toJSON
//
// Options and responses are the JSON that package passkey makes and takes. A Device asks nobody:
// the person is always there and has always unlocked it. Its keys are in memory, so it is for
// tests only. Device.Lie changes what a response says before it is signed, for tests of refusals.
//
// Compatibility: the Go API may change before version 1, with an entry in the changelog.
package passkeytest
