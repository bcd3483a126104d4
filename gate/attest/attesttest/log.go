package attesttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Log is a Merkle log in memory. It is not safe for use by several goroutines at once.
type Log struct {
	Key     *ledger.LogKey
	Entries [][]byte

	private crypto.Signer
	hashes  stored
}

// stored are a tree's hashes in the order of tlog.StoredHashIndex.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(s)) {
			return nil, fmt.Errorf("hash %d: the log has %d", index, len(s))
		}
		out[i] = s[index]
	}
	return out, nil
}

// NewLog is an empty log with a fresh key: ECDSA on P-256, or Ed25519.
func NewLog(origin string, useEd25519 bool) (*Log, error) {
	private, err := logKey(useEd25519)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, fmt.Errorf("encode log key: %w", err)
	}
	key, err := ledger.NewLogKey(origin, spki)
	if err != nil {
		return nil, err
	}
	return &Log{Key: key, private: private}, nil
}

func logKey(useEd25519 bool) (crypto.Signer, error) {
	if useEd25519 {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// Append adds an entry, whatever its form, and returns its index.
func (l *Log) Append(entry []byte) (int64, error) {
	n := int64(len(l.Entries))
	hashes, err := tlog.StoredHashes(n, entry, l.hashes)
	if err != nil {
		return 0, fmt.Errorf("append entry %d: %w", n, err)
	}
	l.hashes, l.Entries = append(l.hashes, hashes...), append(l.Entries, entry)
	return n, nil
}

// Commit adds a commitment to some document, as what is no signature is entered.
func (l *Log) Commit(kind ledger.Kind, id string) (int64, error) {
	leaf, err := ledger.New(kind, id, make([]byte, ledger.SaltSize), []byte("{}")).Bytes()
	if err != nil {
		return 0, err
	}
	return l.Append(leaf)
}

// Checkpoint is a signed checkpoint over all entries.
func (l *Log) Checkpoint() (gate.Checkpoint, error) {
	size := int64(len(l.Entries))
	root, err := tlog.TreeHash(size, l.hashes)
	if err != nil {
		return gate.Checkpoint{}, fmt.Errorf("root of %d entries: %w", size, err)
	}
	note, err := l.Sign(ledger.Head{Origin: l.Key.Name(), Size: size, Root: root})
	if err != nil {
		return gate.Checkpoint{}, err
	}
	return gate.Checkpoint{Origin: l.Key.Name(), Size: size, Root: gate.Digest(root), Note: note, LogID: l.Key.ID()}, nil
}

// Sign signs a checkpoint, also one that is none of this log.
func (l *Log) Sign(h ledger.Head) ([]byte, error) {
	return ledger.Sign(h, l.Key, func(text []byte) ([]byte, error) {
		if l.Key.Ed25519() {
			return l.private.Sign(rand.Reader, text, crypto.Hash(0))
		}
		digest := sha256.Sum256(text)
		return l.private.Sign(rand.Reader, digest[:], crypto.SHA256)
	})
}

// Prove is the proof that an entry is in the tree of size entries.
func (l *Log) Prove(size, index int64) ([]gate.Digest, error) {
	proof, err := tlog.ProveRecord(size, index, l.hashes)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d of %d: %w", index, size, err)
	}
	out := make([]gate.Digest, len(proof))
	for i, h := range proof {
		out[i] = gate.Digest(h)
	}
	return out, nil
}
