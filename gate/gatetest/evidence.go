package gatetest

import (
	"time"

	"github.com/countersign/countersign/gate"
)

const approvalBody = "/countersign approve"

func comment() gate.CommentRef {
	return gate.CommentRef{Repository: Repository(), Thread: gate.Thread{Number: 412}, ID: 5001}
}

func (r release) evidence() gate.Evidence {
	write := func(a gate.Account) gate.Member {
		return gate.Member{Account: a, Role: gate.RoleWrite, Active: true}
	}
	return gate.Evidence{
		ReadAt: r.at.Add(-r.age),
		Repository: gate.Known(gate.RepositoryFacts{
			ID: Repository(), Owner: Acme(), FullName: "acme/app", DefaultBranch: "main",
			URL: "https://github.example/acme/app",
		}),
		Ref:           gate.Known(gate.RefFacts{Ref: Ref, Commit: Commit, Tagger: gate.Absent[gate.Account]("lightweight tag")}),
		Commit:        gate.Known(mergeCommit()),
		Branch:        gate.Known(gate.BranchFacts{Name: "main", Head: Commit, Protection: gate.Known(protection())}),
		TagProtection: gate.Absent[gate.Protection]("no rule applies"),
		Changes:       gate.Known([]gate.Change{r.change()}),
		Comments: map[gate.CommentRef]gate.Fact[gate.Comment]{
			comment(): gate.Known(gate.Comment{
				Ref: comment(), Author: Bo(), Body: approvalBody, Created: r.at.Add(-time.Minute),
			}),
		},
		Roles: map[gate.AccountID]gate.Fact[gate.Member]{
			Ana().ID: gate.Known(write(Ana())),
			Bo().ID:  gate.Known(write(Bo())),
		},
		Candidates: gate.Known([]gate.Member{write(Ana()), write(Bo())}),
	}
}

// mergeCommit is what the forge made of change #412.
func mergeCommit() gate.Commit {
	return gate.Commit{
		SHA: Commit, Parents: []string{Baseline, Head}, Title: "Merge pull request #412", ByForge: true,
		People: []gate.Person{{Part: gate.PartAuthor, Account: gate.Known(Ana()), Name: "Ana"}},
	}
}

func (r release) change() gate.Change {
	merged := r.at.Add(-2 * time.Hour)
	return gate.Change{
		Number: 412, Title: "Teach the parser tabs", URL: "https://github.example/acme/app/pull/412",
		Head: Head, MergeCommit: Commit, MergedAt: merged, Opener: gate.Known(Ana()),
		Commits: []gate.Commit{
			{
				SHA: Head, Parents: []string{Baseline}, Title: "Teach the parser tabs",
				People: []gate.Person{
					{Part: gate.PartAuthor, Account: gate.Known(Ana()), Name: "Ana"},
					{Part: gate.PartCommitter, Account: gate.Known(Ana()), Name: "Ana"},
				},
			},
			mergeCommit(),
		},
		Pushers: gate.Known([]gate.Account{Ana()}),
		Reviews: gate.Known([]gate.Review{{
			By: Bo(), Approved: true, Commit: Head, At: merged.Add(-time.Minute), Role: gate.Known(gate.RoleWrite),
		}}),
		Paths: gate.Known([]string{"parser/parser.go"}),
	}
}

func protection() gate.Protection {
	return gate.Protection{
		Ref: "refs/heads/main", Sources: []string{"classic"}, Reviews: gate.Known(1),
		ForcePush: gate.Known(false), Deletion: gate.Known(false), AdminsEnforced: gate.Known(true),
		Push:   gate.Known([]string{"nobody"}),
		Bypass: gate.Unknown[[]string]("only administrators may read it"),
		Rules:  []string{"pull_request"},
	}
}
