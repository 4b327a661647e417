package mfa

import (
	"crypto/fips140"
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

const (
	period = 30 // seconds, RFC 6238, section 5.2
	digits = 6
	window = 1 // steps either side, for clocks that differ (RFC 6238, section 5.2)
)

// stepOf returns the time step of t (RFC 6238, section 4.2), 0 before 1970.
func stepOf(t time.Time) int64 { return max(0, t.Unix()) / period }

// codeAt returns the code of one step.
func codeAt(secret []byte, step int64) (string, error) {
	if fips140.Enforced() {
		return "", ErrFIPS
	}
	code, err := totp.GenerateCodeCustom(base32Plain.EncodeToString(secret), time.Unix(step*period, 0),
		totp.ValidateOpts{Period: period, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "", errors.New("mfa: computing a code") // pquerna's error could quote the key
	}
	return code, nil
}

// match returns the highest step of the window around now whose code is code, 0 if there is
// none. The highest, because two steps can share their six digits: with a lower one, the same
// digits could be accepted a second time. Every step is computed and compared whatever the
// others gave.
func match(secret []byte, code string, now time.Time) (int64, error) {
	if len(secret) != secretSize {
		return 0, errors.New("mfa: a stored key has the wrong length")
	}
	want, ok := readCode(code)
	if !ok {
		return 0, nil
	}
	var found int64
	for step := max(1, stepOf(now)-window); step <= stepOf(now)+window; step++ {
		have, err := codeAt(secret, step)
		if err != nil {
			return 0, err
		}
		if subtle.ConstantTimeCompare([]byte(have), []byte(want)) == 1 {
			found = step
		}
	}
	return found, nil
}

// readCode returns the six digits of what somebody typed: "123456", "123 456", " 123456 ".
func readCode(typed string) (string, bool) {
	if len(typed) > 4*digits {
		return "", false
	}
	s := strings.ReplaceAll(typed, " ", "")
	if len(s) != digits || strings.Trim(s, "0123456789") != "" {
		return "", false
	}
	return s, true
}
