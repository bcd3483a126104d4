package sums

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// Part is one signature that a format takes: what an intent's digest and payload are. The
// intent's name is the format.
type Part struct {
	Format  gate.Format
	Digest  gate.Digest
	Payload []byte
}

// Parts are the signatures that the formats take over the manifest's SHA256SUMS, in the order
// of [gate.FormatRaw], ssh, openpgp; none for sigstore and dsse, which sign no SHA256SUMS.
// OpenPGP takes two: the key's own certification, which is always the same, and the signature.
//
// User is whom the key speaks for, such as "acme-release@gate.example.org": the OpenPGP user
// id and the SSH principal. At is the time that the OpenPGP signature says it was made.
func Parts(formats []gate.Format, m gate.Manifest, key gate.KeyVersion, user string, at time.Time) ([]Part, error) {
	pub, err := newPublic(key)
	if err != nil {
		return nil, err
	}
	if err := checkUser(user); err != nil {
		return nil, err
	}
	if err := checkFormats(formats); err != nil {
		return nil, err
	}
	var out []Part
	for _, want := range []struct {
		asked, made gate.Format
		payload     func() ([]byte, error)
	}{
		{gate.FormatRaw, gate.FormatRaw, nothing},
		{gate.FormatSSH, gate.FormatSSH, nothing},
		{gate.FormatOpenPGP, gate.FormatOpenPGPKey, func() ([]byte, error) { return pub.certification(user) }},
		{gate.FormatOpenPGP, gate.FormatOpenPGP, func() ([]byte, error) { return pub.document(at) }},
	} {
		if !slices.Contains(formats, want.asked) {
			continue
		}
		payload, err := want.payload()
		if err != nil {
			return nil, err
		}
		digest, err := gate.SumsDigest(want.made, m, payload)
		if err != nil {
			return nil, err
		}
		out = append(out, Part{Format: want.made, Digest: digest, Payload: payload})
	}
	return out, nil
}

// nothing stands around SHA256SUMS.
func nothing() ([]byte, error) { return nil, nil }

func checkFormats(formats []gate.Format) error {
	for _, f := range formats {
		switch f {
		case gate.FormatRaw, gate.FormatSSH, gate.FormatOpenPGP, gate.FormatSigstore, gate.FormatDSSE:
		case gate.FormatOpenPGPKey:
			return errors.New("sign SHA256SUMS: openpgp-key is no format to ask for: it comes with openpgp")
		default:
			return fmt.Errorf("sign SHA256SUMS: expected %s, %s or %s, got %q", gate.FormatRaw, gate.FormatSSH, gate.FormatOpenPGP, f)
		}
	}
	return nil
}

// checkUser takes what is both an OpenPGP user id and an SSH principal.
func checkUser(user string) error {
	if strings.ContainsAny(user, "<>()") {
		return fmt.Errorf("sign SHA256SUMS: expected a user such as key@host, got %q", clip(user))
	}
	if err := checkPrincipal(user); err != nil {
		return fmt.Errorf("sign SHA256SUMS: user: %w", err)
	}
	return nil
}
