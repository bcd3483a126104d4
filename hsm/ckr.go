package hsm

import (
	"errors"

	"github.com/miekg/pkcs11"
)

// returnCode finds the module's CKR code in err. crypto11's errors have causes where
// those of the standard library are unwrapped.
func returnCode(err error) (uint, bool) {
	for err != nil {
		if code, ok := errors.AsType[pkcs11.Error](err); ok {
			return uint(code), true
		}
		caused, ok := errors.AsType[interface {
			error
			Cause() error
		}](err)
		if !ok {
			return 0, false
		}
		err = caused.Cause()
	}
	return 0, false
}

// pinRefused reports whether the token refused the PIN: each further attempt brings
// some tokens nearer to being locked, so there is none.
func pinRefused(err error) bool {
	code, ok := returnCode(err)
	if !ok {
		return false
	}
	switch code {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE,
		pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED:
		return true
	}
	return false
}

func isCode(err error, code uint) bool {
	got, ok := returnCode(err)
	return ok && got == code
}
