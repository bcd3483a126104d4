package ledger

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Submission is a checkpoint that a witness is asked to cosign (C2SP tlog-witness).
type Submission struct {
	Note []byte // signed by the log
	Head Head   // what it says
	// Old is the size that the witness is thought to have seen last; 0 for none.
	Old int64
	// Prove gives the consistency proof from another size up to the head's.
	Prove func(old int64) ([]tlog.Hash, error)
}

// AheadError says that a witness cosigned a larger tree of this log than the checkpoint's.
type AheadError struct {
	Witness   string
	Size      int64 // as the witness says
	Submitted int64
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("witness %s cosigned %d entries of this log, more than the %d submitted", e.Witness, e.Size, e.Submitted)
}

// ErrForked says that a witness saw a tree of this log that the checkpoint does not extend.
var ErrForked = errors.New("the witness saw another tree of this log")
