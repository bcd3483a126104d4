package keeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/countersign/countersign/gate"
)

// EpochNamespace is the namespace of SSH signatures that begin an epoch, as ssh-keygen -n
// takes it: a signature made for anything else begins none.
const EpochNamespace = "epoch@countersign"

// Bounds of what begins an epoch.
const (
	MaxEpochDocument = 64 << 10 // bytes
	MaxEpochReason   = 1_000    // bytes
	maxEpochAge      = 7 * 24 * time.Hour
	epochSigners     = 2
	maxEpochSigners  = 16
)

// EpochDocument is what administrators sign to begin a new epoch of the ledger: where the
// former one ended, what of it the database still holds, and why. Its file is canonical JSON
// (RFC 8785) and a line feed.
type EpochDocument struct {
	V      int    `json:"v"`
	Number int    `json:"number"`
	Origin string `json:"origin"`
	// LogKey is the fingerprint of the new log key, SHA256: and SHA-256 of its SPKI in hex.
	LogKey   string        `json:"log_key"`
	Previous PreviousEpoch `json:"previous"`
	// Database is the tree with which the ledger goes on.
	Database TreeHead `json:"database"`
	Lost     Span     `json:"lost"`
	Reason   string   `json:"reason"`
	// Made is when it was drafted, in whole seconds and UTC.
	Made time.Time `json:"made"`
}

// PreviousEpoch is the former epoch and the last that is known to have been published of it.
type PreviousEpoch struct {
	Number int    `json:"number"`
	Origin string `json:"origin"`
	TreeHead
	// Checkpoint is the signed note; "" where nothing was published.
	Checkpoint string `json:"checkpoint"`
}

// TreeHead is the size of a tree and its root.
type TreeHead struct {
	Size int64       `json:"size"`
	Root gate.Digest `json:"root"`
}

// Span is the published entries that the database no longer holds, or holds others in place
// of, as far as can be told: From, and up to but not To. An empty span says that none is lost.
type Span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Bytes is the document's file.
func (d EpochDocument) Bytes() ([]byte, error) {
	plain, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode the epoch's document: %w", err)
	}
	b, err := jcs.Transform(plain)
	if err != nil {
		return nil, fmt.Errorf("canonicalise the epoch's document: %w", err)
	}
	return append(b, '\n'), nil
}

// ParseEpochDocument reads a document's file. It accepts only what [EpochDocument.Bytes]
// gives: what was signed has one spelling.
func ParseEpochDocument(b []byte) (EpochDocument, error) {
	var d EpochDocument
	if len(b) > MaxEpochDocument {
		return d, fmt.Errorf("read the epoch's document: expected at most %d bytes, got %d", MaxEpochDocument, len(b))
	}
	if err := strict(b, &d); err != nil {
		return EpochDocument{}, fmt.Errorf("read the epoch's document: %w", err)
	}
	if d.V != 1 {
		return EpochDocument{}, fmt.Errorf("read the epoch's document: expected version 1, got %d", d.V)
	}
	again, err := d.Bytes()
	if err != nil {
		return EpochDocument{}, err
	}
	if !bytes.Equal(again, b) {
		return EpochDocument{}, errors.New("read the epoch's document: expected the very file that was drafted; it was changed or formatted")
	}
	return d, nil
}

func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("expected one JSON object, got more after it")
	}
	return nil
}

// EpochRecord is what is on record of how an epoch began: gate.Epoch.Document.
type EpochRecord struct {
	V int `json:"v"`
	// Document is the file that was signed, Signatures are armored SSHSIGs over it.
	Document   string           `json:"document"`
	Signatures []EpochSignature `json:"signatures"`
}

// EpochSignature is one administrator's.
type EpochSignature struct {
	Administrator gate.AccountID `json:"administrator"`
	SSH           string         `json:"ssh"`
}

// maxEpochRecord bounds a record: the document, and signatures of some kilobytes.
const maxEpochRecord = 1 << 20

// ParseEpochRecord reads a gate.Epoch's Document. It checks no signature: see [VerifyEpoch].
func ParseEpochRecord(b []byte) (EpochRecord, EpochDocument, error) {
	var r EpochRecord
	if len(b) > maxEpochRecord {
		return r, EpochDocument{}, fmt.Errorf("read the epoch's record: expected at most %d bytes, got %d", maxEpochRecord, len(b))
	}
	if err := strict(b, &r); err != nil {
		return EpochRecord{}, EpochDocument{}, fmt.Errorf("read the epoch's record: %w", err)
	}
	if r.V != 1 {
		return EpochRecord{}, EpochDocument{}, fmt.Errorf("read the epoch's record: expected version 1, got %d", r.V)
	}
	d, err := ParseEpochDocument([]byte(r.Document))
	return r, d, err
}
