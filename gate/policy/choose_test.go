package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

const monorepo = `version: 1
releases:
  - {name: server, workflow: server.yml, job: server, tags: ["server/v*"], not_tags: ["*/*-rc*"], paths: ["server/**"]}
  - {name: client, workflow: client.yml, job: client, tags: ["client/v*"]}
  - {name: client-beta, workflow: client.yml, job: client, tags: ["client/v*-beta*"]}
`

func workload(kind gate.ForgeKind, ref, workflow string) gate.Workload {
	return gate.Workload{Kind: kind, RepositoryName: "acme/widget", Ref: ref, Workflow: "acme/widget/.github/workflows/" + workflow}
}

func TestChoose(t *testing.T) {
	for _, row := range []struct {
		what string
		w    gate.Workload
		job  string
		name string
		want string // stream, or what the refusal says
	}{
		{"by ref and workflow", workload(gate.GitHub, "refs/tags/server/v1", "server.yml"), "server", "", "server"},
		{"by ref and job", workload(gate.GitLab, "refs/tags/server/v1", ""), "server", "", "server"},
		{"by name", workload(gate.GitHub, "refs/tags/client/v1-beta", "client.yml"), "", "client-beta", "client-beta"},
		{"by name, though it does not fit", workload(gate.GitHub, "refs/heads/x", "x.yml"), "", "server", "server"},
		{"unknown name", workload(gate.GitHub, "refs/tags/server/v1", "server.yml"), "", "stable", "!no stream of this name"},
		{"no tag of any", workload(gate.GitHub, "refs/tags/v1", "server.yml"), "", "", "!no stream of the policy fits"},
		{"excluded tag", workload(gate.GitHub, "refs/tags/server/v1-rc1", "server.yml"), "", "", "!no stream of the policy fits"},
		{"another workflow", workload(gate.GitHub, "refs/tags/server/v1", "evil.yml"), "", "", "!no stream of the policy fits"},
		{"workflow of another repository", gate.Workload{
			Kind: gate.GitHub, RepositoryName: "acme/widget", Ref: "refs/tags/server/v1", Workflow: "evil/widget/.github/workflows/server.yml",
		}, "", "", "!no stream of the policy fits"},
		{"attack 18: another job of the workflow", workload(gate.GitHub, "refs/tags/server/v1", "server.yml"), "build", "", "!no stream of the policy fits"},
		{"another job", workload(gate.GitLab, "refs/tags/server/v1", "server.yml"), "build", "", "!no stream of the policy fits"},
		{"no job", workload(gate.GitLab, "refs/tags/server/v1", "server.yml"), "", "", "!no stream of the policy fits"},
		{"attack 22: a branch named like a tag", workload(gate.GitHub, "refs/heads/server/v1", "server.yml"), "", "", "!no stream of the policy fits"},
		{"two fit", workload(gate.GitHub, "refs/tags/client/v1-beta", "client.yml"), "client", "", "!several streams"},
		{"three fit", workload(gate.GitHub, "refs/heads/main", "client.yml"), "client", "", "!several streams"},
	} {
		p := parse(t, monorepo, row.w.Kind)
		got, err := policy.Choose(p, row.w, gate.RunFacts{Job: row.job}, row.name)
		says, refused := strings.CutPrefix(row.want, "!")
		switch {
		case !refused && (err != nil || got.Name != row.want):
			t.Errorf("%s: got %q, %v; want %q", row.what, got.Name, err, row.want)
		case refused && (gate.CodeOf(err) != gate.CodeStreamUnknown || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "client-beta")):
			t.Errorf("%s: got %q, %v; want a refusal that says %q and names the streams", row.what, got.Name, err, says)
		}
	}
}

const signing = "acme/ci/.github/workflows/sign.yml"

const reusable = `version: 1
releases:
  - {name: plain, workflow: release.yml}
  - {name: pinned, workflow: release.yml, uses: ` + signing + "@" + commit + `}
  - {name: any, uses: acme/ci/.github/workflows/other.yml@` + commit + `}
  - {name: its-job, workflow: jobs.yml, job: publish}
  - {name: its-jobs, workflow: jobs.yml}
  - {name: one-job, uses: acme/ci/.github/workflows/jobs.yml@` + commit + `, job: sign}
`

// Attack 18: which reusable workflow a job runs in, and at which commit, chooses its stream.
func TestChooseReusable(t *testing.T) {
	p := parse(t, reusable, gate.GitHub)
	other := strings.Repeat("0", 40)
	for _, row := range []struct {
		what, workflow, job, at, name string
		want                          string
	}{
		{"the workflow itself", "release.yml", "acme/widget/.github/workflows/release.yml@refs/tags/v1", other, "sign", "plain"},
		{"a pinned one before a plain one", "release.yml", signing + "@" + commit, commit, "call / sign", "pinned"},
		{"a job before any", "jobs.yml", "acme/widget/.github/workflows/jobs.yml@refs/tags/v1", other, "publish", "its-job"},
		{"any other job", "jobs.yml", "acme/widget/.github/workflows/jobs.yml@refs/tags/v1", other, "build", "its-jobs"},
		{"called by a tag of that commit", "release.yml", signing + "@refs/tags/v1", commit, "call / sign", "pinned"},
		{"a forge that tells no commit", "release.yml", signing + "@" + commit, "", "call / sign", "pinned"},
		{"another caller", "nightly.yml", signing + "@" + commit, commit, "call / sign", "!nightly.yml with " + signing},
		{"any caller", "nightly.yml", "acme/ci/.github/workflows/other.yml@" + commit, commit, "call / sign", "any"},
		{"another commit, any caller", "nightly.yml", "acme/ci/.github/workflows/other.yml@" + commit, other, "call / sign", "!with acme/ci/.github/workflows/other.yml@" + other},
		{"another repository's", "nightly.yml", "evil/ci/.github/workflows/other.yml@" + commit, commit, "call / sign", "!no stream of the policy fits"},
		{"its job", "nightly.yml", "acme/ci/.github/workflows/jobs.yml@" + commit, commit, "call / sign", "one-job"},
		{"another of its jobs", "nightly.yml", "acme/ci/.github/workflows/jobs.yml@" + commit, commit, "call / build", "!job call / build of"},
	} {
		w := workload(gate.GitHub, "refs/tags/v1", row.workflow)
		w.JobWorkflow, w.JobWorkflowCommit = row.job, row.at
		got, err := policy.Choose(p, w, gate.RunFacts{Job: row.name}, "")
		says, refused := strings.CutPrefix(row.want, "!")
		switch {
		case !refused && (err != nil || got.Name != row.want):
			t.Errorf("%s: got %q, %v; want %q", row.what, got.Name, err, row.want)
		case refused && (gate.CodeOf(err) != gate.CodeStreamUnknown || !strings.Contains(err.Error(), says)):
			t.Errorf("%s: got %q, %v; want a refusal that says %q", row.what, got.Name, err, says)
		}
	}
}

func TestNeeds(t *testing.T) {
	p := parse(t, monorepo, gate.GitHub)
	ana := gate.Account{ID: gate.AccountID{Forge: "github", ID: 1}}
	bo := gate.Account{ID: gate.AccountID{Forge: "github", ID: 2}}
	first, second := gate.CommentRef{ID: 1}, gate.CommentRef{ID: 2}
	got := policy.Needs(p.Streams[0], gate.Request{ID: "r1"}, []string{commit, "", commit}, []gate.Approval{
		{Request: "r1", Verb: gate.VerbApprove, By: ana, Source: first},
		{Request: "r1", Verb: gate.VerbDeny, By: bo, Source: second},
		{Request: "r1", Verb: gate.VerbApprove, By: ana, Source: first},
		{Request: "r2", Verb: gate.VerbApprove, By: gate.Account{ID: gate.AccountID{ID: 3}}, Source: gate.CommentRef{ID: 3}},
	})
	want := gate.Needs{
		Branches: p.Streams[0].Branches, Since: []string{commit}, Paths: true, Candidates: true,
		Comments: []gate.CommentRef{first, second}, Accounts: []gate.AccountID{ana.ID, bo.ID},
	}
	if spell(got.Branches) != spell(want.Branches) {
		t.Errorf("branches %s", spell(got.Branches))
	}
	got.Branches, want.Branches = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	if n := policy.Needs(p.Streams[1], gate.Request{}, nil, nil); n.Paths {
		t.Error("paths are read though no stream asks for them")
	}
}

func TestNeedsOfWhatAStreamAsks(t *testing.T) {
	s := gate.Stream{
		Checks: []string{"build"}, Owners: true, ReviewsCount: true,
		Approvals: []gate.ApprovalGroup{{Teams: []string{"security"}}, {Teams: []string{"acme/ops", "security"}}},
	}
	got := policy.Needs(s, gate.Request{}, nil, nil)
	want := gate.Needs{
		Paths: true, Candidates: true, Teams: []string{"security", "acme/ops"}, Checks: []string{"build"}, Owners: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	for _, row := range []struct {
		counts bool
		bind   gate.Bind
		spared bool
	}{{true, gate.BindRequest, false}, {false, gate.BindRequest, true}, {false, gate.BindCommit, false}, {true, gate.BindCommit, false}} {
		if n := policy.Needs(gate.Stream{ReviewsCount: row.counts, Bind: row.bind}, gate.Request{}, nil, nil); n.NoReviews != row.spared {
			t.Errorf("reviews count %t, bind %s: reviews are spared: %t", row.counts, row.bind, n.NoReviews)
		}
	}
}
