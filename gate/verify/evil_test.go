package verify_test

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/verify"
)

// doc is a statement's JSON, to be taken apart.
type doc map[string]any

func (d doc) at(path ...any) any {
	var v any = map[string]any(d)
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v
}

func (d doc) object(path ...any) map[string]any { return d.at(path...).(map[string]any) }

// evil is a gate that signs, logs and proves what it likes: everything about its release is
// genuine but what it says.
type evil struct {
	t          testing.TB
	gate       *attesttest.Gate
	release    attesttest.SealedRelease
	statements map[string]doc
}

func newEvil(t testing.TB) *evil {
	t.Helper()
	r := attesttest.Sealed(t, artifacts, attesttest.Options{})
	e := &evil{t: t, gate: r.Gate, release: r, statements: map[string]doc{}}
	for _, s := range r.Sealed.Signed {
		if s.Intent.Kind == gate.IntentStatement {
			var d doc
			if err := json.Unmarshal(s.Intent.Payload, &d); err != nil {
				t.Fatal(err)
			}
			e.statements[s.Intent.Name] = d
		}
	}
	return e
}

// payload is a statement's bytes.
func (e *evil) payload(name string) []byte {
	e.t.Helper()
	return must[[]byte](e.t)(canonical.JSON(map[string]any(e.statements[name])))
}

func digestOf(b []byte) map[string]any { return map[string]any{"sha256": gate.SHA256(b).String()} }

// list lists what the decision and the summary rest on by the digests that it has now.
func (e *evil) list() {
	e.t.Helper()
	for _, c := range e.statements[gate.StatementDecision].at("predicate", "statements", "counted").([]any) {
		c := c.(map[string]any)
		if name := c["statement"].(string); e.statements[name] != nil {
			c["digest"] = digestOf(e.payload(name))
		}
	}
	inputs := []any{}
	for _, name := range []string{gate.StatementDecision, "approval-1", "approval-2"} {
		if e.statements[name] != nil {
			inputs = append(inputs, map[string]any{"uri": attesttest.Server + "/releases/1/" + name, "digest": digestOf(e.payload(name))})
		}
	}
	e.statements[gate.StatementVSA].object("predicate")["inputAttestations"] = inputs
}

// handOut signs everything anew and returns the folder.
func (e *evil) handOut() fstest.MapFS {
	e.t.Helper()
	sealed := e.release.Sealed
	sealed.Seal.Timestamps = map[string][]byte{}
	var signed []gate.SignedIntent
	for _, s := range sealed.Signed {
		if s.Intent.Kind == gate.IntentSubject {
			signed = append(signed, s)
			sealed.Seal.Timestamps[s.Intent.ID] = s.Timestamp
		}
	}
	for i, name := range []string{gate.StatementDecision, "approval-1", "approval-2", gate.StatementRelease, gate.StatementVSA} {
		if e.statements[name] == nil {
			continue
		}
		payload := e.payload(name)
		s := e.gate.Release.Sign(e.t, gate.Intent{
			ID: "0197f3a0-0000-7000-9999-00000000000" + string(rune('0'+i)), Request: e.release.Decision.Request, Attempt: 1,
			Kind: gate.IntentStatement, Name: name, Digest: gate.StatementDigest(payload), Payload: payload, Key: e.gate.Release.Version,
		})
		s.Timestamp = must[[]byte](e.t)(e.gate.TSA.Stamp(s.Signature.Bytes, e.gate.At))
		sealed.Seal.Timestamps[s.Intent.ID] = s.Timestamp
		e.enter(&s, gate.VariantKey, s.Intent.Key.SPKI)
		e.enter(&s, gate.VariantCertificate, sealed.Seal.Certificate)
		signed = append(signed, s)
	}
	sealed.Signed = signed
	if err := e.gate.Prove(&sealed); err != nil {
		e.t.Fatal(err)
	}
	e.release.Files = must[[]attest.File](e.t)(attest.Files(sealed))
	return handedOut(e.release)
}

func (e *evil) enter(s *gate.SignedIntent, v gate.Variant, key []byte) {
	e.t.Helper()
	body := must[[]byte](e.t)(ledger.Record{
		Digest: s.Intent.Digest, Signature: s.Signature.Bytes, Key: key, Certificate: v == gate.VariantCertificate,
	}.Bytes())
	s.Entries = append(s.Entries, gate.LogEntry{Variant: v, Index: must[int64](e.t)(e.gate.Log.Append(body)), Body: body})
}

// failedPath is the first step that failed, and all above it.
func failedPath(r verify.Result) []string {
	for _, s := range r.Steps {
		if s.Outcome == verify.Failed {
			return append([]string{s.Name}, failedPath(s)...)
		}
	}
	return nil
}

func account(n int, login string) map[string]any {
	return map[string]any{"human": true, "id": "github:" + string(rune('0'+n/100)) + "0" + string(rune('0'+n%10)), "login": login}
}

// second adds an approval like the first, by somebody else.
func (e *evil) second(by map[string]any) {
	e.t.Helper()
	var copied doc
	if err := json.Unmarshal(e.payload("approval-1"), &copied); err != nil {
		e.t.Fatal(err)
	}
	copied.object("predicate")["approver"] = by
	e.statements["approval-2"] = copied
	said := e.statements[gate.StatementDecision].object("predicate", "statements")
	said["counted"] = append(said["counted"].([]any), map[string]any{"statement": "approval-2", "by": by, "digest": digestOf(e.payload("approval-2"))})
}

// Every row is signed, logged, time-stamped and listed by the gate itself: what it says does
// not hold together, or is not enough.
func TestReleaseDeniesWhatAGateMayNotSay(t *testing.T) {
	type edit func(e *evil, d, a, v doc)
	change := func(d doc) map[string]any { return d.object("predicate", "changes", 0) }
	for _, row := range []struct {
		what string
		at   []string
		edit edit
		want verify.Expect
	}{
		{"a refusal under the release key", []string{"statement vsa", "result"}, func(_ *evil, _, _, v doc) {
			v.object("predicate")["verificationResult"] = attest.Failed
		}, fromAcme},
		{"no level", []string{"statement vsa", "level"}, func(_ *evil, _, _, v doc) {
			v.object("predicate")["verifiedLevels"] = []any{"SLSA_BUILD_LEVEL_3"}
		}, fromAcme},
		{"another repository than the certificate's", []string{"statement vsa", "identity"}, func(_ *evil, _, _, v doc) {
			v.object("predicate")["resourceUri"] = "git+https://github.example/acme/other@refs/tags/v1.4.0"
		}, verify.Expect{Repository: "github:1296269"}},
		{"another gate than the certificate's", []string{"statement vsa", "identity"}, func(_ *evil, _, _, v doc) {
			v.object("predicate", "verifier")["id"] = "https://other.example"
		}, fromAcme},
		{"an author who covers their own change", []string{"people", "change #412"}, func(_ *evil, d, _, _ doc) {
			authors := change(d)["authors"].([]any)
			change(d)["authors"] = append(authors, map[string]any{"account": account(102, "somebody-else"), "why": "author of 2222222"})
		}, fromAcme},
		{"nobody covers a change", []string{"people", "change #412"}, func(_ *evil, d, _, _ doc) { change(d)["coveredBy"] = []any{} }, fromAcme},
		{"a change that the gate calls uncovered", []string{"people", "change #412"}, func(_ *evil, d, _, _ doc) { change(d)["covered"] = false }, fromAcme},
		{"one person where a commit belongs to nobody", []string{"people", "change #412"}, func(_ *evil, d, _, _ doc) {
			change(d)["unlinked"] = []any{"Mallory <m@example.com>"}
		}, fromAcme},
		{"an approval that covers another change", []string{"people", "change #412"}, func(_ *evil, _, a, _ doc) {
			a.object("predicate", "covers", 0)["head"] = "3333333333333333333333333333333333333333"
		}, fromAcme},
		{"somebody who covers it without an approval", []string{"people", "change #412"}, func(_ *evil, d, _, _ doc) {
			change(d)["coveredBy"] = []any{map[string]any{"account": account(103, "cy"), "how": "release approval"}}
		}, fromAcme},
		{"an approval by another than the decision counts", []string{"people", "approvals"}, func(_ *evil, _, a, _ doc) {
			a.object("predicate")["approver"] = account(103, "bo")
		}, fromAcme},
		{"an approval that has no statement", []string{"people", "approvals"}, func(e *evil, _, _, _ doc) { delete(e.statements, "approval-1") }, fromAcme},
		{"an approval that the decision does not count", []string{"people", "approvals"}, func(_ *evil, d, _, _ doc) {
			d.object("predicate", "statements")["counted"] = []any{}
		}, fromAcme},
		{"one person who approved twice", []string{"people", "approvals"}, func(e *evil, _, _, _ doc) {
			e.second(account(102, "bo-again"))
		}, verify.Expect{Repository: attesttest.Repository, Approvers: 2}},
		{"an approver who asked for it", []string{"people", "independent"}, func(_ *evil, d, _, _ doc) {
			d.object("predicate", "asked")["by"] = []any{account(102, "bo")}
		}, fromAcme},
		{"an approver too few", []string{"people", "approvers"}, func(*evil, doc, doc, doc) {}, verify.Expect{Repository: attesttest.Repository, Approvers: 2}},
		{"an approver who wrote all of it", []string{"people", "approvers"}, func(e *evil, _, _, _ doc) {
			e.second(account(101, "ana"))
		}, verify.Expect{Repository: attesttest.Repository, Approvers: 2}},
		{"a decision that waits", []string{"statement decision", "checks"}, func(_ *evil, d, _, _ doc) { d.object("predicate")["outcome"] = "waiting" }, fromAcme},
		{"a check that denied", []string{"statement decision", "checks"}, func(_ *evil, d, _, _ doc) {
			d.object("predicate", "checks", 3)["outcome"] = "denied"
		}, fromAcme},
		{"a decision on another request", []string{"statement decision", "release"}, func(_ *evil, d, _, _ doc) {
			d.object("predicate", "release")["request"] = "0197f3a0-0000-7000-8000-000000000002"
		}, fromAcme},
		{"a decision on another repository", []string{"statement decision", "release"}, func(_ *evil, d, _, _ doc) {
			d.object("predicate", "repository")["id"] = "github:1"
		}, fromAcme},
		{"a decision under another policy", []string{"statement decision", "release"}, func(_ *evil, d, _, _ doc) {
			d.object("predicate", "policy")["digest"] = digestOf([]byte("another"))
		}, fromAcme},
		{"a decision under another protection", []string{"statement decision", "release"}, func(_ *evil, _, _, v doc) {
			v.object("predicate", "countersign_protection")["digest"] = digestOf([]byte("another"))
		}, fromAcme},
		{"a range that ends elsewhere", []string{"statement decision", "release"}, func(_ *evil, d, _, _ doc) {
			d.object("predicate", "range")["until"] = "3333333333333333333333333333333333333333"
		}, fromAcme},
		{"an approval of another manifest", []string{"statement approval-1", "release"}, func(_ *evil, _, a, _ doc) {
			a.object("predicate", "bound")["manifest"] = digestOf([]byte("another"))
		}, fromAcme},
		{"an approval of another commit", []string{"statement approval-1", "release"}, func(_ *evil, _, a, _ doc) {
			a.object("predicate", "bound")["commit"] = "3333333333333333333333333333333333333333"
		}, fromAcme},
		{"an approval of another tag object", []string{"statement approval-1", "release"}, func(_ *evil, _, a, _ doc) {
			a.object("predicate", "bound")["tagObject"] = "3333333333333333333333333333333333333333"
		}, fromAcme},
		{"an approval under another policy", []string{"statement approval-1", "release"}, func(_ *evil, _, a, _ doc) {
			a.object("predicate", "bound")["policy"] = digestOf([]byte("another"))
		}, fromAcme},
		{"an approval of another request", []string{"statement approval-1", "release"}, func(_ *evil, _, a, _ doc) {
			a.object("predicate", "release")["request"] = "0197f3a0-0000-7000-8000-000000000002"
		}, fromAcme},
		{"an approval by nobody", []string{"statement approval-1", "artifacts"}, func(_ *evil, _, a, _ doc) {
			a.object("predicate")["approver"] = map[string]any{"human": true, "id": "0:0", "login": "bo"}
		}, fromAcme},
		{"another ref", []string{"statement vsa", "ref"}, func(*evil, doc, doc, doc) {}, verify.Expect{Repository: attesttest.Repository, Ref: "refs/tags/v2"}},
	} {
		t.Run(row.what, func(t *testing.T) {
			e := newEvil(t)
			row.edit(e, e.statements[gate.StatementDecision], e.statements["approval-1"], e.statements[gate.StatementVSA])
			e.list()
			got := verify.Release(e.handOut(), verify.Trust{Root: rootOf(t, e.release)}, row.want)
			if at := failedPath(got.Result); got.OK() || got.Release != nil || !slices.Equal(at, row.at) {
				t.Errorf("expected step %q to fail, got %q:\n%s", row.at, at, show(t, got.Result))
			}
		})
	}
}

// The evil gate with nothing evil to say passes: its rows fail for what they say.
func TestTwoApproversAreTwo(t *testing.T) {
	e := newEvil(t)
	e.second(account(103, "cy"))
	e.list()
	got := verify.Release(e.handOut(), verify.Trust{Root: rootOf(t, e.release)}, verify.Expect{
		Repository: attesttest.Repository, Approvers: 2, NotBefore: e.gate.At.Add(-time.Minute), NotAfter: e.gate.At,
	})
	if !got.OK() || len(got.Release.Approvers) != 2 || got.Release.Changes != 1 {
		t.Errorf("expected a pass with two approvers, got %s", show(t, got.Result))
	}
}
