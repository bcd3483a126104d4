package monitor

import (
	"time"

	"github.com/countersign/countersign/gate"
)

// Level says whether somebody has to look.
type Level string

// Levels. A notice tells what happened and is no reason to doubt.
const (
	LevelAlert  Level = "alert"
	LevelNotice Level = "notice"
)

// Kind is what an alert is about. Scripts branch on them: they never change.
type Kind string

// Kinds of alerts.
const (
	// KindFork is a log that contradicts what it showed before.
	KindFork Kind = "fork"
	// KindCheckpoint is a checkpoint that does not read, or that no known log signed.
	KindCheckpoint Kind = "checkpoint"
	// KindWitnesses is a checkpoint that fewer witnesses than asked for cosigned.
	KindWitnesses Kind = "witnesses"
	// KindTiles are tiles that are withheld, or do not hash to the checkpoint.
	KindTiles Kind = "tiles"
	// KindLost are entries that were published and that a new epoch does not have.
	KindLost Kind = "lost"
	// KindMalformed is an entry that is neither a commitment nor a signature's record.
	KindMalformed Kind = "malformed"
	// KindSignature is a record whose signature does not verify, or whose certificate does not
	// hold.
	KindSignature Kind = "signature"
	// KindKey is a record of a signature by a key outside of the inventory.
	KindKey Kind = "key"
	// KindUnmatched is a signature that nothing approved accounts for.
	KindUnmatched Kind = "unmatched"
	// KindUnreadable is a signature of which the server does not show what it is for.
	KindUnreadable Kind = "unreadable"
)

// Kinds of notices.
const (
	// KindPinned says which keys were taken for the gate's own, on first use.
	KindPinned Kind = "pinned"
	// KindEpoch says that the log goes on under another origin or key.
	KindEpoch Kind = "epoch"
	// KindTrust says that verifiers are told to trust something else from then on.
	KindTrust Kind = "trust"
	// KindOrphaned says that the HSM may have signed something that nobody has.
	KindOrphaned Kind = "orphaned"
	// KindLate says that signatures came too late and were thrown away.
	KindLate Kind = "late"
)

// Alert is one thing that somebody should know.
type Alert struct {
	At    time.Time `json:"at"`
	Level Level     `json:"level"`
	Kind  Kind      `json:"kind"`
	Log   string    `json:"log"`  // origin
	Size  int64     `json:"size"` // of the tree in which it was seen
	// Index is the entry's; nil where it is about none.
	Index   *int64       `json:"index,omitempty"`
	Key     string       `json:"key,omitempty"` // fingerprint, SHA256:…
	Digest  *gate.Digest `json:"digest,omitempty"`
	Request string       `json:"request,omitempty"`
	// Text is one sentence; Why is what exactly did not hold; Fix is what to do.
	Text string `json:"text"`
	Why  string `json:"why,omitempty"`
	Fix  string `json:"fix,omitempty"`
	// Notes are the signed checkpoints that prove a fork to anybody, the earlier one first.
	Notes []string `json:"notes,omitempty"`
}

func notice(kind Kind, text, why string) Alert {
	return Alert{Level: LevelNotice, Kind: kind, Text: text, Why: why}
}

func alert(kind Kind, text, why, fix string) Alert {
	return Alert{Level: LevelAlert, Kind: kind, Text: text, Why: why, Fix: fix}
}
