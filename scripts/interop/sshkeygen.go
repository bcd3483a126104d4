package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func sshKeygen() verifier {
	return verifier{name: "ssh-keygen", sums: pair{"SHA256SUMS.sshsig", "countersign.allowed_signers"}, cells: map[column]check{
		sums: {sshVerify, []refusal{
			{changedArtifact, `Signature verification failed|incorrect signature`},
			{changedArmor("signature"), `verification failed|incorrect signature|couldn't parse signature`},
			{otherAllowed, `No principal matched|Could not verify|no matching`},
		}},
	}}
}

func sshVerify(ctx context.Context, t toolbox, in inputs) (string, error) {
	said, err := t.run(ctx, in.scratch, "", "ssh-keygen", "-Y", "find-principals", "-f", in.key, "-s", in.proof)
	if err != nil {
		return said, err
	}
	principal, _, _ := bytes.Cut([]byte(said), []byte("\n"))
	return t.run(ctx, in.scratch, in.artifact, "ssh-keygen", "-Y", "verify", "-f", in.key,
		"-I", string(principal), "-n", "file", "-s", in.proof)
}

// otherAllowed allows somebody else's key under the same name.
var otherAllowed = twin{"allowed signer", func(in inputs) (inputs, error) {
	b, err := os.ReadFile(in.key)
	if err != nil {
		return in, err
	}
	fields := bytes.Fields(b)
	if len(fields) < 3 {
		return in, fmt.Errorf("%s: expected principal, options, type and key, got %d words", in.key, len(fields))
	}
	for i, f := range fields {
		blob, err := base64.StdEncoding.DecodeString(string(f))
		if err == nil && bytes.Contains(blob, []byte("ecdsa-sha2-nistp256")) {
			other, err := sshKey()
			if err != nil {
				return in, err
			}
			fields[i] = []byte(base64.StdEncoding.EncodeToString(other))
			in.key = filepath.Join(in.scratch, "allowed_signers")
			return in, os.WriteFile(in.key, append(bytes.Join(fields, []byte(" ")), '\n'), 0o600)
		}
	}
	return in, fmt.Errorf("%s: expected a key ecdsa-sha2-nistp256, got none", in.key)
}}

// sshKey is a P-256 key that nobody holds, as SSH writes it (RFC 5656, 3.1).
func sshKey() ([]byte, error) {
	spki, err := freshKey()
	if err != nil {
		return nil, err
	}
	const point = 65 // bytes of an uncompressed point, which ends the key
	var out []byte
	for _, field := range [][]byte{[]byte("ecdsa-sha2-nistp256"), []byte("nistp256"), spki[len(spki)-point:]} {
		out = append(append(out, 0, 0, 0, byte(len(field))), field...)
	}
	return out, nil
}

// changedArmor flips a bit near the end of what an armored file holds, which is in the
// signature for SSH as for OpenPGP.
func changedArmor(name string) twin {
	return twin{name, func(in inputs) (inputs, error) {
		b, err := os.ReadFile(in.proof)
		if err != nil {
			return in, err
		}
		lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
		end := len(lines) - 1 // the armor's last line, before which OpenPGP may have a checksum
		if end > 1 && bytes.HasPrefix(lines[end-1], []byte("=")) {
			lines = append(lines[:end-1], lines[end])
			end--
		}
		start := end
		for start > 0 && len(lines[start-1]) > 0 && !bytes.HasPrefix(lines[start-1], []byte("-----")) {
			start--
		}
		if start == end {
			return in, errors.New(in.proof + ": expected armor, got none")
		}
		content, err := base64.StdEncoding.DecodeString(string(bytes.Join(lines[start:end], nil)))
		if err != nil {
			return in, fmt.Errorf("%s: %w", in.proof, err)
		}
		var out bytes.Buffer
		out.Write(append(bytes.Join(lines[:start], []byte("\n")), '\n'))
		text := []byte(base64.StdEncoding.EncodeToString(flipLast(content)))
		for len(text) > 0 {
			n := min(64, len(text))
			out.Write(append(text[:n:n], '\n'))
			text = text[n:]
		}
		out.Write(append(lines[len(lines)-1], '\n'))
		in.proof = filepath.Join(in.scratch, "changed.armor")
		return in, os.WriteFile(in.proof, out.Bytes(), 0o600)
	}}
}
