package keeper

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/sums"
)

// Voters are those who may begin an epoch: administrators by number, and their SSH keys. A
// principal of the signers' file is an administrator, spelled forge:number.
type Voters struct {
	Signers        sums.AllowedSigners
	Administrators []gate.AccountID
}

// verify wants signatures of two different administrators over a document. One that does not
// verify is refused, however many others do.
func (v Voters) verify(document []byte, signatures [][]byte, at time.Time) ([]EpochSignature, error) {
	fix := fmt.Sprintf("let two administrators each run: ssh-keygen -Y sign -n %s -f KEY FILE", EpochNamespace)
	if len(signatures) > maxEpochSigners {
		return nil, wrongEpoch("there are too many signatures", fmt.Sprintf("at most %d", maxEpochSigners), fmt.Sprint(len(signatures)), fix)
	}
	var out []EpochSignature
	for i, s := range signatures {
		who, err := v.who(document, s, at)
		if err != nil {
			return nil, wrongEpoch(fmt.Sprintf("signature %d does not hold", i+1), "one by an administrator's SSH key over the document", err.Error(), fix)
		}
		if slices.ContainsFunc(out, func(o EpochSignature) bool { return o.Administrator == who }) {
			return nil, wrongEpoch("one administrator signed twice", "two different administrators", who.String()+" twice", fix)
		}
		out = append(out, EpochSignature{Administrator: who, SSH: string(s)})
	}
	if len(out) < epochSigners {
		return nil, wrongEpoch("too few administrators signed", fmt.Sprintf("at least %d", epochSigners), fmt.Sprint(len(out)), fix)
	}
	return out, nil
}

func (v Voters) who(document, signature []byte, at time.Time) (gate.AccountID, error) {
	var who gate.AccountID
	principal, err := sums.VerifySSH(document, signature, EpochNamespace, v.Signers, at)
	if err != nil {
		return who, err
	}
	if err := who.UnmarshalText([]byte(principal)); err != nil || who == (gate.AccountID{}) {
		return who, fmt.Errorf("expected a principal like github:583231, got %q", principal)
	}
	if !slices.Contains(v.Administrators, who) {
		return who, fmt.Errorf("%s is no administrator of this server", who)
	}
	return who, nil
}

// VerifyEpoch checks again how an epoch began: that its record is of it, and signed by two
// who were voters when it began. The first epoch needs neither.
func VerifyEpoch(e gate.Epoch, v Voters) error {
	if e.Number == 1 && e.Document == nil {
		return nil
	}
	r, d, err := ParseEpochRecord(e.Document)
	if err != nil {
		return fmt.Errorf("epoch %d: %w", e.Number, err)
	}
	if d.Number != e.Number || d.Origin != e.Origin || d.LogKey != Fingerprint(e.SPKI) {
		return fmt.Errorf("epoch %d: its document is of epoch %d, origin %s and log key %s", e.Number, d.Number, d.Origin, d.LogKey)
	}
	var all [][]byte
	for _, s := range r.Signatures {
		all = append(all, []byte(s.SSH))
	}
	signed, err := v.verify([]byte(r.Document), all, e.Begun)
	if err != nil {
		return fmt.Errorf("epoch %d: %w", e.Number, err)
	}
	for i, s := range signed {
		if s.Administrator != r.Signatures[i].Administrator {
			return fmt.Errorf("epoch %d: signature %d is by %s, the record says %s", e.Number, i+1, s.Administrator, r.Signatures[i].Administrator)
		}
	}
	return nil
}
