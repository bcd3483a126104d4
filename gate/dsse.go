package gate

import (
	"bytes"
	"fmt"
)

// InTotoType is the DSSE payload type of in-toto statements.
const InTotoType = "application/vnd.in-toto+json"

// PAE is DSSE's pre-authentication encoding, version 1: the bytes that get signed.
// Source: secure-systems-lab/dsse, protocol.md.
func PAE(payloadType string, payload []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload))
	b.Write(payload)
	return b.Bytes()
}

// StatementDigest is what a key signs for an in-toto statement: the SHA-256 of its
// [PAE]. It is the Digest of a statement's intent.
func StatementDigest(statement []byte) Digest { return SHA256(PAE(InTotoType, statement)) }
