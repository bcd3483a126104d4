package release_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/verify"
)

func TestLifeOfARequest(t *testing.T) {
	w := newWorld(t)
	asked := w.opened(2)
	if asked.State != gate.StateWaiting || asked.Request.Attempt != 1 || asked.Request.Stream != "stable" ||
		asked.Request.Key != gatetest.Lineage || len(asked.Request.Actors) != 1 || asked.Request.Code == "" {
		t.Fatalf("opened %+v", asked)
	}
	id := asked.Request.ID

	w.settle()
	rec := w.in(id, gate.StateWaiting)
	if rec.Thread != thread() {
		t.Errorf("thread %v, expected the change's", rec.Thread)
	}
	w.tellsWaiting()

	approval := w.says(gatetest.Bo(), "/countersign approve\n")
	w.heard()
	w.reacted(approval) // nothing is told before it is durable
	w.settle()
	w.reacted(approval, "rocket")
	w.in(id, gate.StatePublished)
	for _, target := range []gate.PostTarget{gate.PostCheck} {
		if p, _ := w.forge.latest(target); p.State != gate.PostSuccess || p.Context != "countersign/stable" {
			t.Errorf("%s says %s for %q, expected success", target, p.State, p.Context)
		}
	}
	if p, _ := w.forge.latest(gate.PostComment); !strings.Contains(p.Body, "— signed") || p.Known == "" {
		t.Errorf("expected the sticky comment edited in place, got known %q and\n%s", p.Known, p.Body)
	}
	want := slices.Concat(
		[]ledger.Kind{ledger.RequestOpened, ledger.Decision, ledger.Approval, ledger.Decision, ledger.Intents},
		repeated(ledger.Signature, signedOf(2)), []ledger.Kind{ledger.Published},
	)
	if got := w.leaves(); !slices.Equal(got, want) {
		t.Errorf("leaves %v, expected %v", got, want)
	}
	w.verifies(id, asked.Request)
}

// tellsWaiting expects what people read while a release waits.
func (w *world) tellsWaiting() {
	w.Helper()
	for _, target := range []gate.PostTarget{gate.PostCheck} {
		p, ok := w.forge.latest(target)
		if !ok || p.State != gate.PostPending || p.Commit != gatetest.Commit || !strings.HasPrefix(p.URL, "https://gate.example/releases/") {
			w.Errorf("%s: expected it pending on the commit, with the release page, got %+v", target, p)
		}
	}
	p, ok := w.forge.latest(gate.PostComment)
	if !ok || p.Thread != thread() || !strings.Contains(p.Body, "@bo") || strings.Contains(p.Body, "@ana") {
		w.Errorf("expected a comment that calls Bo and not Ana, got\n%s", p.Body)
	}
	if _, ok := w.forge.latest(gate.PostThread); ok {
		w.Error("expected no issue for a release that a pull request made")
	}
}

func (w *world) heard() {
	w.Helper()
	if found, err := w.gate.HearNext(w.ctx); err != nil || !found {
		w.Fatalf("expected a delivery to work off, got %t, %v", found, err)
	}
}

func (w *world) judged() error {
	w.Helper()
	found, err := w.gate.JudgeNext(w.ctx)
	if !found {
		w.Fatalf("expected a request that is due, got none: %v", err)
	}
	return err
}

// verifies has an offline verifier accept what is collected.
func (w *world) verifies(id string, r gate.Request) {
	w.Helper()
	files := map[string][]byte{}
	for _, f := range w.collected(id) {
		files[f.Name] = f.Content
	}
	key, err := verify.ParseKey(files[attest.KeyName])
	w.must(err)
	for _, s := range r.Manifest.Subjects {
		if got := verify.Artifact(files[s.Name+attest.BundleSuffix], verify.Under(key), s.SHA256, verify.Expect{}); !got.OK() {
			w.Errorf("bundle of %s: %+v", s.Name, got)
		}
		if got := verify.Artifact(files[s.Name+attest.BundleSuffix], verify.Under(key), gate.SHA256([]byte("other")), verify.Expect{}); got.OK() {
			w.Errorf("bundle of %s: accepts other bytes", s.Name)
		}
	}
	want := verify.Expect{
		Subjects: r.Manifest.Subjects, Server: "https://gate.example", Repository: r.Repository.String(),
		Ref: r.Ref, Commit: r.Commit, Policy: r.PolicyDigest,
	}
	if got := verify.Statement(files[attest.ReleaseName(r.Ref)+attest.VSASuffix], verify.Under(key), want); !got.OK() {
		w.Errorf("statement: %+v", got)
	}
	if string(files[attest.SumsName]) != string(r.Manifest.Bytes()) {
		w.Errorf("%s: %s", attest.SumsName, files[attest.SumsName])
	}
}

func TestGitLabHasNoCheckRuns(t *testing.T) {
	w := newWorld(t, onGitLab)
	id := w.opened(1).Request.ID
	w.settle()
	if p, ok := w.forge.latest(gate.PostCheck); ok {
		t.Errorf("expected no check run on GitLab, got %+v", p)
	}
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StatePublished)
	if p, _ := w.forge.latest(gate.PostStatus); p.State != gate.PostSuccess {
		t.Errorf("status %s, expected success", p.State)
	}
	if _, ok := w.forge.latest(gate.PostCheck); ok {
		t.Error("expected no check run on GitLab")
	}
}

// I4: what the HSM is asked for is durable before it is asked; I3: nothing that it
// answers can be had before its leaf.
func TestIntentsAreDurableBeforeTheSignerIsCalled(t *testing.T) {
	w := newWorld(t)
	id := w.opened(2).Request.ID
	w.settle()
	called := 0
	w.signer.Before(func(_ context.Context, orders []gate.Order) {
		called++
		if got := w.record(id); got.State != gate.StateSigning || got.Signing != 1 {
			t.Errorf("the signer is called in state %s, attempt %d", got.State, got.Signing)
		}
		if leaves := w.leaves(); leaves[len(leaves)-1] != ledger.Intents {
			t.Errorf("the ledger ends with %s, expected the intents", leaves[len(leaves)-1])
		}
		if len(orders) != signedOf(2) {
			t.Errorf("%d orders, expected one per subject and statement", len(orders))
		}
		if err := w.invariants(); err != nil {
			t.Error(err)
		}
		_, _, err := w.gate.Collect(w.ctx, w.job(), id)
		w.refused(err, gate.Conflict, gate.CodeNotSigned)
	})
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StatePublished)
	if called != 1 {
		t.Errorf("the signer was called %d times, expected once", called)
	}
}

// A signature whose record failed leaves no trace that anybody could take for one (I3).
func TestNoSignatureBeforeItsLeaf(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.heard()
	w.gate = w.newGate(&broken{Store: w.store, fail: map[string]error{"KeepSignatures": storeAway()}})
	if err := w.judged(); gate.CodeOf(err) != gate.CodeStoreUnavailable {
		t.Fatalf("expected that nothing could be recorded, got %v", err)
	}
	if n := len(w.signer.Signed()); n != signedOf(1) {
		t.Fatalf("expected that the HSM signed, got %d signatures", n)
	}
	w.in(id, gate.StateSigning)
	sigs, err := w.store.Signatures(w.ctx, id)
	if err != nil || len(sigs) != 0 {
		t.Errorf("signatures %v, %v, expected none", sigs, err)
	}
	_, _, err = w.gate.Collect(w.ctx, w.job(), id)
	w.refused(err, gate.Conflict, gate.CodeNotSigned)
}

// What the HSM has signed is stored even where the process is told to stop meanwhile.
func TestStoppingDoesNotLoseSignatures(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.heard()
	ctx, stop := context.WithCancel(w.ctx)
	w.gate = w.newGate(&broken{Store: w.store, before: map[string]func(){"KeepSignatures": stop}})
	if _, err := w.gate.JudgeNext(ctx); err != nil {
		t.Fatal(err)
	}
	w.in(id, gate.StateSigned)
}

func TestTransitions(t *testing.T) {
	states := []gate.State{
		gate.StateWaiting, gate.StateGranted, gate.StateSigning, gate.StateSigned, gate.StatePublished,
		gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid, gate.StateFailed, "", "unheard of",
	}
	allowed := map[gate.State][]gate.State{
		gate.StateWaiting: {gate.StateWaiting, gate.StateGranted, gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid},
		gate.StateGranted: {
			gate.StateGranted, gate.StateWaiting, gate.StateSigning, gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid,
		},
		gate.StateSigning: {gate.StateSigned, gate.StateGranted, gate.StateFailed},
		gate.StateSigned:  {gate.StatePublished},
	}
	for _, from := range states {
		for _, to := range states {
			err := release.Transition(from, to)
			if want := slices.Contains(allowed[from], to); want != (err == nil) {
				t.Errorf("%q to %q: allowed %t, expected %t", from, to, err == nil, want)
			}
			if err != nil && (gate.KindOf(err) != gate.Conflict || gate.CodeOf(err) != gate.CodeTransition) {
				t.Errorf("%q to %q: %v", from, to, err)
			}
			if from.Ended() && err == nil {
				t.Errorf("%q is an end and leads to %q", from, to)
			}
		}
	}
}
