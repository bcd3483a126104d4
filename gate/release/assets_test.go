package release_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
)

// Assets implements release.AssetReader.
func (f *forge) Assets(context.Context, gate.RepositoryID, string) gate.Fact[[]gate.Asset] {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.assets
}

func asset(name, content string) gate.Asset {
	return gate.Asset{Name: name, SHA256: gate.Known(gate.SHA256([]byte(content)))}
}

// released brings a release with one file to its end.
func (w *world) released() gate.Record {
	w.Helper()
	w.forge.with(func() { w.forge.assets = gate.Absent[[]gate.Asset]("no release") })
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	return w.in(id, gate.StatePublished)
}

// serves has the forge's release page hold these files, and tell that it changed.
func (w *world) serves(rec gate.Record, all ...gate.Asset) {
	w.Helper()
	w.forge.with(func() { w.forge.assets = gate.Known(all) })
	w.ring(gate.Ring{Repository: gatetest.Repository(), Released: rec.Request.Ref})
	w.settle()
}

func (w *world) check(rec gate.Record) gate.Post {
	w.Helper()
	var out gate.Post
	w.forge.with(func() {
		for _, p := range w.forge.told {
			if p.Target == gate.PostCheck && p.Request == rec.Request.ID {
				out = p
			}
		}
	})
	return out
}

// warnings counts the comments about replaced files.
func (w *world) warnings() int {
	n := 0
	w.forge.with(func() {
		for _, p := range w.forge.told {
			if p.Target == gate.PostReply && strings.Contains(p.Body, "not the one that was signed") {
				n++
			}
		}
	})
	return n
}

func (w *world) mismatchLeaves() int {
	n := 0
	for _, k := range w.leaves() {
		if k == ledger.AssetMismatch {
			n++
		}
	}
	return n
}

func TestReplacedAssetIsToldOnce(t *testing.T) {
	w := newWorld(t)
	rec := w.released()
	s := rec.Request.Manifest.Subjects[0]
	good := gate.Asset{Name: s.Name, SHA256: gate.Known(s.SHA256)}
	w.serves(rec, good)
	if p := w.check(rec); p.State != gate.PostSuccess || w.warnings()+w.mismatchLeaves() != 0 {
		t.Fatalf("the file that was signed: got %s %q", p.State, p.Title)
	}
	bad := asset(s.Name, "something else")
	for range 3 {
		w.serves(rec, bad)
		w.later(7 * time.Hour)
	}
	found, _ := bad.SHA256.Get()
	p := w.check(rec)
	if p.State != gate.PostFailure || !strings.Contains(p.Title, s.Name) || !strings.Contains(p.Body, s.SHA256.String()) || !strings.Contains(p.Body, found.String()) {
		t.Errorf("got %s %q\n%s", p.State, p.Title, p.Body)
	}
	if n, leaves := w.warnings(), w.mismatchLeaves(); n != 1 || leaves != 1 {
		t.Errorf("expected one comment and one leaf, got %d and %d", n, leaves)
	}
	w.serves(rec, good)
	if p := w.check(rec); p.State != gate.PostSuccess || w.mismatchLeaves() != 1 {
		t.Errorf("put right again: got %s %q", p.State, p.Title)
	}
	w.serves(rec, asset(s.Name, "a third"))
	if n, leaves := w.warnings(), w.mismatchLeaves(); n != 2 || leaves != 2 {
		t.Errorf("another content: expected two comments and leaves, got %d and %d", n, leaves)
	}
	w.must(w.invariants())
}

func TestAssetsThatSayNothing(t *testing.T) {
	w := newWorld(t)
	rec := w.released()
	s := rec.Request.Manifest.Subjects[0]
	for name, all := range map[string][]gate.Asset{
		"no files":              nil,
		"a file without digest": {{Name: s.Name, SHA256: gate.Unknown[gate.Digest]("old")}},
		"a file that nobody asked to sign, where the policy publishes none": {asset("notes.txt", "x")},
		"our own": {asset("SHA256SUMS", "x"), asset(s.Name+".sigstore.json", "x")},
	} {
		w.serves(rec, all...)
		if p := w.check(rec); p.State != gate.PostSuccess || w.warnings()+w.mismatchLeaves() != 0 || strings.Contains(p.Body, "Not signed") {
			t.Errorf("%s: got %s %q", name, p.State, p.Body)
		}
	}
	w.forge.with(func() { w.forge.assets = gate.Unknown[[]gate.Asset]("it does not answer") })
	w.later(7 * time.Hour)
	w.forge.with(func() { w.forge.assets = gate.Known([]gate.Asset{asset(s.Name, "replaced")}) })
	w.later(11 * time.Minute)
	if w.warnings() != 1 {
		t.Error("what could not be read is looked at again soon")
	}
}

func TestAssetsAreWatchedForAMonth(t *testing.T) {
	w := newWorld(t)
	rec := w.released()
	w.clock.pass(gate.AssetsWatched + time.Hour)
	w.serves(rec, asset(rec.Request.Manifest.Subjects[0].Name, "replaced"))
	if w.warnings() != 0 {
		t.Error("expected nobody to look any more")
	}
}

// Forges rename what they are given: a renamed file is still the signed one's namesake.
func TestRenamedAssets(t *testing.T) {
	a := gate.Asset{Name: "the.app.x64..tgz"}
	for name, want := range map[string]bool{
		"the app (x64).tgz": true, "the.app.x64..tgz": true, "the-app-x64-.tgz": true, "the app x32.tgz": false, "theappx64.tgz": false, "": false,
	} {
		if a.Named(name) != want {
			t.Errorf("%q: got %t", name, !want)
		}
	}
}
