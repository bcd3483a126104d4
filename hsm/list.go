package hsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"
)

// List lists the P-256 and Ed25519 keys of a token by label, then id. Like [Generate] it loads the
// module into this process.
func List(ctx context.Context, c TokenConfig) (keys []Key, err error) {
	t, err := openFor(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	public, err := t.find(pkcs11.CKO_PUBLIC_KEY, "", nil)
	if err != nil {
		return nil, err
	}
	for _, object := range public {
		k, err := t.describe(object)
		if errors.Is(err, errOtherKey) {
			continue
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), slices.Compare(a.ID, b.ID))
	})
	return keys, nil
}

// found is a key as its attributes say.
func (t *token) found(label string, id, spki []byte) (Key, error) {
	public, err := parseSPKI(spki)
	if err != nil {
		return Key{}, fmt.Errorf("read key %q: %w", label, err)
	}
	return Key{
		Label: label, ID: id, SPKI: spki, Type: public.kind(),
		Fingerprint: Fingerprint(spki), Software: t.slot.software(),
	}, nil
}

func (t *token) describe(public pkcs11.ObjectHandle) (Key, error) {
	spki, err := t.spki(public)
	if err != nil {
		return Key{}, err
	}
	values, err := t.attributes(public, pkcs11.CKA_LABEL, pkcs11.CKA_ID)
	if err != nil {
		return Key{}, err
	}
	k, err := t.found(string(values[0]), values[1], spki)
	if err != nil {
		return Key{}, err
	}
	if k.Label == "" || len(k.ID) == 0 {
		k.Problem = "it has no label or no id"
		return k, nil
	}
	private, err := t.find(pkcs11.CKO_PRIVATE_KEY, k.Label, k.ID)
	if err != nil {
		return Key{}, err
	}
	twins, err := t.find(pkcs11.CKO_PUBLIC_KEY, k.Label, k.ID)
	if err != nil {
		return Key{}, err
	}
	if len(private) != 1 || len(twins) != 1 {
		k.Problem = fmt.Sprintf("%d private and %d public keys have this label and id", len(private), len(twins))
	}
	return k, nil
}
