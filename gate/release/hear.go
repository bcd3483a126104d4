package release

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/comment"
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
		if r.Comment == nil {
			heard.DueRepositories = append(heard.DueRepositories, r.Repository)
			continue
		}
		// A new comment changes nothing but through its command: talk in a busy
		// repository must not have every open request read the forge again.
		if err := g.hearComment(ctx, port, *r.Comment, &heard); err != nil {
			return gate.Heard{}, err
		}
	}
	return heard, nil
}

// hearComment reads the comment itself and acts on its command.
func (g *Gate) hearComment(ctx context.Context, port Port, ref gate.CommentRef, heard *gate.Heard) error {
	fact := port.Comment(ctx, ref)
	c, ok := fact.Get()
	switch {
	case fact.IsAbsent():
		return nil
	case !ok:
		return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeCommentUnreadable, Text: "comment not read: " + fact.Why()}
	case !c.Author.Human || c.Edited || c.Hidden || c.ByMachine:
		return nil
	}
	cmd, ok := comment.Parse(c.Body)
	if !ok {
		if hint, near := comment.Hint(c.Body); near {
			g.refuse(ctx, c, hint, heard)
		}
		return nil
	}
	heard.Posts = append(heard.Posts, g.react(c.Ref, "eyes"))
	rec, why, err := g.addressed(ctx, c, cmd.Code)
	if err != nil {
		return err
	}
	switch {
	case why != "":
		g.refuse(ctx, c, why, heard)
	case cmd.Verb == gate.VerbApprove, cmd.Verb == gate.VerbDeny && cmd.Text != "":
		heard.Approvals = append(heard.Approvals, g.statementOf(rec, c, cmd))
		heard.DueRequests = append(heard.DueRequests, rec.Request.ID)
	case cmd.Verb == gate.VerbDeny:
		g.refuse(ctx, c, "a denial needs a reason: `/countersign deny` and, on the same line, why", heard)
	default:
		g.refuse(ctx, c, fmt.Sprintf("`/countersign %s` is not available yet; approve and deny are", cmd.Verb), heard)
	}
	return nil
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
	heard.Posts = append(heard.Posts, g.react(c.Ref, "confused"))
	if g.hasSay(ctx, c) {
		heard.Posts = append(heard.Posts, g.reply(c.Ref, why))
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
