package github

import (
	"encoding/json"

	"github.com/countersign/countersign/gate"
)

// Interpret says where to look after a delivery. It is pure, and believes nothing of the
// payload but numbers. Comments of bots and the check runs that the gate posts itself
// ring nothing: they would ring for ever.
func (f *Forge) Interpret(d gate.Delivery) ([]gate.Ring, error) {
	p, err := parsePayload(d.Body)
	if err != nil {
		return nil, err
	}
	switch d.Event {
	case "issue_comment":
		return f.commentRings(p), nil
	case "check_run":
		if p.CheckRun != nil && p.Action == "rerequested" {
			return f.rings(p.CheckRun.HeadSHA, p.Repository), nil
		}
		return nil, nil
	case "workflow_run":
		if p.WorkflowRun != nil {
			return f.rings(p.WorkflowRun.HeadSHA, p.Repository), nil
		}
		return nil, nil
	case "push", "create", "delete", "pull_request_review", "branch_protection_rule",
		"branch_protection_configuration", "repository_ruleset", "member", "membership", "team", "team_add", "repository":
		return f.rings("", p.Repository), nil
	case "pull_request":
		return f.pullRings(p), nil
	case "release":
		return f.releaseRings(p), nil
	case "deployment_protection_rule":
		return f.deployRings(d, p)
	case "installation", "installation_repositories":
		var rings []gate.Ring
		for _, group := range [][]numbered{p.Repositories, p.RepositoriesAdded, p.RepositoriesRemoved} {
			for _, repo := range group {
				rings = append(rings, f.rings("", &repo)...)
			}
		}
		return rings, nil
	}
	return nil, nil
}

func (f *Forge) rings(commit string, repo *numbered) []gate.Ring {
	if repo == nil || repo.ID <= 0 {
		return nil
	}
	if !isSHA(commit) {
		commit = ""
	}
	return []gate.Ring{{Repository: f.repositoryID(repo.ID), Commit: commit}}
}

// pullRings names the pull request where what it would make of the policy may have changed:
// it is new or open again, its head moved, or it goes to another branch.
func (f *Forge) pullRings(p payload) []gate.Ring {
	rings := f.rings("", p.Repository)
	if len(rings) == 0 || p.Pull == nil || p.Pull.Number <= 0 {
		return rings
	}
	switch p.Action {
	case "opened", "reopened", "synchronize":
		rings[0].Change = p.Pull.Number
	case "edited":
		var changes struct {
			Base json.RawMessage `json:"base"`
		}
		if json.Unmarshal(p.Changes, &changes) == nil && len(changes.Base) > 0 {
			rings[0].Change = p.Pull.Number
		}
	}
	return rings
}

func (f *Forge) commentRings(p payload) []gate.Ring {
	rings := f.rings("", p.Repository)
	if len(rings) == 0 || p.Issue == nil || p.Issue.Number <= 0 || p.Comment == nil || p.Comment.ID <= 0 {
		return nil
	}
	if p.Comment.User != nil && p.Comment.User.Type == "Bot" {
		return nil
	}
	if p.Action == "created" {
		rings[0].Comment = &gate.CommentRef{
			Repository: rings[0].Repository, ID: p.Comment.ID,
			Thread: gate.Thread{Number: p.Issue.Number, Issue: len(p.Issue.Pull) == 0 || string(p.Issue.Pull) == "null"},
		}
	}
	return rings
}

// releaseRings names the release page that changed. Editing it rings nothing else.
func (f *Forge) releaseRings(p payload) []gate.Ring {
	rings := f.rings("", p.Repository)
	if len(rings) == 0 || p.Release == nil || p.Release.Tag == "" {
		return nil
	}
	rings[0].Released = "refs/tags/" + p.Release.Tag
	return rings
}
