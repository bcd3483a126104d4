package e2e_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
)

// envelope is a DSSE envelope, as anybody reads it.
type envelope struct {
	Payload     []byte
	PayloadType string
	Signatures  []struct{ Sig []byte }
}

// heldTo checks the one signature over the envelope (DSSE v1, PAE) under a public key.
func (e envelope) heldTo(text []byte) error {
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("the refusal's key is no PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	pae := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload))
	if !ok || len(e.Signatures) != 1 || !ecdsa.VerifyASN1(key, pae[:], e.Signatures[0].Sig) {
		return errors.New("the refusal's signature does not verify under the key beside it")
	}
	return nil
}

func cmdVerdict(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s, folder := told(ts), ts.MkAbs(args[0])
	ts.Check(os.Mkdir(folder, 0o700))
	var got api.Collected
	s.until(ts, "the refusal", func() (bool, string) {
		resp, err := http.Get(s.URL + "/v1/releases/" + ts.Getenv("ID") + "/verdict")
		ts.Check(err)
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&got) == nil, resp.Status
	})
	var signed envelope
	var key []byte
	for _, f := range got.Files {
		ts.Check(os.WriteFile(filepath.Join(folder, f.Name), f.Content, 0o600))
		if strings.HasSuffix(f.Name, attest.EnvelopeSuffix) {
			ts.Check(json.Unmarshal(f.Content, &signed))
		}
		if f.Name == attest.RefusalKeyName {
			key = f.Content
		}
	}
	ts.Check(signed.heldTo(key))
	ts.Check(os.WriteFile(filepath.Join(folder, "payload"), signed.Payload, 0o600))
}
