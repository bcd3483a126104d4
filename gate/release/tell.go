package release

import (
	"cmp"
	"context"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/voice"
)

// tell makes the posts for a record that a decision left in state to. before is the
// decision in effect until then: reactions answer only what is new since.
//
// A grant is signed in the same breath, so only what answers people is said of it: what
// the signing came to follows at once.
func (g *Gate) tell(ctx context.Context, rec gate.Record, before, d gate.Decision, to gate.State, thread gate.Thread, c gate.Case) []gate.Post {
	answers := g.answers(before, d, c.Evidence)
	if to == gate.StateGranted {
		return answers
	}
	v := g.viewOf(rec, d, to, c)
	v.Several = to == gate.StateWaiting && g.several(ctx, rec, thread)
	// What is signed was granted, and a grant knows every change.
	changesRead := c.Evidence.Changes.IsKnown() || to == gate.StateSigned
	return slices.Concat(g.state(rec, v, thread, changesRead), g.leaves(ctx, v), g.resumes(v, thread, c), answers)
}

// state shows where the request is: as a check run on GitHub, which is also what a branch
// or an environment can require, and as a commit status on GitLab; in the sticky comment;
// and, once it is known that no PR or MR made the commit, in a release issue.
func (g *Gate) state(rec gate.Record, v voice.View, thread gate.Thread, changesRead bool) []gate.Post {
	base := gate.Post{
		Request: rec.Request.ID, Repository: rec.Request.Repository, Commit: rec.Request.Commit,
		Context: "countersign/" + rec.Request.Stream, URL: v.ReleaseURL, Thread: thread, Made: g.Now(),
	}
	posts := []gate.Post{g.sticky(base, v)}
	if v.Kind == gate.GitHub {
		posts = append(posts, g.check(base, v))
	} else {
		posts = append(posts, g.status(base, v))
	}
	if thread == (gate.Thread{}) && changesRead {
		posts = append(posts, g.openThread(base, v))
	}
	return posts
}

// several reports whether commands in the thread need a code. Where that cannot be
// looked up the comment still shows the code, as it always does.
func (g *Gate) several(ctx context.Context, rec gate.Record, thread gate.Thread) bool {
	if thread == (gate.Thread{}) {
		return false
	}
	open, err := g.Store.OpenRequests(ctx, rec.Request.Repository)
	if err != nil {
		g.Log.WarnContext(ctx, "other requests of the thread not looked up", "request", rec.Request.ID, "error", err)
		return false
	}
	return slices.ContainsFunc(open, func(o gate.Record) bool {
		return o.Thread == thread && o.Request.ID != rec.Request.ID && !done(o.State)
	})
}

// viewOf is the record as it is told. The case may be the zero case: what it adds is known
// from a judgement alone.
func (g *Gate) viewOf(rec gate.Record, d gate.Decision, to gate.State, c gate.Case) voice.View {
	r := rec.Request
	port := g.Forges[r.Repository.Forge]
	repo, ok := c.Evidence.Repository.Get()
	if !ok {
		repo.URL = port.page(r.RepositoryName)
	}
	return voice.View{
		Request: r, State: to, Decision: d, Kind: r.Workload.Kind,
		CompareURL: port.compareURL(r.RepositoryName, d.Since, r.Commit),
		ReleaseURL: g.URL(r.ID), RepositoryURL: repo.URL, Server: g.Server.String(), Sealing: rec.Sealing,
	}
}

// status is keyed by what forges key it by, so that a later attempt's replaces it.
func (g *Gate) status(p gate.Post, v voice.View) gate.Post {
	p.ID, p.Target = g.NewID(), gate.PostStatus
	p.Key = p.Commit + "/" + p.Context
	p.State, p.Title = voice.Status(v)
	return p
}

func (g *Gate) check(p gate.Post, v voice.View) gate.Post {
	p.ID, p.Target, p.Key = g.NewID(), gate.PostCheck, p.Request
	p.State, p.Title, p.Body = voice.Check(v)
	return p
}

func (g *Gate) sticky(p gate.Post, v voice.View) gate.Post {
	p.ID, p.Target, p.Key = g.NewID(), gate.PostComment, p.Request
	p.Body = voice.Comment(v)
	return p
}

// openThread asks for the release issue of a commit that no PR or MR made: one per
// commit, a comment per request.
func (g *Gate) openThread(p gate.Post, v voice.View) gate.Post {
	p.ID, p.Target, p.Key = g.NewID(), gate.PostThread, p.Commit
	p.Title, p.Body = voice.Thread(v)
	return p
}

// answers are the reactions to statements that were judged for the first time, or otherwise
// than before: counted, not counted, or, where that cannot be told yet, seen.
func (g *Gate) answers(before, d gate.Decision, e gate.Evidence) []gate.Post {
	var out []gate.Post
	was := reactions(before)
	for id, now := range reactions(d) {
		if was[id].name == now.name || now.Source.ID == 0 { // a review before the merge has no comment
			continue
		}
		out = append(out, g.react(now.Source, now.name))
	}
	slices.SortFunc(out, func(a, b gate.Post) int { return cmp.Compare(a.Key, b.Key) })
	for _, i := range d.Ignored {
		if was[i.Approval.ID].name != notCounted && !i.Unread && i.Approval.Source.ID != 0 {
			out = append(out, g.refusal(i, e)...)
		}
	}
	return out
}

// Reactions, in GitHub's words.
const (
	seen       = "eyes" // and not judged yet
	counted    = "rocket"
	notCounted = "confused"
)

type reaction struct {
	gate.Approval

	name string
}

// reactions are what a decision answers to each statement, by the statement's id.
func reactions(d gate.Decision) map[string]reaction {
	out := map[string]reaction{}
	for _, a := range slices.Concat(d.Counted, d.Heeded) {
		out[a.ID] = reaction{a, counted}
	}
	for _, i := range d.Ignored {
		out[i.Approval.ID] = reaction{i.Approval, notCounted}
		if i.Unread {
			out[i.Approval.ID] = reaction{i.Approval, seen}
		}
	}
	return out
}

// refusal tells somebody with write why their statement does not count. Outsiders get
// the reaction alone: nobody makes the gate talk who has no say here.
func (g *Gate) refusal(i gate.Ignored, e gate.Evidence) []gate.Post {
	a := i.Approval
	if m, _ := e.Roles[a.By.ID].Get(); m.Role < gate.RoleWrite {
		return nil
	}
	return []gate.Post{g.reply(a.Source, voice.Refusal(i))}
}
