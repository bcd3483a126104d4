package release_test

import (
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/gate/release"
)

// What the page shows before an adoption is what the adoption puts in force.
func TestCandidateIsWhatIsAdopted(t *testing.T) {
	w := newWorld(t)
	w.floored("branch: {min_reviews: 2}")
	c, err := w.gate.Candidate(w.ctx, gatetest.Repository())
	w.must(err)
	w.must(c.Fault)
	a, err := w.gate.Adopt(w.ctx, release.Adoption{
		Repository: gatetest.Repository(), Baseline: gatetest.Baseline, Commit: c.File.Commit, By: "root",
	})
	w.must(err)
	if string(a.File) != string(c.File.Content) || a.Commit != c.File.Commit {
		t.Errorf("shown %s at %s, adopted %s at %s", c.File.Content, c.File.Commit, a.File, a.Commit)
	}
	streams, err := w.gate.Explain(a)
	w.must(err)
	for _, of := range [][]policy.Explained{c.Streams, streams} {
		raised := 0
		for _, stream := range of {
			for _, v := range stream.Values {
				if v.Field == "branch.min_reviews" && v.Value == "2" && v.Source == "floor server" {
					raised++
				}
			}
		}
		if raised == 0 || raised != len(of) {
			t.Errorf("the floor is told of in %d of %d streams", raised, len(of))
		}
	}
}

func TestCandidateThatCannotBeAdopted(t *testing.T) {
	w := newWorld(t)
	w.forge.mu.Lock()
	w.forge.file = []byte("version: 1\nreleases:\n  - wokflow: release.yml\n")
	w.forge.mu.Unlock()
	c, err := w.gate.Candidate(w.ctx, gatetest.Repository())
	w.must(err)
	w.refused(c.Fault, gate.Invalid, gate.CodePolicyInvalid)
	_, err = w.gate.Candidate(w.ctx, gate.RepositoryID{Forge: "elsewhere", ID: 1})
	w.refused(err, gate.NotFound, gate.CodeForgeUnknown)
}
