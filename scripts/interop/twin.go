package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A twin is a copy of the inputs with one thing changed, which a verifier must refuse.
type twin struct {
	name   string
	change func(in inputs) (inputs, error)
}

// Where things are in a bundle and in a trusted root.
var (
	entryAt      = []any{"verificationMaterial", "tlogEntries", 0}
	proofAt      = append(entryAt[:3:3], "inclusionProof", "hashes", 0)
	rootHashAt   = append(entryAt[:3:3], "inclusionProof", "rootHash")
	checkpointAt = append(entryAt[:3:3], "inclusionProof", "checkpoint", "envelope")
	bodyAt       = append(entryAt[:3:3], "canonicalizedBody")
	timestampsAt = []any{"verificationMaterial", "timestampVerificationData", "rfc3161Timestamps"}
	timestampAt  = append(timestampsAt[:3:3], 0, "signedTimestamp")
	caAt         = []any{"certificateAuthorities", 0, "certChain", "certificates", 0, "rawBytes"}
	logKeyAt     = []any{"tlogs", 0, "publicKey", "rawBytes"}
)

// Twins. Each is named by what was changed.
var (
	changedArtifact = twin{"artifact", func(in inputs) (inputs, error) {
		b, err := os.ReadFile(in.artifact)
		if err != nil {
			return in, err
		}
		in.artifact = filepath.Join(in.scratch, "artifact")
		return in, os.WriteFile(in.artifact, append(b, '!'), 0o600)
	}}
	changedBlobSignature = inBundle("signature", func(d document) error {
		return d.flip("messageSignature", "signature")
	})
	changedSignature = inBundle("signature", func(d document) error {
		return d.flip("dsseEnvelope", "signatures", 0, "sig")
	})
	changedPayload = inBundle("statement", func(d document) error {
		return d.reword("dsseEnvelope", "payload")
	})
	noEntry = inBundle("no log entry", func(d document) error {
		return d.set([]any{}, "verificationMaterial", "tlogEntries")
	})
	changedProof = inBundle("inclusion proof", func(d document) error {
		if _, err := d.get(proofAt...); err != nil {
			return d.flip(rootHashAt...) // a log of one entry
		}
		return d.flip(proofAt...)
	})
	changedCheckpoint = inBundle("checkpoint", flipCheckpoint)
	changedBody       = inBundle("log entry", func(d document) error { return d.reword(bodyAt...) })
	changedTimestamp  = inBundle("timestamp", func(d document) error { return d.flip(timestampAt...) })
	noTimestamp       = inBundle("no timestamp", func(d document) error { return d.set([]any{}, timestampsAt...) })

	// cosigned has a witness's line under its checkpoint that the verifier does not know: no
	// reason to refuse it, since everybody may have a checkpoint cosigned.
	cosigned = inBundle("cosigned", func(d document) error {
		note, err := d.text(checkpointAt...)
		if err != nil {
			return err
		}
		// C2SP tlog-cosignature: key ID, time, Ed25519 signature.
		line := base64.StdEncoding.EncodeToString(make([]byte, 4+8+64))
		return d.set(note+"— witness.example "+line+"\n", checkpointAt...)
	})

	// foreignEntry is in the log, with a proof that holds, but speaks of something else.
	foreignEntry = twin{"another's log entry", func(in inputs) (inputs, error) {
		other, err := readDocument(in.other)
		if err != nil {
			return in, err
		}
		entry, err := other.get(entryAt...)
		if err != nil {
			return in, err
		}
		return inBundle("", func(d document) error { return d.set(entry, entryAt...) }).change(in)
	}}
	// foreignTimestamp is one of the same authority, over another signature.
	foreignTimestamp = twin{"another's timestamp", func(in inputs) (inputs, error) {
		other, err := readDocument(in.other)
		if err != nil {
			return in, err
		}
		token, err := other.get(timestampAt...)
		if err != nil {
			return in, err
		}
		return inBundle("", func(d document) error { return d.set(token, timestampAt...) }).change(in)
	}}

	otherLog = inRoot("log key", func(d document) error {
		spki, err := freshKey()
		if err != nil {
			return err
		}
		if err := d.set("PKIX_ECDSA_P256_SHA_256", "tlogs", 0, "publicKey", "keyDetails"); err != nil {
			return err
		}
		id := sha256.Sum256(spki) // what Sigstore calls a log by
		if err := d.setBytes(id[:], "tlogs", 0, "logId", "keyId"); err != nil {
			return err
		}
		return d.setBytes(spki, logKeyAt...)
	})
	otherCA = inRoot("CA", func(d document) error {
		der, err := d.bytes(caAt...)
		if err != nil {
			return err
		}
		if der, err = impostor(der); err != nil {
			return err
		}
		return d.setBytes(der, caAt...)
	})
	noCT     = inRoot("no CT log", func(d document) error { return d.set([]any{}, "ctlogs") })
	noTSA    = inRoot("no timestamp authority", func(d document) error { return d.set([]any{}, "timestampAuthorities") })
	otherKey = twin{"key", func(in inputs) (inputs, error) {
		spki, err := freshKey()
		if err != nil {
			return in, err
		}
		in.key = filepath.Join(in.scratch, "other.pem")
		return in, os.WriteFile(in.key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), 0o600)
	}}

	otherIdentity   = twin{"identity", func(in inputs) (inputs, error) { in.signer.Identity += "x"; return in, nil }}
	otherIssuer     = twin{"issuer", func(in inputs) (inputs, error) { in.signer.Issuer += "x"; return in, nil }}
	otherRepository = twin{"repository", func(in inputs) (inputs, error) { in.signer.Repository += "x"; return in, nil }}
	otherVerifier   = twin{"verifier", func(in inputs) (inputs, error) { in.summary.Verifier += "x"; return in, nil }}
	otherResource   = twin{"resource", func(in inputs) (inputs, error) { in.summary.Resource += "x"; return in, nil }}
	otherKind       = twin{"predicate type", func(in inputs) (inputs, error) { in.kind += "x"; return in, nil }}
)

// inBundle changes a copy of the proof.
func inBundle(name string, change func(document) error) twin {
	return twin{name, func(in inputs) (inputs, error) {
		to := filepath.Join(in.scratch, "changed.json")
		if err := rewrite(in.proof, to, change); err != nil {
			return in, err
		}
		in.proof = to
		return in, nil
	}}
}

// inRoot changes a copy of the trusted root.
func inRoot(name string, change func(document) error) twin {
	return twin{name, func(in inputs) (inputs, error) {
		to := filepath.Join(in.scratch, "trusted_root.json")
		if err := rewrite(in.root, to, change); err != nil {
			return in, err
		}
		in.root = to
		return in, nil
	}}
}

func rewrite(from, to string, change func(document) error) error {
	d, err := readDocument(from)
	if err != nil {
		return err
	}
	if err := change(d); err != nil {
		return err
	}
	return d.write(to)
}

// inFile flips one bit of a signature that is a file of its own.
func inFile(name string) twin {
	return twin{name, func(in inputs) (inputs, error) {
		b, err := os.ReadFile(in.proof)
		if err != nil {
			return in, err
		}
		in.proof = filepath.Join(in.scratch, "changed")
		return in, os.WriteFile(in.proof, flipLast(b), 0o600)
	}}
}

// flip changes the last byte of a member: in a signature, DER stays well-formed.
func (d document) flip(at ...any) error {
	b, err := d.bytes(at...)
	if err != nil {
		return err
	}
	return d.setBytes(flipLast(b), at...)
}

func flipLast(b []byte) []byte {
	out := bytes.Clone(b)
	out[len(out)-1] ^= 1
	return out
}

// reword changes one digit in JSON that is kept as bytes, so that it stays JSON.
func (d document) reword(at ...any) error {
	b, err := d.bytes(at...)
	if err != nil {
		return err
	}
	i := bytes.LastIndexAny(b, "012345678")
	if i < 0 {
		return fmt.Errorf("%s: %v: expected a digit to change, got none", d.path, at)
	}
	b[i]++
	return d.setBytes(b, at...)
}

// flipCheckpoint changes the log's own signature, which stands under the log's name, and
// leaves those of witnesses.
func flipCheckpoint(d document) error {
	note, err := d.text(checkpointAt...)
	if err != nil {
		return err
	}
	origin, _, _ := strings.Cut(note, "\n")
	mark := "\n— " + origin + " "
	at := strings.Index(note, mark)
	if at < 0 {
		return fmt.Errorf("%s: expected a line of the checkpoint to begin with %q", d.path, mark[1:])
	}
	at += len(mark)
	line, rest, _ := strings.Cut(note[at:], "\n")
	sig, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return fmt.Errorf("%s: signature under the checkpoint: %w", d.path, err)
	}
	return d.set(note[:at]+base64.StdEncoding.EncodeToString(flipLast(sig))+"\n"+rest, checkpointAt...)
}
