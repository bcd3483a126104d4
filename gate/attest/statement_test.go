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
func verdict(t testing.TB, opts ...gatetest.Option) attest.Verdict {
	t.Helper()
	version := gate.KeyVersion{Lineage: gatetest.Lineage, Version: 3, SPKI: goldenKey(t).SPKI(), Software: true}
	at := time.Date(2026, 11, 22, 20, 4, 5, 678e6, time.UTC)
	c, at := gatetest.GrantedCase(append([]gatetest.Option{
		gatetest.At(at), gatetest.For(gatetest.Manifest(2)), gatetest.With(version),
	}, opts...)...)
	return attest.Verdict{
		Server: attesttest.Server + "/", Repository: attesttest.Repository, Request: c.Request,
		Sources: c.Policy.Sources, Evidence: c.Evidence, Decision: gate.Decide(c, at),
	}
}

// statements are a verdict's, by name.
func statements(t testing.TB, v attest.Verdict) map[string][]byte {
	t.Helper()
	all, err := attest.Statements(v)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, s := range all {
		out[s.Name] = s.Payload
	}
	return out
}

// vsaOf is the verification summary of a verdict.
func vsaOf(t testing.TB, v attest.Verdict) attest.VSA {
	t.Helper()
	vsa, err := attest.ParseVSA(statements(t, v)[gate.StatementVSA])
	if err != nil {
		t.Fatal(err)
	}
	return vsa
}

func golden(t *testing.T, name string, payload []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, payload, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	file := "testdata/" + name + ".golden.json"
	if *update {
		if err := os.WriteFile(file, pretty.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestStatementsGolden(t *testing.T) {
	all, err := attest.Statements(verdict(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := attest.Statements(verdict(t))
	if diff := cmp.Diff(all, again); err != nil || diff != "" {
		t.Errorf("the same verdict gave other bytes (%v):\n%s", err, diff)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
		golden(t, s.Name, s.Payload)
	}
	if diff := cmp.Diff([]string{"decision", "approval-1", "release", "vsa"}, names); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}

func TestRefusalGolden(t *testing.T) {
	payload, err := attest.Refusal(denied(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "refusal", payload)
	vsa, err := attest.ParseVSA(payload)
	if err != nil {
		t.Fatal(err)
	}
	p := vsa.Predicate
	if p.VerificationResult != attest.Failed || len(p.VerifiedLevels) != 1 || p.VerifiedLevels[0] != "FAILED" || len(p.InputAttestations) > 0 {
		t.Errorf("expected FAILED and that level alone, got %+v", p)
	}
}

// denied is a request that Bo denied, as a store gives its decision back.
func denied(t testing.TB) attest.Verdict {
	t.Helper()
	v := verdict(t, gatetest.Edit(func(c *gate.Case) {
		c.Denials, c.Approvals = c.Approvals, nil
		c.Denials[0].Verb, c.Denials[0].Reason = gate.VerbDeny, "the changelog is wrong"
	}))
	b, err := json.Marshal(v.Decision)
	if err != nil {
		t.Fatal(err)
	}
	v.Decision = gate.Decision{}
	if err := json.Unmarshal(b, &v.Decision); err != nil {
		t.Fatal(err)
	}
	return v
}

// A refusal is of what was denied, and never of what was granted or waits.
func TestNoRefusalOfWhatWasNotDenied(t *testing.T) {
	refuse := func(what string, v attest.Verdict) {
		t.Helper()
		if b, err := attest.Refusal(v); err == nil {
			t.Errorf("%s: expected an error, got %s", what, b)
		}
	}
	refuse("the zero verdict", attest.Verdict{})
	refuse("a granted one", verdict(t))
	refuse("a waiting one", verdict(t, gatetest.Edit(func(c *gate.Case) { c.Approvals = nil })))
	v := denied(t)
	v.Request.ID = "0197f3a0-0000-7000-8000-00000000000f"
	refuse("another request's", v)
	v = denied(t)
	v.Decision.Checks = nil
	refuse("a decision of no checks", v)
}

// I8: the policy digest and the protection snapshot are inside what is signed.
func TestStatementHoldsPolicyAndProtection(t *testing.T) {
	v := verdict(t)
	vsa := vsaOf(t, v)
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
	decision, err := attest.ParseDecision(statements(t, v)[gate.StatementDecision])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(decision.Predicate.Protection.Snapshot, snapshot) {
		t.Errorf("snapshot: expected %s, got %s", snapshot, decision.Predicate.Protection.Snapshot)
	}
	before := statements(t, v)
	v.Decision.Protection = nil
	after := statements(t, v)
	for _, name := range []string{gate.StatementVSA, gate.StatementDecision} {
		if bytes.Equal(before[name], after[name]) {
			t.Errorf("%s: another protection, and yet the same bytes", name)
		}
	}
}

// The summary lists what it rests on: each input by the digest of its payload.
func TestSummaryListsItsInputs(t *testing.T) {
	all := statements(t, verdict(t))
	vsa := vsaOf(t, verdict(t))
	page := attesttest.Server + "/releases/" + gatetest.RequestID + "/"
	want := []attest.Resource{
		{URI: page + "decision", Digest: attest.DigestSet{SHA256: gate.SHA256(all["decision"])}},
		{URI: page + "approval-1", Digest: attest.DigestSet{SHA256: gate.SHA256(all["approval-1"])}},
	}
	if diff := cmp.Diff(want, vsa.Predicate.InputAttestations); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	decision, err := attest.ParseDecision(all["decision"])
	if err != nil {
		t.Fatal(err)
	}
	counted := decision.Predicate.Statements.Counted
	if len(counted) != 1 || counted[0].Digest.SHA256 != gate.SHA256(all["approval-1"]) || counted[0].By.ID != gatetest.Bo().ID {
		t.Errorf("counted: expected approval-1 of Bo by its digest, got %+v", counted)
	}
}

func TestKeysInSoftwareAreNamedAsSuch(t *testing.T) {
	for software, want := range map[bool]attest.Storage{true: attest.Software, false: attest.Hardware} {
		vsa := vsaOf(t, verdict(t, gatetest.Edit(func(c *gate.Case) { c.Key.Version.Software = software })))
		if vsa.Predicate.Key.Storage != want {
			t.Errorf("software %v: expected storage %s, got %s", software, want, vsa.Predicate.Key.Storage)
		}
	}
}

// What somebody wrote is theirs: neither an ID token's own id nor its claims, nor the words
// of a comment, are published.
func TestStatementsTellNoMoreThanTheyHaveTo(t *testing.T) {
	const secret = "ana@mail.example"
	all := statements(t, verdict(t, gatetest.Edit(func(c *gate.Case) {
		c.Request.Workload.Claims = map[string]any{"user_email": secret}
		c.Request.Workload.TokenID = "jti-" + secret
		c.Holds = []gate.Approval{{
			Request: c.Request.ID, Verb: gate.VerbHold, By: gatetest.Ana(), Reason: secret,
			Source: c.Approvals[0].Source, Created: c.Approvals[0].Created,
		}, {
			Request: c.Request.ID, Verb: gate.VerbUnhold, By: gatetest.Ana(), Page: true, Reason: secret, Created: c.Approvals[0].Created,
		}}
	})))
	for name, payload := range all {
		if bytes.Contains(payload, []byte(secret)) {
			t.Errorf("%s tells %s: %s", name, secret, payload)
		}
	}
	decision, err := attest.ParseDecision(all["decision"])
	if err != nil || len(decision.Predicate.Statements.Heeded) != 2 {
		t.Errorf("expected a hold and what lifted it, got %+v (%v)", decision.Predicate.Statements, err)
	}
}

// Each check names what it judged: other evidence, another digest.
func TestChecksNameTheirEvidence(t *testing.T) {
	digests := func(v attest.Verdict) map[gate.CheckName]gate.Digest {
		d, err := attest.ParseDecision(statements(t, v)[gate.StatementDecision])
		if err != nil {
			t.Fatal(err)
		}
		out := map[gate.CheckName]gate.Digest{}
		for _, c := range d.Predicate.Checks {
			out[c.Name] = c.Evidence.SHA256
		}
		return out
	}
	before := digests(verdict(t))
	for _, name := range []gate.CheckName{
		gate.CheckIdentity, gate.CheckRun, gate.CheckRepository, gate.CheckRef, gate.CheckBranch, gate.CheckProtection,
		gate.CheckCoverage, gate.CheckApprovals, gate.CheckIndependent,
	} {
		if before[name] == (gate.Digest{}) {
			t.Errorf("%s: expected the digest of its evidence, got none", name)
		}
	}
	after := digests(verdict(t, gatetest.Edit(func(c *gate.Case) {
		changes, _ := c.Evidence.Changes.Get()
		changes[0].Title += "!"
		c.Evidence.Changes = gate.Known(changes)
	})))
	for name := range before {
		if same := before[name] == after[name]; same == (name == gate.CheckCoverage) {
			t.Errorf("%s: another title of a change: same digest: %v", name, same)
		}
	}
}

// Forges hold titles that are not UTF-8; they stop no release.
func TestOddTitlesAreReplaced(t *testing.T) {
	all := statements(t, verdict(t, gatetest.Edit(func(c *gate.Case) {
		changes, _ := c.Evidence.Changes.Get()
		changes[0].Title = "caf\xe9"
		c.Evidence.Changes = gate.Known(changes)
	})))
	if !bytes.Contains(all[gate.StatementDecision], []byte("caf\ufffd")) {
		t.Errorf("expected the title with a replacement character, got %s", all[gate.StatementDecision])
	}
}

func TestNoStatementWithoutAGrant(t *testing.T) {
	refuse := func(what string, v attest.Verdict) {
		t.Helper()
		if b, err := attest.Statements(v); err == nil {
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
