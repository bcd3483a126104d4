package ledger

import (
	"bytes"
	"errors"
	"fmt"
)

// noteSplit stands between a note's text and its signatures; linePrefix begins each of them
// (C2SP signed-note).
const (
	noteSplit  = "\n\n"
	linePrefix = "— "
)

// WithCosignatures is a signed checkpoint with these cosignature lines too, each with its
// line feed. A line stands in for an older one of the same signer and key. Nothing is
// verified: that is [Open]'s.
func WithCosignatures(signed []byte, lines ...[]byte) ([]byte, error) {
	at := bytes.LastIndex(signed, []byte(noteSplit))
	if at < 0 {
		return nil, errors.New("cosign checkpoint: it is no signed note")
	}
	head := at + len(noteSplit)
	var order []string
	newest := map[string][]byte{}
	all := append(bytes.SplitAfter(signed[head:], []byte("\n")), lines...)
	for _, line := range all {
		if len(line) == 0 {
			continue
		}
		signer, err := signerOf(line)
		if err != nil {
			return nil, err
		}
		if newest[signer] == nil {
			order = append(order, signer)
		}
		newest[signer] = line
	}
	out := bytes.Clone(signed[:head])
	for _, signer := range order {
		out = append(out, newest[signer]...)
	}
	if len(out) > MaxCheckpoint {
		return nil, fmt.Errorf("cosign checkpoint: expected at most %d bytes, got %d", MaxCheckpoint, len(out))
	}
	return out, nil
}

// signerOf is a signature line's name with its key's hash: "name hash", the hash in the
// base64 that 4 bytes and more begin with.
func signerOf(line []byte) (string, error) {
	rest, ok := bytes.CutPrefix(line, []byte(linePrefix))
	name, sig, cut := bytes.Cut(rest, []byte(" "))
	// Five characters tell 30 bits of the 32: enough to tell keys of one name apart.
	if !ok || !cut || len(sig) < 8 || !bytes.HasSuffix(line, []byte("\n")) || bytes.Count(line, []byte("\n")) != 1 {
		return "", fmt.Errorf("cosign checkpoint: expected a signature line, got %.80q", line)
	}
	return string(name) + " " + string(sig[:5]), nil
}
