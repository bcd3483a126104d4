package probe_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/probe"
)

// expect holds the outcomes that differ from "holds"; facts that need people are told by nobody.
func expect(t *testing.T, r probe.Report, differ map[string]probe.Outcome) {
	t.Helper()
	for _, f := range probe.Facts(r.Kind) {
		want, listed := differ[f.ID]
		if !listed {
			want = probe.Holds
			if f.Needs == probe.NeedsHand {
				want = probe.Untold
			}
		}
		if got := r.Find(f.ID); got.Outcome != want {
			t.Errorf("%s: expected %s, got %s: %s", f.ID, want, got.Outcome, got.Why)
		}
	}
}

func TestGitHubAsExpected(t *testing.T) {
	r, _ := onGitHub(t, githubtest.Options{}).probe()
	expect(t, r, map[string]probe.Outcome{"github.activity-tags": probe.Fails})
}

func TestGitLabAsExpected(t *testing.T) {
	r, _ := onGitLab(t, gitlabtest.Options{}).probe()
	expect(t, r, nil)
}

// What nobody verified on a live forge has a switch in its double; the probe tells both
// sides apart.
func TestSwitches(t *testing.T) {
	for id, row := range map[string]struct {
		github *githubtest.Switches
		gitlab gitlabtest.Options
		want   probe.Outcome
	}{
		"github.installation-by-number": {github: &githubtest.Switches{NoInstallationByRepositoryID: true}, want: probe.Fails},
		"github.activity-tags":          {github: &githubtest.Switches{ActivityListsTags: true}, want: probe.Holds},
		"github.job-number":             {github: &githubtest.Switches{JobIDIsNotCheckRunID: true}, want: probe.Fails},
		"github.token-elsewhere":        {github: &githubtest.Switches{TokensReadPublic: true}, want: probe.Fails},
		"github.bot-commits":            {github: &githubtest.Switches{NoUserForBotCommits: true}, want: probe.Fails},
		"gitlab.commit-author":          {gitlab: gitlabtest.Options{WithoutRepositoryCommit: true}, want: probe.Fails},
		"gitlab.blob-mode":              {gitlab: gitlabtest.Options{WithoutBlobMode: true}, want: probe.Fails},
		"gitlab.unknown-revision":       {gitlab: gitlabtest.Options{UnknownRevisionNotFound: true}, want: probe.Fails},
		"gitlab.fast-forward":           {gitlab: gitlabtest.Options{FastForwardMergeCommit: true}, want: probe.Fails},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			differ := map[string]probe.Outcome{id: row.want}
			var r probe.Report
			if row.github != nil {
				if id != "github.activity-tags" {
					differ["github.activity-tags"] = probe.Fails
				}
				r, _ = onGitHub(t, githubtest.Options{Switches: *row.github}).probe()
			} else {
				switch id {
				case "gitlab.commit-author":
					differ["gitlab.query-size"] = probe.Untold
				case "gitlab.blob-mode":
					differ["gitlab.tree-size"] = probe.Untold
				}
				r, _ = onGitLab(t, row.gitlab).probe()
			}
			expect(t, r, differ)
		})
	}
}

// Tags with an object of their own are peeled; a tag that is not there tells nothing.
func TestRefs(t *testing.T) {
	gh, gl := onGitHub(t, githubtest.Options{}), onGitLab(t, gitlabtest.Options{})
	head := func(b *bench) string { return b.world.Head(b.repo, "refs/heads/main") }
	gh.world.(*githubtest.Server).PushAnnotatedTag(gh.repo, gh.ana, "v2.0.0", head(gh), "Two") //nolint:forcetypeassert // onGitHub made it
	gl.world.(*gitlabtest.Server).PushTag(gl.repo, gl.ana, "v2.0.0", head(gl), "Two")          //nolint:forcetypeassert // onGitLab made it
	for _, b := range []*bench{gh, gl} {
		for ref, want := range map[string]probe.Outcome{"refs/tags/v2.0.0": probe.Holds, "refs/heads/main": probe.Holds, "": probe.Holds, "refs/tags/none": probe.Untold, "refs/heads/none": probe.Untold} {
			c := b.config(http.DefaultTransport)
			c.Ref = ref
			r, err := probe.Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"read.ref", "read.commit", "read.changes"} {
				if got := r.Find(id); got.Outcome != want {
					t.Errorf("%s %q: expected %s to be %s, got %s: %s", b.kind(), ref, id, want, got.Outcome, got.Why)
				}
			}
		}
	}
}
