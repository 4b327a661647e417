package authn

import (
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Purpose is what a link is for. A link does that and nothing else.
type Purpose string

// The purposes.
const (
	PurposeSetUp      Purpose = "set_up"     // the first administrator of a tenant
	PurposeInvitation Purpose = "invitation" // everybody after
	PurposeReset      Purpose = "reset"      // a forgotten password
)

// Link is a one-time link as stored: the hash of a 256-bit token, bound to purpose, tenant
// and person.
type Link struct {
	Hash    []byte // SHA-256 of the token
	Tenant  audit.Tenant
	Person  audit.ActorID
	Purpose Purpose
	Created time.Time
	Expires time.Time
	Used    time.Time // when it was consumed or replaced, zero while it is live
}
