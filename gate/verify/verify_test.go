package verify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/verify"
)

var artifacts = map[string]string{"app.tar.gz": "the archive", "app.zip": "the other archive"}

const bundleName, vsaName = "app.tar.gz.sigstore.json", "v1.4.0.vsa.sigstore.json"

func keyOf(t testing.TB, r attesttest.Release) verify.Key {
	t.Helper()
	key, err := verify.ParseKey(r.File(t, "countersign.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// step is the outcome of the first step of that name; "" where there is none.
func step(r verify.Result, name string) verify.Outcome {
	for _, s := range r.Steps {
		if s.Name == name {
			return s.Outcome
		}
	}
	return ""
}

func TestArtifactAccepts(t *testing.T) {
	r := attesttest.New(t, artifacts)
	got := verify.Artifact(r.File(t, bundleName), verify.Under(keyOf(t, r)), gate.SHA256([]byte("the archive")), verify.Expect{})
	if !got.OK() {
		t.Errorf("expected a pass, got %s", show(t, got))
	}
	// What is not there yet is said, not passed over.
	for _, name := range []string{"log entry", "timestamp"} {
		if step(got, name) != verify.NotChecked {
			t.Errorf("%s: expected %s, got %q", name, verify.NotChecked, step(got, name))
		}
	}
}

func TestArtifactRefuses(t *testing.T) {
	r := attesttest.New(t, artifacts)
	good, digest, key := string(r.File(t, bundleName)), gate.SHA256([]byte("the archive")), keyOf(t, r)
	refuse := func(what, failed, bundle string, k verify.Key, d gate.Digest) {
		t.Helper()
		got := verify.Artifact([]byte(bundle), verify.Under(k), d, verify.Expect{})
		if got.OK() || got.Outcome != verify.Failed || step(got, failed) != verify.Failed {
			t.Errorf("%s: expected step %q to fail, got %s", what, failed, show(t, got))
		}
	}
	changed := gate.SHA256([]byte("the archive!"))
	refuse("a changed artifact", "digest", good, key, changed)
	refuse("a changed artifact", "signature", good, key, changed)
	refuse("the zero key", "key", good, verify.Key{}, digest)
	other := attesttest.New(t, artifacts)
	refuse("another key", "key", good, keyOf(t, other), digest)
	refuse("another key behind the right hint", "signature",
		strings.Replace(string(other.File(t, bundleName)), keyOf(t, other).Hint(), key.Hint(), 1), key, digest)
	refuse("another artifact's bundle", "digest", string(r.File(t, "app.zip.sigstore.json")), key, digest)
	refuse("the statement's bundle", "bundle", string(r.File(t, vsaName)), key, digest)
	for what, bundle := range brokenBundles(good) {
		refuse(what, "bundle", bundle, key, digest)
	}
}

// brokenBundles are bundles that no reader may take, made from a good one.
func brokenBundles(good string) map[string]string {
	return map[string]string{
		"nothing":             "",
		"not JSON":            "bundle",
		"an array":            "[" + good + "]",
		"truncated":           good[:len(good)/2],
		"two":                 good + good,
		"an unknown member":   strings.Replace(good, `{`, `{"later":1,`, 1),
		"a doubled member":    strings.Replace(good, `"mediaType"`, `"mediaType":"x","mediaType"`, 1),
		"another version":     strings.Replace(good, "v0.3", "v0.2", 1),
		"no media type":       strings.Replace(good, "application/vnd.dev.sigstore.bundle.v0.3+json", "", 1),
		"no key":              strings.Replace(good, `"publicKey"`, `"certificate"`, 1),
		"an unknown material": strings.Replace(good, `"hint"`, `"hint2"`, 1),
		"too large":           good + strings.Repeat(" ", verify.MaxBundle),
	}
}

func TestMessageDigestMustBeSHA256(t *testing.T) {
	r := attesttest.New(t, artifacts)
	good := string(r.File(t, bundleName))
	for what, bundle := range map[string]string{
		"SHA-512":       strings.Replace(good, "SHA2_256", "SHA2_512", 1),
		"no algorithm":  strings.Replace(good, `"algorithm":"SHA2_256",`, "", 1),
		"a short one":   strings.Replace(good, `"digest":"`, `"digest":"AAAA","x":"`, 1),
		"no digest":     `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"messageSignature":{"signature":"AA=="}}`,
		"empty content": `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}}}`,
	} {
		if got := verify.Artifact([]byte(bundle), verify.Under(keyOf(t, r)), gate.SHA256([]byte("the archive")), verify.Expect{}); step(got, "bundle") != verify.Failed {
			t.Errorf("%s: expected a refusal, got %s", what, show(t, got))
		}
	}
}

func TestStatementAccepts(t *testing.T) {
	r := attesttest.New(t, artifacts)
	got := verify.Statement(r.File(t, vsaName), verify.Under(keyOf(t, r)), verify.Expect{
		Subjects: r.Manifest.Subjects, Server: attesttest.Server + "/", Repository: gatetest.Repository().String(),
		Ref: gatetest.Ref, Commit: gatetest.Commit, Policy: r.Decision.PolicyDigest,
	})
	if !got.OK() {
		t.Errorf("expected a pass, got %s", show(t, got))
	}
}

func TestStatementRefusesWhatIsNotExpected(t *testing.T) {
	r := attesttest.New(t, artifacts)
	refuse := func(failed string, want verify.Expect) {
		t.Helper()
		got := verify.Statement(r.File(t, vsaName), verify.Under(keyOf(t, r)), want)
		if got.OK() || step(got, failed) != verify.Failed {
			t.Errorf("expected step %q to fail, got %s", failed, show(t, got))
		}
	}
	refuse("subject app.tar.gz", verify.Expect{Subjects: []gate.Subject{{Name: "app.tar.gz", SHA256: gate.SHA256([]byte("changed"))}}})
	refuse("subject other", verify.Expect{Subjects: []gate.Subject{{Name: "other", SHA256: gate.SHA256([]byte("the archive"))}}})
	refuse("server", verify.Expect{Server: "https://gate.example.net"})
	refuse("repository", verify.Expect{Repository: "github:1"})
	refuse("ref", verify.Expect{Ref: "refs/tags/v1.4.1"})
	refuse("commit", verify.Expect{Commit: gatetest.Head})
	refuse("policy", verify.Expect{Policy: gate.SHA256([]byte("another policy"))})
	refuse("hardware", verify.Expect{Hardware: true})
}

func TestStatementRefusesForeignEnvelopes(t *testing.T) {
	r := attesttest.New(t, artifacts)
	good, key := string(r.File(t, vsaName)), keyOf(t, r)
	refuse := func(what, failed, bundle string) {
		t.Helper()
		got := verify.Statement([]byte(bundle), verify.Under(key), verify.Expect{})
		if got.OK() || step(got, failed) != verify.Failed {
			t.Errorf("%s: expected step %q to fail, got %s", what, failed, show(t, got))
		}
	}
	for what, bundle := range brokenBundles(good) {
		refuse(what, "bundle", bundle)
	}
	refuse("an artifact's bundle", "bundle", string(r.File(t, bundleName)))
	refuse("two signatures", "bundle", strings.Replace(good, `"signatures":[`, `"signatures":[{"sig":"AA=="},`, 1))
	refuse("no signature", "bundle", edit(t, good, func(e map[string]any) { e["signatures"] = []any{} }))
	refuse("another payload type", "payload type", strings.Replace(good, "in-toto+json", "in-toto", 1))
	refuse("another keyid", "keyid", edit(t, good, func(e map[string]any) {
		e["signatures"].([]any)[0].(map[string]any)["keyid"] = "SHA256:x"
	}))
	refuse("another payload", "signature", edit(t, good, func(e map[string]any) { e["payload"] = "e30=" }))
	other := attesttest.New(t, artifacts)
	refuse("another key's", "key", string(other.File(t, vsaName)))
}

func edit(t *testing.T, bundle string, f func(envelope map[string]any)) string {
	t.Helper()
	var b map[string]any
	if err := json.Unmarshal([]byte(bundle), &b); err != nil {
		t.Fatal(err)
	}
	f(b["dsseEnvelope"].(map[string]any))
	out, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// A result of nothing is no pass, and one failure anywhere fails the whole.
func TestResultDeniesByConstruction(t *testing.T) {
	pass := verify.Result{Outcome: verify.Passed}
	skip := verify.Result{Outcome: verify.NotChecked}
	of := func(steps ...verify.Result) verify.Result { return verify.Result{Outcome: verify.Passed, Steps: steps} }
	for _, r := range []verify.Result{
		{}, skip, of(skip), of(pass, verify.Result{}), of(pass, of(pass, verify.Result{Outcome: verify.Failed})),
		{Outcome: verify.Failed, Steps: []verify.Result{pass}},
	} {
		if r.OK() {
			t.Errorf("expected no pass: %s", show(t, r))
		}
	}
	if r := of(pass, skip, of(pass)); !r.OK() {
		t.Errorf("expected a pass: %s", show(t, r))
	}
}

func show(t testing.TB, r verify.Result) string {
	t.Helper()
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// FuzzArtifact: no bundle but one that carries the very signature passes.
func FuzzArtifact(f *testing.F) {
	r := attesttest.New(f, artifacts)
	good := r.File(f, bundleName)
	key, digest := keyOf(f, r), gate.SHA256([]byte("the archive"))
	f.Add(good)
	f.Add(r.File(f, vsaName))
	for _, bad := range brokenBundles(string(good)) {
		if len(bad) < 4096 {
			f.Add([]byte(bad))
		}
	}
	forged := gate.SHA256([]byte("never signed"))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		if verify.Artifact(bundle, verify.Under(key), forged, verify.Expect{}).OK() {
			t.Errorf("a bundle passed for an artifact that was never signed: %q", bundle)
		}
		got := verify.Artifact(bundle, verify.Under(key), digest, verify.Expect{})
		if got.OK() && slices.ContainsFunc(got.Steps, func(s verify.Result) bool { return s.Outcome == verify.Failed }) {
			t.Errorf("passed with a failed step: %s", show(t, got))
		}
		if verify.Statement(bundle, verify.Under(verify.Key{}), verify.Expect{}).OK() {
			t.Error("a statement passed under no key")
		}
	})
}
