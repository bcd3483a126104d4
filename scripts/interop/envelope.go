package main

import (
	"bytes"
	"errors"
	"fmt"
)

// An envelope is a DSSE envelope with one signature.
type envelope struct {
	payloadType        string
	payload, signature []byte
}

// readEnvelope reads the envelope in a bundle, or one without a bundle around it.
func readEnvelope(path string) (envelope, error) {
	d, err := readDocument(path)
	if err != nil {
		return envelope{}, err
	}
	at := func(more ...any) []any {
		if _, err := d.get("dsseEnvelope"); err == nil {
			return append([]any{"dsseEnvelope"}, more...)
		}
		return more
	}
	var out envelope
	var problems [3]error
	out.payloadType, problems[0] = d.text(at("payloadType")...)
	out.payload, problems[1] = d.bytes(at("payload")...)
	out.signature, problems[2] = d.bytes(at("signatures", 0, "sig")...)
	return out, errors.Join(problems[:]...)
}

// pae is what an envelope's signature is over: DSSE's pre-authentication encoding.
func (e envelope) pae() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "DSSEv1 %d %s %d ", len(e.payloadType), e.payloadType, len(e.payload))
	b.Write(e.payload)
	return b.Bytes()
}
