package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/countersign/countersign/gate"
)

// checkEnvelope checks a raw DSSE envelope, as slsa-verifier takes it: the payload that was
// verified already, by the key that was.
func checkEnvelope(text, payload []byte, key Key) error {
	var e dssepb.Envelope
	if err := protojson.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("expected a DSSE envelope in JSON: %w", err)
	}
	if e.GetPayloadType() != gate.InTotoType || len(e.GetSignatures()) != 1 {
		return fmt.Errorf("expected one signature over %s, got %d over %q", gate.InTotoType, len(e.GetSignatures()), e.GetPayloadType())
	}
	if !bytes.Equal(e.GetPayload(), payload) {
		return errors.New("expected the same statement as in the bundle beside it, got another")
	}
	s := e.GetSignatures()[0]
	if s.GetKeyid() != "" && s.GetKeyid() != key.Hint() {
		return fmt.Errorf("its keyid names key %q, the release is signed by %s", s.GetKeyid(), key.Hint())
	}
	return key.key.Verify(gate.StatementDigest(payload), s.GetSig())
}

// decodeOne reads one JSON object and nothing after it. Members that are not known are left
// aside, as in-toto asks.
func decodeOne(payload []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("expected a statement in JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("expected one JSON object, got more after it")
	}
	return nil
}
