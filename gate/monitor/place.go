package monitor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Place is how far a log was followed.
type Place struct {
	// Note is the newest checkpoint that was seen, as it was signed; Head is what it says.
	Note []byte
	Head ledger.Head
	// Edge are the roots of the full subtrees of that tree, the largest first.
	Edge []tlog.Hash
	// Next is the index of the first entry that was not read yet.
	Next int64
	// Left are the origins of earlier epochs, which the log does not go back to.
	Left []string
	// Pinned are keys that were taken from the server when it was first followed, by their
	// fingerprints; nil where none were.
	Pinned map[string]gate.Purpose
}

// placeVersion is the version of the form.
const placeVersion = 1

// maxPlace bounds a place's form, in bytes.
const maxPlace = 1 << 20

type placeJSON struct {
	V      int                     `json:"v"`
	Note   string                  `json:"note"`
	Edge   [][]byte                `json:"edge"`
	Next   int64                   `json:"next"`
	Left   []string                `json:"left,omitempty"`
	Pinned map[string]gate.Purpose `json:"pinned,omitempty"`
}

// Bytes is the place as it is kept: one JSON object and a line feed.
func (p Place) Bytes() ([]byte, error) {
	j := placeJSON{V: placeVersion, Note: string(p.Note), Edge: [][]byte{}, Next: p.Next, Left: p.Left, Pinned: p.Pinned}
	for _, h := range p.Edge {
		j.Edge = append(j.Edge, h[:])
	}
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the place: %w", err)
	}
	if len(b) >= maxPlace {
		return nil, fmt.Errorf("encode the place: expected less than %d bytes, got %d", maxPlace, len(b))
	}
	return append(b, '\n'), nil
}

// ParsePlace reads a place. It has to agree with itself: a damaged one would hide a fork.
// The note's signature is not checked again.
func ParsePlace(b []byte) (Place, error) {
	var j placeJSON
	if len(b) > maxPlace {
		return Place{}, fmt.Errorf("read the place: expected at most %d bytes, got %d", maxPlace, len(b))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return Place{}, fmt.Errorf("read the place: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Place{}, errors.New("read the place: expected one JSON object, got bytes after it")
	}
	if j.V != placeVersion {
		return Place{}, fmt.Errorf("read the place: expected version %d, got %d", placeVersion, j.V)
	}
	text, _, _ := bytes.Cut([]byte(j.Note), []byte("\n\n"))
	head, err := ledger.ParseHead(string(text) + "\n")
	if err != nil {
		return Place{}, fmt.Errorf("read the place: %w", err)
	}
	p := Place{Note: []byte(j.Note), Head: head, Next: j.Next, Left: j.Left, Pinned: j.Pinned}
	for _, h := range j.Edge {
		if len(h) != tlog.HashSize {
			return Place{}, fmt.Errorf("read the place: expected hashes of %d bytes, got %s", tlog.HashSize, base64.StdEncoding.EncodeToString(h))
		}
		p.Edge = append(p.Edge, tlog.Hash(h))
	}
	switch {
	case len(p.Edge) != bits.OnesCount64(uint64(head.Size)), edgeRoot(p.Edge) != head.Root: //nolint:gosec // ParseHead refuses negative ones
		return Place{}, fmt.Errorf("read the place: its edge is not that of its tree of %d entries", head.Size)
	case p.Next < 0 || p.Next > head.Size:
		return Place{}, fmt.Errorf("read the place: expected a next entry up to %d, got %d", head.Size, p.Next)
	}
	return p, nil
}
