package hsm

import (
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// slot is where a token is.
type slot struct {
	id   uint
	info pkcs11.TokenInfo
}

// software reports whether the token keeps its keys in files.
func (s slot) software() bool {
	return strings.Contains(strings.ToLower(s.info.ManufacturerID+" "+s.info.Model), "softhsm")
}

// findSlot finds the one token of that label. Two tokens of one label are refused:
// crypto11 would take the first.
func findSlot(module *pkcs11.Ctx, label string) (slot, error) {
	ids, err := module.GetSlotList(true)
	if err != nil {
		return slot{}, fmt.Errorf("list slots: %w", err)
	}
	var found []slot
	var others []string
	for _, id := range ids {
		info, err := module.GetTokenInfo(id)
		if err != nil {
			return slot{}, fmt.Errorf("read token in slot %d: %w", id, err)
		}
		switch {
		case info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0:
		case info.Label == label:
			found = append(found, slot{id: id, info: info})
		default:
			others = append(others, fmt.Sprintf("%q", info.Label))
		}
	}
	switch {
	case len(found) > 1:
		return slot{}, tokenFault(fmt.Sprintf("%d tokens have the label %q", len(found), label), "give each token a label of its own", nil)
	case len(found) == 0 && len(others) == 0:
		return slot{}, tokenFault(fmt.Sprintf("no token has the label %q; the module shows none at all", label),
			"check that the device is there and that the module finds its own configuration", nil)
	case len(found) == 0:
		return slot{}, tokenFault(fmt.Sprintf("no token has the label %q; the module shows %s", label, strings.Join(others, ", ")),
			"correct the token's label", nil)
	}
	return found[0], checkFlags(found[0])
}

// checkFlags refuses a token to which a login would fail, or would be its last.
func checkFlags(s slot) error {
	label := s.info.Label
	switch {
	case s.info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return pinFault(fmt.Sprintf("the PIN of token %q is locked", label), "unlock it with the security officer's PIN", nil)
	case s.info.Flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return pinFault(fmt.Sprintf("one more wrong PIN locks token %q, so none is tried", label),
			"log in by hand once (pkcs11-tool --login), then start again", nil)
	}
	return nil
}
