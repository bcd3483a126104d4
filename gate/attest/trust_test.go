package attest_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
)

// trusted is the trust of two gates: as after a new epoch, and a change of every key.
func trusted(t testing.TB) attest.Trust {
	t.Helper()
	at := time.Date(2026, 11, 22, 20, 4, 5, 0, time.UTC)
	old, err := attesttest.NewGate(attesttest.Options{Server: "https://gate.example", At: at, Ed25519: true})
	if err != nil {
		t.Fatal(err)
	}
	next, err := attesttest.NewGate(attesttest.Options{Server: "https://gate2.example", At: at.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	a, b := old.Trust, next.Trust
	a.CAs[0].Until = at.AddDate(1, 0, 0)
	return attest.Trust{
		Logs: append(a.Logs, b.Logs...), CTLogs: append(a.CTLogs, b.CTLogs...),
		CAs: append(a.CAs, b.CAs...), TSAs: append(a.TSAs, b.TSAs...),
	}
}

func rootOf(t testing.TB, trust attest.Trust) []byte {
	t.Helper()
	text, err := attest.TrustedRoot(trust)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTrustedRootReadsBack(t *testing.T) {
	want := trusted(t)
	text := rootOf(t, want)
	if bytes.Count(text, []byte("\n")) != 1 || !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("expected one line with its line feed, got %q", text)
	}
	got, err := attest.ParseTrustedRoot(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trust (-want +got):\n%s", diff)
	}
	// The same trust in another order is the same file, the oldest first.
	slices.Reverse(want.Logs)
	slices.Reverse(want.CTLogs)
	slices.Reverse(want.CAs)
	slices.Reverse(want.TSAs)
	if again := rootOf(t, want); !bytes.Equal(text, again) {
		t.Errorf("another order gave another file:\n%s\n%s", text, again)
	}
	if strings.Contains(string(text), "checkpointKeyId") {
		t.Error("a root with checkpointKeyId: some verifiers refuse it")
	}
}

func TestTrustedRootRefusesWhatNobodyCouldUse(t *testing.T) {
	for what, edit := range map[string]func(*attest.Trust){
		"no log":                 func(x *attest.Trust) { x.Logs = nil },
		"a log without a key":    func(x *attest.Trust) { x.Logs[0].SPKI = nil },
		"a log with a port":      func(x *attest.Trust) { x.Logs[0].Origin = "gate.example:443" },
		"a log with a path":      func(x *attest.Trust) { x.Logs[0].Origin = "gate.example/log" },
		"a log without origin":   func(x *attest.Trust) { x.Logs[0].Origin = "" },
		"a log without since":    func(x *attest.Trust) { x.Logs[0].Since = time.Time{} },
		"a log twice":            func(x *attest.Trust) { x.Logs[1] = x.Logs[0] },
		"a CT key twice":         func(x *attest.Trust) { x.CTLogs[1] = x.CTLogs[0] },
		"a CT key that is none":  func(x *attest.Trust) { x.CTLogs[0].SPKI = []byte("key") },
		"a CT log with a path":   func(x *attest.Trust) { x.CTLogs[0].Origin = "gate.example/ct" },
		"a CT log without since": func(x *attest.Trust) { x.CTLogs[0].Since = time.Time{} },
		"a CA without a chain":   func(x *attest.Trust) { x.CAs[0].Chain = nil },
		"a CA that is none":      func(x *attest.Trust) { x.CAs[0].Chain = x.TSAs[0].Chain[:1] },
		"a chain of strangers":   func(x *attest.Trust) { x.TSAs[0].Chain = [][]byte{x.TSAs[0].Chain[0], x.TSAs[1].Chain[1]} },
		"a chain upside down":    func(x *attest.Trust) { x.TSAs[0].Chain = [][]byte{x.TSAs[0].Chain[1], x.TSAs[0].Chain[0]} },
		"a TSA without a leaf":   func(x *attest.Trust) { x.TSAs[0].Chain = x.TSAs[0].Chain[1:] },
		"no DER":                 func(x *attest.Trust) { x.CAs[0].Chain = [][]byte{[]byte("certificate")} },
		"a CA without since":     func(x *attest.Trust) { x.CAs[0].Since = time.Time{} },
		"an end before its begin": func(x *attest.Trust) {
			x.CAs[0].Until = x.CAs[0].Since.Add(-time.Second)
		},
	} {
		trust := trusted(t)
		edit(&trust)
		if text, err := attest.TrustedRoot(trust); err == nil {
			t.Errorf("%s: expected a refusal, got a root of %d bytes", what, len(text))
		}
	}
}

func TestParseTrustedRootIsStrict(t *testing.T) {
	good := string(rootOf(t, trusted(t)))
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Errorf("the root has no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for what, text := range map[string]string{
		"nothing":               "",
		"no JSON":               "trusted root",
		"two":                   good + good,
		"truncated":             good[:len(good)/2],
		"an unknown member":     change(`{"certificateAuthorities"`, `{"later":1,"certificateAuthorities"`),
		"a doubled member":      change(`"mediaType":`, `"mediaType":"x","mediaType":`),
		"another type":          change("version=0.1", "version=0.2"),
		"an unwritten member":   change(`"logId":`, `"checkpointKeyId":{"keyId":"AAAA"},"logId":`),
		"an operator":           change(`"baseUrl":`, `"operator":"somebody","baseUrl":`),
		"another log id":        change(`"logId":{"keyId":"`, `"logId":{"keyId":"AAAA`),
		"another key kind":      change("PKIX_ED25519", "PKIX_ECDSA_P256_SHA_256"),
		"another hash":          change("SHA2_256", "SHA2_512"),
		"a URL with a path":     change(`"baseUrl":"https://gate.example`, `"baseUrl":"https://gate.example/log`),
		"a URL of another kind": change("\"baseUrl\":\"https", "\"baseUrl\":\"http"),
		"a part of a second":    change("05Z", "05.5Z"),
		"another subject":       change(`"commonName":"`, `"commonName":"not `),
		"too large":             good + strings.Repeat(" ", attest.MaxTrustedRoot),
	} {
		if _, err := attest.ParseTrustedRoot([]byte(text)); err == nil {
			t.Errorf("%s: expected a refusal", what)
		}
	}
	for what, text := range map[string]string{
		"no line feed": strings.TrimSpace(good),
		"white space":  strings.ReplaceAll(good, `,"`, ",\n  \""),
	} {
		if _, err := attest.ParseTrustedRoot([]byte(text)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzParseTrustedRoot: what is read is written again as what means the same.
func FuzzParseTrustedRoot(f *testing.F) {
	f.Add(rootOf(f, trusted(f)))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		trust, err := attest.ParseTrustedRoot(text)
		if err != nil {
			return
		}
		again, err := attest.ParseTrustedRoot(rootOf(t, trust))
		if diff := cmp.Diff(trust, again); err != nil || diff != "" {
			t.Errorf("read again (%v):\n%s", err, diff)
		}
	})
}
