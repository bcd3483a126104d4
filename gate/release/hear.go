package release

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/comment"
	"github.com/countersign/countersign/gate/voice"
)

// HearNext works one delivery off the inbox. It reports whether there was one.
func (g *Gate) HearNext(ctx context.Context) (bool, error) {
	d, ok, err := g.Store.ClaimDelivery(ctx, g.Owner, hearLease)
	if err != nil || !ok {
		return false, err
	}
	heard, err := g.hear(ctx, d)
	if gate.KindOf(err) == gate.Unavailable {
		return true, g.Store.DeferDelivery(ctx, d, g.Now().Add(parking(g.Now().Sub(d.Received))), err.Error())
	}
	if err != nil {
		return true, fmt.Errorf("hear delivery %s of %s: %w", d.ID, d.Forge, err)
	}
	return true, g.Store.FinishDelivery(ctx, d, heard)
}

// parking is how long a delivery of a given age waits for what it lacks: each try reads
// the forge, and what was not there after an hour is not there a second later.
func parking(age time.Duration) time.Duration { return min(max(age, hearRetry), hearRetryMost) }

// hear turns a delivery into what it leads to. A webhook is a doorbell: all that is
// taken from it is where to look.
func (g *Gate) hear(ctx context.Context, d gate.Delivery) (gate.Heard, error) {
	port, err := g.port(d.Forge)
	if err != nil {
		return gate.Heard{}, err
	}
	rings, err := port.Interpret(d)
	if err != nil {
		g.Log.WarnContext(ctx, "delivery not understood", "forge", string(d.Forge), "event", d.Event, "error", err)
		return gate.Heard{}, nil
	}
	var heard gate.Heard
	for _, r := range rings {
		switch {
		// A new comment changes nothing but through its command: talk in a busy
		// repository must not have every open request read the forge again.
		case r.Comment != nil:
			err = g.hearComment(ctx, port, *r.Comment, &heard)
		case r.Deployment != nil:
			err = g.hearDeployment(ctx, *r.Deployment, &heard)
		case r.Released != "":
			heard.Releases = append(heard.Releases, gate.ReleasePage{Repository: r.Repository, Ref: r.Released})
		case r.Change != 0:
			heard.Changes = append(heard.Changes, gate.ChangeRef{Repository: r.Repository, Number: r.Change})
			heard.DueRepositories = append(heard.DueRepositories, r.Repository)
		default:
			heard.DueRepositories = append(heard.DueRepositories, r.Repository)
		}
		if err != nil {
			return gate.Heard{}, err
		}
	}
	return heard, nil
}

// hearComment reads the comment itself and acts on its command.
func (g *Gate) hearComment(ctx context.Context, port Port, ref gate.CommentRef, heard *gate.Heard) error {
	fact := port.glance(ctx, ref)
	c, ok := fact.Get()
	switch {
	case fact.IsAbsent():
		return nil
	case !ok:
		return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeCommentUnreadable, Text: "comment not read: " + fact.Why()}
	case !speaks(c):
		return nil
	}
	if !strings.Contains(c.Body, "/") {
		return nil // a word with a slash starts every command
	}
	aliases := g.aliases(ctx, c.Ref.Repository)
	cmd, ok := comment.Parse(c.Body, aliases...)
	if !ok {
		if hint, near := comment.Hint(c.Body, aliases...); near {
			g.refuse(ctx, c, hint, heard)
		}
		return nil
	}
	return g.obey(ctx, c, cmd, heard)
}

// glance reads a comment for as little as it takes. What touched it without changing its
// body looks like an edit at a glance: that is read in full.
func (p Port) glance(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	if p.Glancer != nil {
		fact := p.Glancer.Glance(ctx, ref)
		if c, ok := fact.Get(); !ok || !c.Edited {
			return fact
		}
	}
	return p.Comment(ctx, ref)
}

// speaks reports whether a comment may hold a command: a person wrote it, and it is as
// they wrote it.
func speaks(c gate.Comment) bool { return c.Author.Human && !c.Edited && !c.Hidden && !c.ByMachine }

// obey does what a command says: it becomes a statement, or an answer.
func (g *Gate) obey(ctx context.Context, c gate.Comment, cmd comment.Command, heard *gate.Heard) error {
	if cmd.Verb == gate.VerbHelp {
		g.answer(ctx, c, voice.Help(), heard)
		return nil
	}
	rec, why, err := g.addressed(ctx, c, cmd)
	switch {
	case err != nil:
		return err
	case why != "":
		g.refuse(ctx, c, why, heard)
	case cmd.Verb == gate.VerbDeny && cmd.Text == "":
		g.refuse(ctx, c, "a denial needs a reason: `/countersign deny` and, on the same line, why", heard)
	case cmd.Verb == gate.VerbStatus:
		g.answer(ctx, c, voice.Report(g.viewOf(rec, earlier(rec), rec.State, gate.Case{})), heard)
	case cmd.Verb == gate.VerbRetry:
		heard.DueRequests = append(heard.DueRequests, rec.Request.ID)
		g.answer(ctx, c, "Everything is read and judged again now.", heard)
	default:
		heard.Approvals = append(heard.Approvals, g.statementOf(rec, c, cmd))
		heard.DueRequests = append(heard.DueRequests, rec.Request.ID)
	}
	return nil
}

// aliases are the repository's own spellings of approve. Where its policy cannot be
// looked up there are none: a command in full always works.
func (g *Gate) aliases(ctx context.Context, r gate.RepositoryID) []string {
	adopted, err := g.Store.InForce(ctx, r)
	if err != nil {
		return nil
	}
	p, err := g.compile(adopted)
	if err != nil {
		return nil
	}
	return p.Aliases
}

func (g *Gate) statementOf(rec gate.Record, c gate.Comment, cmd comment.Command) gate.Approval {
	r := rec.Request
	return gate.Approval{
		ID: g.NewID(), Request: r.ID, Verb: cmd.Verb, By: c.Author, Source: c.Ref,
		BodyHash: gate.SHA256([]byte(c.Body)), Created: c.Created,
		Commit: r.Commit, TagObject: earlier(rec).TagObject, // addressed saw to it that it was read
		ManifestDigest: r.Manifest.Digest(), PolicyDigest: r.PolicyDigest, Reason: cmd.Text,
	}
}

func (g *Gate) react(ref gate.CommentRef, reaction string) gate.Post {
	return gate.Post{
		ID: g.NewID(), Repository: ref.Repository, Target: gate.PostReaction, Thread: ref.Thread,
		Key: fmt.Sprintf("%s/%d/%s", ref.Repository, ref.ID, reaction), Comment: ref, Reaction: reaction, Made: g.Now(),
	}
}

// refuse answers a command that nothing can be done with: by a reaction, and in words
// where its writer has a say in the repository.
func (g *Gate) refuse(ctx context.Context, c gate.Comment, why string, heard *gate.Heard) {
	heard.Posts = append(heard.Posts, g.react(c.Ref, notCounted))
	g.answer(ctx, c, why, heard)
}

// answer says something to whoever has a say in the repository.
func (g *Gate) answer(ctx context.Context, c gate.Comment, words string, heard *gate.Heard) {
	if g.hasSay(ctx, c) {
		heard.Posts = append(heard.Posts, g.reply(c.Ref, words))
	}
}

// hasSay reports whether the comment's author was among those who may approve when a
// release of the repository was last judged. Where that cannot be told they get the
// reaction alone: outsiders could otherwise make the gate fill a thread.
func (g *Gate) hasSay(ctx context.Context, c gate.Comment) bool {
	recent, err := g.Store.RecentOf(ctx, c.Ref.Repository)
	if err != nil {
		g.Log.WarnContext(ctx, "who may approve is not known", "repository", c.Ref.Repository.String(), "error", err)
		return false
	}
	for _, rec := range recent {
		d := earlier(rec)
		for _, a := range d.CanApprove {
			if a.ID == c.Author.ID {
				return true
			}
		}
		for _, x := range d.CannotApprove {
			if x.Account.ID == c.Author.ID {
				return true
			}
		}
	}
	return false
}

// reply answers a comment once, in one line.
func (g *Gate) reply(ref gate.CommentRef, why string) gate.Post {
	return gate.Post{
		ID: g.NewID(), Repository: ref.Repository, Target: gate.PostReply, Thread: ref.Thread,
		Key: fmt.Sprintf("reply/%s/%d", ref.Repository, ref.ID), Comment: ref, Body: why, Made: g.Now(),
	}
}
