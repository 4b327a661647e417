package passkey

import "github.com/wardkit/wardkit/mfa"

// What a browser's parseCreationOptionsFromJSON and parseRequestOptionsFromJSON take (WebAuthn
// Level 3, sections 5.1.8 and 5.1.9).

type creationOptions struct {
	RP struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"rp"`
	User struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		DisplayName string `json:"displayName"`
	} `json:"user"`
	Challenge string       `json:"challenge"`
	Params    []param      `json:"pubKeyCredParams"`
	Timeout   int64        `json:"timeout"` // milliseconds
	Exclude   []descriptor `json:"excludeCredentials"`
	Selection struct {
		ResidentKey        string `json:"residentKey"`
		RequireResidentKey bool   `json:"requireResidentKey"` // for browsers of Level 1
		UserVerification   string `json:"userVerification"`
	} `json:"authenticatorSelection"`
	Attestation string `json:"attestation"`
}

type requestOptions struct {
	Challenge        string       `json:"challenge"`
	Timeout          int64        `json:"timeout"` // milliseconds
	RPID             string       `json:"rpId"`
	Allow            []descriptor `json:"allowCredentials"`
	UserVerification string       `json:"userVerification"`
}

type param struct {
	Type string `json:"type"`
	Alg  int64  `json:"alg"`
}

type descriptor struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

func creation(rp *RelyingParty, owner mfa.PasskeyOwner, challenge []byte) *creationOptions {
	o := &creationOptions{
		Challenge:   encode(challenge),
		Timeout:     Lifetime.Milliseconds(),
		Exclude:     descriptors(owner.Has),
		Attestation: "none",
	}
	o.RP.ID, o.RP.Name = rp.ID, rp.Name
	o.User.ID, o.User.Name, o.User.DisplayName = encode(owner.Handle), owner.Account, owner.Account
	for _, a := range algorithms() {
		o.Params = append(o.Params, param{string(a.Type), int64(a.Algorithm)})
	}
	o.Selection.ResidentKey, o.Selection.RequireResidentKey = "required", true
	o.Selection.UserVerification = "required"
	return o
}

func request(rp *RelyingParty, allow []mfa.PublicKey, challenge []byte) *requestOptions {
	return &requestOptions{
		Challenge:        encode(challenge),
		Timeout:          Lifetime.Milliseconds(),
		RPID:             rp.ID,
		Allow:            descriptors(allow),
		UserVerification: "required",
	}
}

func descriptors(keys []mfa.PublicKey) []descriptor {
	all := make([]descriptor, 0, len(keys))
	for _, k := range keys {
		all = append(all, descriptor{"public-key", encode(k.ID), k.Transports})
	}
	return all
}
