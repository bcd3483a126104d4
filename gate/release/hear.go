package release

import (
	"context"
	"fmt"
	"strings"
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
		return true, g.Store.DeferDelivery(ctx, d, g.Now().Add(2*time.Second), err.Error())
	}
	if err != nil {
		return true, fmt.Errorf("hear delivery %s of %s: %w", d.ID, d.Forge, err)
	}
	return true, g.Store.FinishDelivery(ctx, d, heard)
}

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
		heard.DueRepositories = append(heard.DueRepositories, r.Repository)
		if r.Comment == nil {
			continue
		}
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
		return nil
	}
	heard.Posts = append(heard.Posts, g.react(c.Ref, "eyes"))
	rec, why, err := g.addressed(ctx, c, cmd.Code)
	if err != nil {
		return err
	}
	switch {
	case why != "":
		g.refuse(c, why, heard)
	case cmd.Verb == gate.VerbApprove, cmd.Verb == gate.VerbDeny && cmd.Text != "":
		heard.Approvals = append(heard.Approvals, g.statementOf(rec, c, cmd))
		heard.DueRequests = append(heard.DueRequests, rec.Request.ID)
	case cmd.Verb == gate.VerbDeny:
		g.refuse(c, "a denial needs a reason: `/countersign deny` and, on the same line, why", heard)
	default:
		g.refuse(c, fmt.Sprintf("`/countersign %s` is not available yet; approve and deny are", cmd.Verb), heard)
	}
	return nil
}

// addressed finds the request that a command means: the one open in the thread
// when the comment was made, or the one whose code it names. The second result
// says why there is none.
func (g *Gate) addressed(ctx context.Context, c gate.Comment, code string) (gate.Record, string, error) {
	all, err := g.Store.OpenRequests(ctx, c.Ref.Repository)
	if err != nil {
		return gate.Record{}, "", err
	}
	var here []gate.Record
	for _, rec := range all {
		if rec.Thread == (gate.Thread{}) {
			// Where this request is talked about is not known yet: the command is parked
			// until it is, or it might miss its request.
			return gate.Record{}, "", &gate.Error{
				Kind: gate.Unavailable, Code: gate.CodeRequestUnknown,
				Text: "request " + rec.Request.ID + " has no thread yet",
			}
		}
		// Forges tell a comment's time in whole seconds.
		if rec.Thread == c.Ref.Thread && !c.Created.Before(rec.Request.Created.Truncate(time.Second)) {
			here = append(here, rec)
		}
	}
	return choose(here, code)
}

func choose(here []gate.Record, code string) (gate.Record, string, error) {
	if code == "" && len(here) == 1 {
		return here[0], "", nil
	}
	var codes []string
	for _, rec := range here {
		if code != "" && strings.EqualFold(rec.Request.Code, code) {
			return rec, "", nil
		}
		codes = append(codes, rec.Request.Code)
	}
	switch {
	case len(here) == 0:
		return gate.Record{}, "no release of this thread was waiting when this was written", nil
	case code != "":
		return gate.Record{}, "no waiting release has this code; there is " + strings.Join(codes, ", "), nil
	}
	return gate.Record{}, "several releases wait here: name one by its code, " + strings.Join(codes, ", "), nil
}

func (g *Gate) statementOf(rec gate.Record, c gate.Comment, cmd comment.Command) gate.Approval {
	r := rec.Request
	return gate.Approval{
		ID: g.NewID(), Request: r.ID, Verb: cmd.Verb, By: c.Author, Source: c.Ref,
		BodyHash: gate.SHA256([]byte(c.Body)), Created: c.Created,
		Commit: r.Commit, TagObject: earlier(rec).TagObject,
		ManifestDigest: r.Manifest.Digest(), PolicyDigest: r.PolicyDigest, Reason: cmd.Text,
	}
}

func (g *Gate) react(ref gate.CommentRef, reaction string) gate.Post {
	return gate.Post{
		ID: g.NewID(), Repository: ref.Repository, Target: gate.PostReaction, Thread: ref.Thread,
		Key: fmt.Sprintf("%s/%d/%s", ref.Repository, ref.ID, reaction), Comment: ref, Reaction: reaction, Made: g.Now(),
	}
}

// refuse answers a command that nothing can be done with.
func (g *Gate) refuse(c gate.Comment, why string, heard *gate.Heard) {
	heard.Posts = append(heard.Posts, g.react(c.Ref, "confused"), gate.Post{
		ID: g.NewID(), Repository: c.Ref.Repository, Target: gate.PostReply, Thread: c.Ref.Thread,
		Key: fmt.Sprintf("reply/%s/%d", c.Ref.Repository, c.Ref.ID), Comment: c.Ref, Body: why, Made: g.Now(),
	})
}
