package verify

import (
	"bytes"
	"errors"
	"fmt"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate/ledger"
)

// maxProof is the longest inclusion proof, in hashes: that of a tree of 2^63 leaves.
const maxProof = 63

// entry is a signature's place in a log, as a bundle claims it.
type entry struct {
	index      int64
	logID      []byte
	body       []byte // the leaf
	size       int64
	root       tlog.Hash
	proof      tlog.RecordProof
	checkpoint []byte // a signed note
}

// readEntry takes a log entry apart. A promise of inclusion or a log's own word for the time
// are refused: entries of version 0.0.2 have neither, and nothing would check them.
func readEntry(e *rekorpb.TransparencyLogEntry) (*entry, error) {
	p := e.GetInclusionProof()
	kind := e.GetKindVersion()
	switch {
	case kind.GetKind() != ledger.RecordKind || kind.GetVersion() != ledger.RecordVersion:
		return nil, fmt.Errorf("log entry: expected %s %s, got %q %q", ledger.RecordKind, ledger.RecordVersion, kind.GetKind(), kind.GetVersion())
	case p == nil:
		return nil, errors.New("log entry: expected an inclusion proof, got none")
	case e.GetInclusionPromise() != nil || e.GetIntegratedTime() != 0:
		return nil, errors.New("log entry: expected neither an inclusion promise nor an integrated time")
	case e.GetLogIndex() != p.GetLogIndex():
		return nil, fmt.Errorf("log entry: expected one index, got %d and, in its proof, %d", e.GetLogIndex(), p.GetLogIndex())
	case len(e.GetCanonicalizedBody()) == 0 || len(e.GetCanonicalizedBody()) > ledger.MaxLeaf:
		return nil, fmt.Errorf("log entry: expected a body of 1 to %d bytes, got %d", ledger.MaxLeaf, len(e.GetCanonicalizedBody()))
	case len(p.GetRootHash()) != tlog.HashSize:
		return nil, fmt.Errorf("log entry: expected a root hash of %d bytes, got %d", tlog.HashSize, len(p.GetRootHash()))
	case len(p.GetHashes()) > maxProof:
		return nil, fmt.Errorf("log entry: expected a proof of at most %d hashes, got %d", maxProof, len(p.GetHashes()))
	}
	out := &entry{
		index: e.GetLogIndex(), logID: e.GetLogId().GetKeyId(), body: e.GetCanonicalizedBody(),
		size: p.GetTreeSize(), root: tlog.Hash(p.GetRootHash()), checkpoint: []byte(p.GetCheckpoint().GetEnvelope()),
	}
	for i, h := range p.GetHashes() {
		if len(h) != tlog.HashSize {
			return nil, fmt.Errorf("log entry: hash %d of the proof: expected %d bytes, got %d", i, tlog.HashSize, len(h))
		}
		out.proof = append(out.proof, tlog.Hash(h))
	}
	return out, nil
}

// says checks that the leaf speaks of this very signature. Stock verifiers do not all look.
func (e *entry) says(want ledger.Record) error {
	body, err := want.Bytes()
	if err != nil {
		return err
	}
	if bytes.Equal(body, e.body) {
		return nil
	}
	got, err := ledger.ParseRecord(e.body)
	switch {
	case err != nil:
		return fmt.Errorf("canonicalizedBody: %w", err)
	case got.Digest != want.Digest:
		return fmt.Errorf("canonicalizedBody: expected the entry of a signature over %s, got one over %s", want.Digest, got.Digest)
	case !bytes.Equal(got.Signature, want.Signature):
		return errors.New("canonicalizedBody: expected the entry of this signature, got that of another one over the same digest")
	case got.Certificate != want.Certificate:
		return errors.New("canonicalizedBody: expected the entry to name who signed as the bundle does, by key or by certificate")
	}
	return errors.New("canonicalizedBody: expected the entry to name the bundle's key, got another key or certificate")
}

// included checks that the leaf is in the tree that the proof claims.
func (e *entry) included() error {
	if e.index < 0 || e.index >= e.size {
		return fmt.Errorf("inclusion proof: expected an index below the tree's %d leaves, got %d", e.size, e.index)
	}
	if err := tlog.CheckRecord(e.proof, e.size, e.root, e.index, tlog.RecordHash(e.body)); err != nil {
		return fmt.Errorf("inclusion proof: leaf %d is not in the tree of %d leaves with root %x", e.index, e.size, e.root[:])
	}
	return nil
}

// signedBy opens the checkpoint, which must be of this very tree and by a listed log.
func (e *entry) signedBy(root *Root, witnesses []*ledger.WitnessKey) (ledger.Head, []ledger.Cosignature, error) {
	if len(e.checkpoint) == 0 {
		return ledger.Head{}, nil, errors.New("expected a signed checkpoint, got none")
	}
	log, err := root.log(e.logID)
	if err != nil {
		return ledger.Head{}, nil, err
	}
	head, by, err := ledger.Open(e.checkpoint, log, witnesses...)
	switch {
	case err != nil:
		return ledger.Head{}, nil, err
	case head.Size != e.size:
		return ledger.Head{}, nil, fmt.Errorf("expected a checkpoint of the proof's tree of %d leaves, got one of %d", e.size, head.Size)
	case head.Root != e.root:
		return ledger.Head{}, nil, fmt.Errorf("expected a checkpoint with the proof's root %x, got %x: it is of another tree", e.root[:], head.Root[:])
	}
	return head, by, nil
}
