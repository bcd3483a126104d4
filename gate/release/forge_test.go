package release_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

const policyFile = `version: 1
releases:
  - name: stable
    workflow: release.yml
    job: sign
    branch: {min_reviews: 1}
  - name: nightly
    tags: [nightly-*]
    workflow: release.yml
    job: sign
    key: acme-release
`

// forge is a GitHub that holds one repository with the change of [gatetest.GrantedCase]
// and the comments that a test writes. Whatever it is told to, it keeps as forges do:
// by what identifies it there, so that telling it twice is telling it once.
type forge struct {
	now func() time.Time

	mu       sync.Mutex
	file     []byte // policy at the head of the default branch
	fileErr  error
	run      gate.RunFacts
	runErr   error
	unread   string // why nothing of the evidence can be read; "" where it can
	edit     func(gate.Request, *gate.Evidence)
	comments map[gate.CommentRef]gate.Comment
	silent   string // why no comment can be read
	roles    map[gate.AccountID]gate.Member
	postErr  func(gate.Post) error
	told     []gate.Post          // every call that succeeded, in order
	shown    map[string]gate.Post // what is there now
	read     int                  // how often evidence was read
	needs    gate.Needs           // of the last reading
	change   gate.PolicyChange    // what every PR makes of the policy
	assets   gate.Fact[[]gate.Asset]
}

func newForge(now func() time.Time) *forge {
	c, _ := gatetest.GrantedCase()
	f := &forge{
		now: now, file: []byte(policyFile), run: c.Request.Run,
		comments: map[gate.CommentRef]gate.Comment{}, shown: map[string]gate.Post{},
		roles: map[gate.AccountID]gate.Member{},
	}
	f.run.Actors = nil // the ID token names the actor
	f.member(gatetest.Ana(), gate.RoleWrite)
	f.member(gatetest.Bo(), gate.RoleWrite)
	return f
}

func (f *forge) member(who gate.Account, role gate.Role) {
	f.with(func() { f.roles[who.ID] = gate.Member{Account: who, Role: role, Active: true} })
}

// with changes the forge, whoever reads it meanwhile.
func (f *forge) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *forge) Run(context.Context, gate.Workload) (gate.RunFacts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.run, f.runErr
}

func (f *forge) PolicyFile(context.Context, gate.RepositoryID) (gate.PolicyFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return gate.PolicyFile{
		Repository: repositoryFacts(), Commit: gatetest.Baseline, Path: ".countersign.yaml", Content: f.file,
	}, f.fileErr
}

func (f *forge) PolicyChange(context.Context, gate.RepositoryID, int64) (gate.PolicyChange, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.change, nil
}

func repositoryFacts() gate.RepositoryFacts {
	c, _ := gatetest.GrantedCase()
	facts, _ := c.Evidence.Repository.Get()
	return facts
}

func (f *forge) Evidence(_ context.Context, r gate.Request, needs gate.Needs) gate.Evidence {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read++
	f.needs = needs
	if f.unread != "" {
		return gate.Evidence{ReadAt: f.now()}
	}
	c, _ := gatetest.GrantedCase(gatetest.At(f.now()))
	e := c.Evidence
	e.ReadAt = f.now()
	e.Comments = map[gate.CommentRef]gate.Fact[gate.Comment]{}
	for _, ref := range needs.Comments {
		e.Comments[ref] = f.comment(ref)
	}
	if needs.Thread != (gate.Thread{}) && f.silent == "" {
		var said []gate.Comment
		for _, ref := range slices.SortedFunc(maps.Keys(f.comments), func(a, b gate.CommentRef) int { return cmp.Compare(a.ID, b.ID) }) {
			if ref.Thread == needs.Thread && !f.comments[ref].Created.Before(needs.ThreadSince.Truncate(time.Second)) {
				said = append(said, f.comments[ref])
			}
		}
		e.Thread = gate.Known(said)
	}
	e.Roles = map[gate.AccountID]gate.Fact[gate.Member]{}
	for _, id := range needs.Accounts {
		e.Roles[id] = gate.Absent[gate.Member]("no member")
		if m, ok := f.roles[id]; ok {
			e.Roles[id] = gate.Known(m)
		}
	}
	if f.edit != nil {
		f.edit(r, &e)
	}
	return e
}

func (f *forge) comment(ref gate.CommentRef) gate.Fact[gate.Comment] {
	if f.silent != "" {
		return gate.Unknown[gate.Comment](f.silent)
	}
	if c, ok := f.comments[ref]; ok {
		return gate.Known(c)
	}
	return gate.Absent[gate.Comment]("deleted")
}

func (f *forge) Comment(_ context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.comment(ref)
}

// Post answers with an id of its own for each thing that is there.
func (f *forge) Post(_ context.Context, p gate.Post) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.postErr != nil {
		if err := f.postErr(p); err != nil {
			return "", err
		}
	}
	f.told = append(f.told, p)
	name := string(p.Target) + " " + p.Key
	f.shown[name] = p
	if p.Target == gate.PostThread {
		return "900", nil
	}
	return "id of " + name, nil
}

// Interpret reads a delivery that [world.ring] made.
func (f *forge) Interpret(d gate.Delivery) ([]gate.Ring, error) {
	var rings []gate.Ring
	if err := json.Unmarshal(d.Body, &rings); err != nil {
		return nil, fmt.Errorf("decode delivery %s: %w", d.ID, err)
	}
	return rings, nil
}

// latest is what is there now of a target; the forge shows one of it.
func (f *forge) latest(target gate.PostTarget) (gate.Post, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.told) - 1; i >= 0; i-- {
		if f.told[i].Target == target {
			return f.told[i], true
		}
	}
	return gate.Post{}, false
}

// reactions are those that a comment has, as a set.
func (f *forge) reactions(ref gate.CommentRef) map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]bool{}
	for p := range maps.Values(f.shown) {
		if p.Target == gate.PostReaction && p.Comment == ref {
			out[p.Reaction] = true
		}
	}
	return out
}

// replies are the answers to a comment.
func (f *forge) replies(ref gate.CommentRef) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, p := range f.told {
		if p.Target == gate.PostReply && p.Comment == ref {
			out = append(out, p.Body)
		}
	}
	return strings.Join(out, "\n")
}

// count is how often the forge was told something.
func (f *forge) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.told)
}

// unavailable is what an adapter says of a forge that does not answer.
func unavailable() error {
	return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeForgeUnavailable, Text: "the forge does not answer"}
}
