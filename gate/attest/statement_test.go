package attest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/gatetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// verdict is of one fixed release with the key of testdata.
func verdict(t *testing.T, opts ...gatetest.Option) attest.Verdict {
	t.Helper()
	version := gate.KeyVersion{Lineage: gatetest.Lineage, Version: 3, SPKI: goldenKey(t).SPKI(), Software: true}
	at := time.Date(2026, 11, 22, 20, 4, 5, 678e6, time.UTC)
	c, at := gatetest.GrantedCase(append([]gatetest.Option{
		gatetest.At(at), gatetest.For(gatetest.Manifest(2)), gatetest.With(version),
	}, opts...)...)
	return attest.Verdict{
		Server: attesttest.Server + "/", Repository: attesttest.Repository, PolicyCommit: gatetest.Baseline,
		Decision: gate.Decide(c, at),
	}
}

func TestStatementGolden(t *testing.T) {
	got, err := attest.Statement(verdict(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := attest.Statement(verdict(t))
	if err != nil || !bytes.Equal(got, again) {
		t.Errorf("the same verdict gave other bytes (%v)", err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	const golden = "testdata/statement.golden.json"
	if *update {
		if err := os.WriteFile(golden, pretty.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("statement (-want +got):\n%s", diff)
	}
}

// I8: the policy digest and the protection snapshot are inside what is signed.
func TestStatementHoldsPolicyAndProtection(t *testing.T) {
	v := verdict(t)
	payload, err := attest.Statement(v)
	if err != nil {
		t.Fatal(err)
	}
	vsa, err := attest.ParseVSA(payload)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := canonical.ProtectionSnapshot(v.Decision.Protection)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := vsa.Predicate.Protection.Digest.SHA256, gate.SHA256(snapshot); got != want {
		t.Errorf("protection: expected %s, got %s", want, got)
	}
	if got, want := vsa.Predicate.Policy.Digest.SHA256, v.Decision.PolicyDigest; got != want {
		t.Errorf("policy: expected %s, got %s", want, got)
	}
	v.Decision.Protection = nil
	other, err := attest.Statement(v)
	if err != nil || bytes.Equal(payload, other) {
		t.Errorf("another protection: expected other bytes (%v)", err)
	}
}

func TestKeysInSoftwareAreNamedAsSuch(t *testing.T) {
	for software, want := range map[bool]attest.Storage{true: attest.Software, false: attest.Hardware} {
		payload, err := attest.Statement(verdict(t, gatetest.Edit(func(c *gate.Case) { c.Key.Version.Software = software })))
		if err != nil {
			t.Fatal(err)
		}
		vsa, err := attest.ParseVSA(payload)
		if err != nil || vsa.Predicate.Key.Storage != want {
			t.Errorf("software %v: expected storage %s, got %s (%v)", software, want, vsa.Predicate.Key.Storage, err)
		}
	}
}

func TestNoStatementWithoutAGrant(t *testing.T) {
	refuse := func(what string, v attest.Verdict) {
		t.Helper()
		if b, err := attest.Statement(v); err == nil {
			t.Errorf("%s: expected a refusal, got %s", what, b)
		}
	}
	refuse("the zero verdict", attest.Verdict{})
	refuse("a waiting decision", verdict(t, gatetest.Edit(func(c *gate.Case) { c.Approvals = nil })))

	// As a store gives it back: every check says granted, and yet it grants nothing.
	stored := verdict(t)
	b, err := json.Marshal(stored.Decision)
	if err != nil {
		t.Fatal(err)
	}
	stored.Decision = gate.Decision{}
	if err := json.Unmarshal(b, &stored.Decision); err != nil && !strings.Contains(err.Error(), "Fact") {
		t.Fatal(err)
	}
	refuse("a stored decision", stored)

	for _, url := range []string{"", "gate.example", "ftp://gate.example", "https://u:p@gate.example", "https://gate.example/?q", "https://gate.example/#"} {
		v := verdict(t)
		v.Server = url
		refuse("server "+url, v)
		v = verdict(t)
		v.Repository = url
		refuse("repository "+url, v)
	}
	refuse("a key that is none", verdict(t, gatetest.Edit(func(c *gate.Case) { c.Key.Version.SPKI = []byte("key") })))
}

func TestParseVSARefusesWhatIsNotWhole(t *testing.T) {
	payload, err := attest.Statement(verdict(t))
	if err != nil {
		t.Fatal(err)
	}
	good := string(payload)
	for name, bad := range map[string]string{
		"empty":               "",
		"not JSON":            "statement",
		"truncated":           good[:len(good)-1],
		"two":                 good + good,
		"another type":        strings.Replace(good, "Statement/v1", "Statement/v0.1", 1),
		"another predicate":   strings.Replace(good, "verification_summary/v1", "provenance/v1", 1),
		"no subjects":         `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/verification_summary/v1","subject":[]}`,
		"subject with no sum": strings.Replace(good, `"digest":{"sha256"`, `"digest":{"sha1"`, 3),
		"upper-case digest":   strings.Replace(good, `{"sha256":"`, `{"sha256":"A`, 1),
		"time":                strings.Replace(good, "T20:04:05Z", "", 1),
	} {
		if _, err := attest.ParseVSA([]byte(bad)); err == nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
	// in-toto: consumers must ignore what they do not know.
	more := strings.Replace(good, `{"_type"`, `{"_later":{"x":1},"_type"`, 1)
	if _, err := attest.ParseVSA([]byte(more)); err != nil {
		t.Errorf("a member of a later version: %v", err)
	}
}
