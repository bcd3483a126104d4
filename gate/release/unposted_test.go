package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
)

// publishes is a policy that has evidence put at the forge.
func publishes() []byte {
	return []byte(strings.Replace(policyFile, "    job: sign\n    branch", "    job: sign\n    publish: [assets, attestations]\n    branch", 1))
}

// adopts puts a policy in force.
func (w *world) adopts(file []byte) {
	w.Helper()
	w.forge.with(func() { w.forge.file = file })
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
}

// noPlace is what adapters answer for evidence that has no place at the forge.
func noPlace(kind gate.Kind, text string) error {
	return &gate.Error{Kind: kind, Code: gate.CodeEvidencePlace, Text: text, Fix: "make it a draft first"}
}

// evidence counts the posts of evidence that the forge took, and the files of the last.
func (w *world) evidence(target gate.PostTarget) (n, files int) {
	w.forge.with(func() {
		for _, p := range w.forge.told {
			if p.Target == target {
				n, files = n+1, len(p.Files)
			}
		}
	})
	return n, files
}

func TestEvidenceFindsItsPlace(t *testing.T) {
	w := newWorld(t)
	w.adopts(publishes())
	yet := true
	w.forge.with(func() {
		w.forge.postErr = func(p gate.Post) error {
			if p.Target == gate.PostAssets && yet {
				return noPlace(gate.NotFound, "no release of the tag yet")
			}
			return nil
		}
	})
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StateSigned)
	if n, files := w.evidence(gate.PostAttestations); n != 1 || files == 0 {
		t.Errorf("attestations: %d posts with %d files", n, files)
	}
	w.forge.with(func() { yet = false })
	rec := w.record(id)
	w.ring(gate.Ring{Repository: gatetest.Repository(), Released: rec.Request.Ref})
	w.settle()
	if n, files := w.evidence(gate.PostAssets); n != 1 || files == 0 {
		t.Errorf("assets, once the release is there: %d posts with %d files", n, files)
	}
	w.in(id, gate.StatePublished)
	// A file that nobody signed is named, where the policy publishes files.
	s := rec.Request.Manifest.Subjects[0]
	w.serves(rec, gate.Asset{Name: s.Name, SHA256: gate.Known(s.SHA256)}, asset("notes.txt", "x"), asset("SHA256SUMS", "x"))
	if p := w.check(rec); p.State != gate.PostSuccess || !strings.Contains(p.Body, "Not signed: notes.txt.") {
		t.Errorf("got %s\n%s", p.State, p.Body)
	}
}

func TestEvidenceWithoutAPlaceIsGivenUpAndTold(t *testing.T) {
	w := newWorld(t)
	w.adopts(publishes())
	w.forge.with(func() {
		w.forge.postErr = func(p gate.Post) error {
			if p.Target == gate.PostAssets {
				return noPlace(gate.Conflict, "release v1 is published and immutable")
			}
			return nil
		}
	})
	rec := w.released()
	w.later(time.Hour)
	given, err := w.store.GivenUp(w.ctx, 10)
	w.must(err)
	if len(given) != 1 || !strings.Contains(given[0].Why, "immutable") || given[0].Post.Target != gate.PostAssets {
		t.Errorf("given up: %+v", given)
	}
	told := 0
	w.forge.with(func() {
		for _, p := range w.forge.told {
			if p.Target == gate.PostReply && strings.Contains(p.Body, "immutable") && strings.Contains(p.Body, "draft first") {
				told++
			}
		}
	})
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	w.must(w.store.TellAgain(w.ctx, given[0].Post.ID))
	w.forge.with(func() { w.forge.postErr = nil })
	w.settle()
	if n, _ := w.evidence(gate.PostAssets); n != 1 {
		t.Errorf("told again: %d posts", n)
	}
	w.in(rec.Request.ID, gate.StatePublished)
}
