package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// kept brings a request to where its signatures are on record.
func (w *world) kept(artifact string, lease time.Duration) (gate.Record, []gate.Intent) {
	w.Helper()
	rec, is := w.signing(artifact, minute)
	rec, err := w.s.KeepSignatures(w.ctx, rec, signatures(is), []byte("certificate"), lease)
	w.must(err)
	return rec, is
}

func (w *world) sealOf(rec gate.Record) gate.Seal {
	w.Helper()
	seal, err := sealOf(w.ctx, w.s, rec)
	w.must(err)
	return seal
}

func TestSignaturesAreKeptBeforeTheyAreHandedOut(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.kept("a", minute)
		if rec.State != gate.StateSigning || !rec.Sealing {
			w.Fatalf("expected a signing request that waits for its seal, got %s, %t", rec.State, rec.Sealing)
		}
		if again := w.request(rec.Request.ID); !again.Sealing {
			w.Error("expected that the request says that it is sealing")
		}
		w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Intents, ledger.Signature, ledger.CertificateSignature,
			ledger.Signature, ledger.CertificateSignature)
		signed, err := w.s.Signatures(w.ctx, rec.Request.ID)
		w.must(err)
		for n, s := range signed {
			if len(s.Entries) != 2 || s.Entries[0].Variant != gate.VariantKey || s.Entries[1].Variant != gate.VariantCertificate || s.Timestamp != nil {
				w.Fatalf("expected entries by key and by certificate and no timestamp yet, got %+v", s)
			}
			for v, key := range []string{"\x01", "certificate"} {
				r, err := ledger.ParseRecord(s.Entries[v].Body)
				w.must(err)
				if r.Digest != is[n].Digest || string(r.Key) != key || string(r.Signature) != string(s.Signature.Bytes) {
					w.Errorf("entry %d: expected a record of %s by %q, got %+v", s.Entries[v].Index, is[n].Digest, key, r)
				}
			}
		}
		_, err = w.s.Seal(w.ctx, rec.Request.ID)
		w.refused(gate.CodeNotSigned, err)
		// It is a release from now on, of whichever runs next; the key was used.
		if got, err := w.s.Released(w.ctx, repository(), "release", 1); err != nil || len(got) != 1 || got[0] != rec.Request.Commit {
			w.Errorf("expected that %s counts as released, got %v, %v", rec.Request.Commit, got, err)
		}
		if uses, err := w.s.KeyUses(w.ctx); err != nil || uses[0].Signatures != 2 {
			w.Errorf("expected two uses of the key, got %+v, %v", uses, err)
		}

		seal := w.sealOf(rec)
		sealed, err := w.s.CompleteSealing(w.ctx, rec, seal, []gate.Post{check(rec.Request.ID, gate.PostSuccess)})
		w.must(err)
		if sealed.State != gate.StateSigned || sealed.Sealing {
			w.Errorf("expected signed, got %s, %t", sealed.State, sealed.Sealing)
		}
		twice, err := w.s.CompleteSealing(w.ctx, rec, seal, []gate.Post{check(rec.Request.ID, gate.PostSuccess)})
		w.must(err)
		if diff := cmp.Diff(sealed, twice); diff != "" {
			w.Error(diff)
		}
		got, err := w.s.Seal(w.ctx, rec.Request.ID)
		w.must(err)
		if diff := cmp.Diff(seal, got); diff != "" {
			w.Error(diff)
		}
		seal.At = seal.At.Add(time.Second)
		_, err = w.s.CompleteSealing(w.ctx, rec, seal, nil)
		w.refused(gate.CodeTransition, err)
		w.nothingDue()
		w.postDue(gate.PostCheck)
		w.nothingToPost()
	})
}

func TestSumsAreEnteredByKeyAlone(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.judged(w.opened("a"), gate.StateGranted)
		is := intents(rec)
		digest, err := gate.SumsDigest(gate.FormatSSH, rec.Request.Manifest, nil)
		w.must(err)
		is = append(is, gate.Intent{
			ID: newID(), Request: rec.Request.ID, Attempt: 1, Kind: gate.IntentSums, Name: string(gate.FormatSSH), Digest: digest, Key: is[0].Key,
		})
		rec, err = w.s.BeginSigning(w.ctx, rec, is, "worker", minute)
		w.must(err)
		rec, err = w.s.KeepSignatures(w.ctx, rec, signatures(is), []byte("certificate"), minute)
		w.must(err)
		signed, err := w.s.Signatures(w.ctx, rec.Request.ID)
		w.must(err)
		if len(signed) != 3 || len(signed[2].Entries) != 1 || signed[2].Entries[0].Index != 7 {
			w.Errorf("expected one entry of SHA256SUMS, the last one, got %+v", signed)
		}
		seal := w.sealOf(rec)
		delete(seal.Timestamps, is[2].ID) // which is one of a subject or a statement alone
		_, err = w.s.CompleteSealing(w.ctx, rec, seal, nil)
		w.must(err)
		w.inState(rec.Request.ID, gate.StatePublished)
	})
}

func TestSealThatDoesNotProveTheRelease(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.kept("a", minute)
		other, _ := w.kept("b", minute)
		deny := map[string]func(*gate.Seal){
			"of another request":            func(s *gate.Seal) { s.Request = other.Request.ID },
			"whose checkpoint is too small": func(s *gate.Seal) { s.Checkpoint.Size-- },
			"without checkpoint":            func(s *gate.Seal) { s.Checkpoint = gate.Checkpoint{} },
			"without a subject's timestamp": func(s *gate.Seal) { delete(s.Timestamps, is[0].ID) },
			"with an empty timestamp":       func(s *gate.Seal) { s.Timestamps[is[1].ID] = []byte{} },
		}
		for name, spoil := range deny {
			seal := w.sealOf(rec)
			spoil(&seal)
			if _, err := w.s.CompleteSealing(w.ctx, rec, seal, nil); gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("a seal %s: expected %s, got %v", name, gate.CodeInternal, err)
			}
		}
		w.inState(rec.Request.ID, gate.StateSigning)
		unsigned, _ := w.signing("c", minute)
		_, err := w.s.CompleteSealing(w.ctx, unsigned, gate.Seal{Request: unsigned.Request.ID}, nil)
		w.refused(gate.CodeTransition, err)
	})
}

// What is signed is signed: nobody ends the signing of a request whose signatures exist.
func TestSealingIsNeitherOrphanedNorFailed(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, _ := w.kept("a", over)
		rec = w.claimed(rec.Request.ID, minute)
		if !rec.Sealing {
			w.Error("expected that whoever claims it learns that it is sealing")
		}
		_, err := w.s.OrphanSigning(w.ctx, rec)
		w.refused(gate.CodeTransition, err)
		_, err = w.s.FailSigning(w.ctx, rec, "no", nil)
		w.refused(gate.CodeTransition, err)
		w.heard(gate.Heard{Approvals: []gate.Approval{approval(rec, 5, gate.VerbDeny)}})
		_, err = w.s.CompleteSealing(w.ctx, rec, w.sealOf(rec), nil)
		w.must(err)
	})
}

func TestSealingIsDeferred(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, _ := w.kept("a", minute)
		w.nothingDue() // it is leased
		w.must(w.s.DeferSealing(w.ctx, rec, time.Now().Add(time.Hour), "two witnesses are away"))
		w.nothingDue()
		w.must(w.s.DeferSealing(w.ctx, rec, time.Now().Add(-time.Second), "a witness is away"))
		if rec = w.claimed(rec.Request.ID, minute); rec.Unsealed != "a witness is away" {
			w.Errorf("it waits because of %q", rec.Unsealed)
		}
		done, err := w.s.CompleteSealing(w.ctx, rec, w.sealOf(rec), nil)
		w.must(err)
		if done.Unsealed != "" {
			w.Errorf("sealed, it waits because of %q", done.Unsealed)
		}
		w.refused(gate.CodeTransition, w.s.DeferSealing(w.ctx, rec, time.Now(), "late"))
		w.nothingDue()
	})
}

func TestVerdicts(t *testing.T) {
	onBoth(t, func(w *world) {
		denied := w.judged(w.opened("a"), gate.StateDenied)
		w.judged(w.opened("b"), gate.StateVoid)
		waiting := w.opened("c")
		unsaid, err := w.s.Unsaid(w.ctx, 10)
		w.must(err)
		if len(unsaid) != 1 || unsaid[0].Request.ID != denied.Request.ID {
			w.Fatalf("expected the denied request alone, got %v", ids(unsaid...))
		}
		if _, _, ok, err := w.s.Verdict(w.ctx, denied.Request.ID); ok || err != nil {
			w.Errorf("expected no verdict yet, got one, %v", err)
		}
		v := gate.SignedVerdict{
			Request: denied.Request.ID, Statement: []byte(`{"verificationResult":"FAILED"}`),
			Key: gate.KeyVersion{Lineage: "verdict", Version: 1, SPKI: []byte("spki")}, Signature: []byte("signed"), At: time.Unix(5, 0).UTC(),
		}
		w.must(w.s.KeepVerdict(w.ctx, v))
		later := v
		later.Signature = []byte("signed once more")
		w.must(w.s.KeepVerdict(w.ctx, later))
		got, entries, ok, err := w.s.Verdict(w.ctx, denied.Request.ID)
		w.must(err)
		if diff := cmp.Diff(v, got); !ok || diff != "" {
			w.Errorf("expected the first verdict, got %t, %s", ok, diff)
		}
		if len(entries) != 1 {
			w.Fatalf("expected one entry, got %d", len(entries))
		}
		r, err := ledger.ParseRecord(entries[0].Body)
		w.must(err)
		if r.Digest != gate.StatementDigest(v.Statement) || string(r.Key) != "spki" || r.Certificate {
			w.Errorf("expected a record of the statement by the verdict key, got %+v", r)
		}
		if unsaid, err = w.s.Unsaid(w.ctx, 10); err != nil || len(unsaid) != 0 {
			w.Errorf("expected that all is said, got %v, %v", ids(unsaid...), err)
		}
		v.Request = waiting.Request.ID
		w.refused(gate.CodeTransition, w.s.KeepVerdict(w.ctx, v))
		v.Request = newID()
		w.refused(gate.CodeRequestUnknown, w.s.KeepVerdict(w.ctx, v))
	})
}

// A request that asks for a signature twice is told why it cannot: words of the store are
// for people.
func TestSealingSaysWhatItWaitsFor(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, _ := w.kept("a", minute)
		_, err := w.s.OrphanSigning(w.ctx, rec)
		if err == nil || !strings.Contains(err.Error(), "wait for their seal") {
			w.Errorf("expected that the error names the seal, got %v", err)
		}
	})
}
