package hsm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// authorityLabel is the label that [GenerateAuthority] gives to a key: "log-1", or
// "prefix-log-1".
func authorityLabel(prefix string, p gate.Purpose) string {
	if prefix != "" {
		prefix += "-"
	}
	return prefix + string(p) + "-1"
}

// GenerateAuthority makes one key pair for each purpose of the gate's own keys, as
// [Generate] does: P-256, and Ed25519 for the log where the token can. It makes none where
// one of the labels is taken: CodeConfig of kind Conflict, which says what is there and what
// to do. What was made before an error is returned with it.
func GenerateAuthority(ctx context.Context, c TokenConfig, prefix string) (made []Key, err error) {
	t, err := openFor(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if err := t.setIsFree(prefix); err != nil {
		return nil, err
	}
	edwards, err := t.canEdwards()
	if err != nil {
		return nil, err
	}
	for _, p := range gate.AuthorityPurposes() {
		typ := P256
		if p == gate.PurposeLog && edwards {
			typ = Ed25519
		}
		k, err := t.make(authorityLabel(prefix, p), p, typ)
		if err != nil {
			return made, halfMade(made, p, err)
		}
		made = append(made, k)
	}
	return made, nil
}

// setIsFree makes sure that no label of a set is taken.
func (t *token) setIsFree(prefix string) error {
	var taken, missing []string
	for _, p := range gate.AuthorityPurposes() {
		label := authorityLabel(prefix, p)
		free, err := t.isFree(label)
		switch {
		case err != nil:
			return err
		case free:
			missing = append(missing, fmt.Sprintf("--purpose %s --label %s", p, label))
		default:
			taken = append(taken, fmt.Sprintf("%q", label))
		}
	}
	if len(taken) == 0 {
		return nil
	}
	fix := "countersignd keys list prints them; for a new set choose another --prefix"
	if len(missing) > 0 {
		fix = "make what is missing one by one (countersignd keys create " + strings.Join(missing, ", ") +
			"), and take the others from countersignd keys list; or choose another --prefix"
	}
	return &gate.Error{
		Kind: gate.Conflict, Code: gate.CodeConfig, Fix: fix,
		Text: fmt.Sprintf("token %q already holds %s of this set; nothing was made", t.label, strings.Join(taken, ", ")),
	}
}

// halfMade says which keys of a set are on the token although the set is not whole.
func halfMade(made []Key, p gate.Purpose, err error) error {
	if len(made) == 0 {
		return err
	}
	var labels []string
	for _, k := range made {
		labels = append(labels, fmt.Sprintf("%q", k.Label))
	}
	return &gate.Error{
		Kind: gate.KindOf(err), Code: gate.CodeOf(err), Err: err,
		Text: fmt.Sprintf("only a part of the set was made: %s; the %s key was not", strings.Join(labels, ", "), p),
		Fix:  "remove the cause, then run the same command again: it says how to go on",
	}
}
