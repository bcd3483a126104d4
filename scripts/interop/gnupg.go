package main

import (
	"context"
	"os"
	"path/filepath"
)

func gnuPG() verifier {
	return verifier{name: "gpg", sums: pair{"SHA256SUMS.asc", "countersign.asc"}, cells: map[column]check{
		sums: {gpgVerify, []refusal{
			{changedArtifact, `BADSIG`},
			{changedArmor("signature"), `BADSIG|ERRSIG`},
			{noKey, `NO_PUBKEY`},
		}},
	}}
}

// noKey is a key ring without the key.
var noKey = twin{"no key", func(in inputs) (inputs, error) { in.key = ""; return in, nil }}

// gpgVerify uses a key ring of its own. The key is not certified by anybody, of which gpg
// warns: its fingerprint is for the consumer to compare.
func gpgVerify(ctx context.Context, t toolbox, in inputs) (string, error) {
	home := filepath.Join(in.scratch, "gnupg")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", err
	}
	if in.key != "" {
		if said, err := t.run(ctx, home, "", "gpg", "--homedir", home, "--batch", "--no-autostart", "--import", in.key); err != nil {
			return said, err
		}
	}
	return t.run(ctx, home, "", "gpg", "--homedir", home, "--batch", "--no-autostart", "--status-fd", "1", "--verify", in.proof, in.artifact)
}
