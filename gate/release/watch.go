package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

const (
	watchEvery = 10 * time.Minute // a repository whose policy nothing rang for
	watchLease = 2 * time.Minute
)

// WatchNext looks at one repository for a newer version of its policy and puts it in
// force once somebody who did not write it covered it and the cool-down passed (attack
// 76). Until then the older one judges. It reports whether there was one to look at.
func (g *Gate) WatchNext(ctx context.Context) (bool, error) {
	w, ok, err := g.Store.ClaimWatched(ctx, g.Owner, watchEvery, watchLease)
	if err != nil || !ok {
		return false, err
	}
	r := w.Adoption.Repository
	p, newer, err := g.propose(ctx, w)
	if err != nil {
		// What was known stays known; it is looked at again.
		g.Log.WarnContext(ctx, "policy not looked at", "repository", r.String(), "error", err)
		return true, g.Store.RecordWatched(ctx, r, w.Proposal)
	}
	if newer == nil && p.Why != w.Proposal.Why && p.Why != "" {
		g.Log.InfoContext(ctx, "newer policy waits", "repository", r.String(), "commit", p.Commit, "why", p.Why)
	}
	if newer != nil {
		if err := g.Store.Adopt(ctx, *newer); err != nil {
			return true, fmt.Errorf("adopt the policy of %s: %w", r, err)
		}
		g.Log.InfoContext(ctx, "policy adopted", "repository", r.String(), "commit", newer.Commit, "by", newer.By)
		p = gate.Proposal{}
	}
	return true, g.Store.RecordWatched(ctx, r, p)
}

// propose says what a repository's newer policy waits for, or gives the adoption that
// puts it in force. The zero proposal means that there is none.
func (g *Gate) propose(ctx context.Context, w gate.Watched) (gate.Proposal, *gate.Adoption, error) {
	port, err := g.port(w.Adoption.Repository.Forge)
	if err != nil {
		return gate.Proposal{}, nil, err
	}
	file, err := port.PolicyFile(ctx, w.Adoption.Repository)
	if gate.CodeOf(err) == gate.CodePolicyMissing {
		// Asking is refused until it is back.
		return gate.Proposal{Repository: w.Adoption.Repository, Gone: true, Why: ".countersign.yaml is gone from the default branch"}, nil, nil
	}
	if err != nil {
		return gate.Proposal{}, nil, err
	}
	digest := gate.SHA256(file.Content)
	if digest == gate.SHA256(w.Adoption.File) {
		return gate.Proposal{}, nil, nil
	}
	p := w.Proposal
	if p.Digest != digest {
		p = gate.Proposal{Repository: w.Adoption.Repository, Digest: digest, Seen: g.Now()}
	}
	p.Commit = file.Commit
	read, err := policy.Parse(file.Content, g.origin(port.Kind, file))
	if err != nil {
		p.Covered, p.By, p.Why = time.Time{}, nil, "it does not read: "+firstLine(err)
		return p, nil, nil
	}
	p.By, p.Why = g.coverPolicy(ctx, port, w.Adoption, file)
	if p.Why != "" {
		p.Covered = time.Time{}
		return p, nil, nil
	}
	if p.Covered.IsZero() {
		p.Covered = g.Now()
	}
	if ready := p.Covered.Add(g.Cooldown); g.Now().Before(ready) {
		p.Why = fmt.Sprintf("%s reviewed it; it comes into force at %s", called(p.By), ready.UTC().Format(time.RFC3339))
		return p, nil, nil
	}
	return p, &gate.Adoption{
		ID: g.NewID(), Repository: w.Adoption.Repository, Name: file.Repository.FullName, Owner: file.Repository.Owner,
		File: file.Content, Commit: file.Commit, Baseline: w.Adoption.Baseline, DefaultBranch: file.Repository.DefaultBranch,
		Digest: read.Digest, By: "review by " + called(p.By), Public: !file.Repository.Private, At: g.Now(),
	}, nil
}

// coverPolicy reads who wrote and who reviewed the newer file.
func (g *Gate) coverPolicy(ctx context.Context, port Port, in gate.Adoption, file gate.PolicyFile) ([]gate.Account, string) {
	n := gate.Newcomer{Path: file.Path, Request: headOf(port, file, in.Owner)}
	n.Evidence = port.Evidence(ctx, n.Request, gate.Needs{
		Branches: []gate.Matcher{gate.Exactly(file.Repository.DefaultBranch)}, Since: []string{in.Commit}, Paths: true,
	})
	return n.Cover()
}

// headOf stands for the head of the default branch, where a policy file was read.
func headOf(port Port, file gate.PolicyFile, owner gate.AccountID) gate.Request {
	at := file.Repository
	return gate.Request{
		Repository: at.ID, RepositoryName: at.FullName, Owner: owner,
		Ref: "refs/heads/" + at.DefaultBranch, Commit: file.Commit,
		Workload: gate.Workload{Forge: at.ID.Forge, Kind: port.Kind, RepositoryName: at.FullName},
	}
}

// called lists people by login and number: the number is who they are.
func called(people []gate.Account) string {
	var out []string
	for _, a := range people {
		out = append(out, fmt.Sprintf("@%s (%s)", a.Login, a.ID))
	}
	return strings.Join(out, ", ")
}

// firstLine is an error's sentence, without the caret below it.
func firstLine(err error) string {
	text := err.Error()
	var e *gate.Error
	if errors.As(err, &e) {
		text = e.Text
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}
