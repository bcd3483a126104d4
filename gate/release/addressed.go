package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/comment"
)

// addressed finds the request that a command means: the one that was open in the
// thread when the comment was made, or the one whose code it names. The second result
// says why there is none. Errors of kind Unavailable park the command until it can
// be told.
func (g *Gate) addressed(ctx context.Context, c gate.Comment, cmd comment.Command) (gate.Record, string, error) {
	code := cmd.Code
	here, elsewhere, err := g.openAt(ctx, c)
	if err != nil {
		return gate.Record{}, "", err
	}
	rec, why := choose(here, code)
	switch {
	case why == "" && cmd.Verb == gate.VerbApprove && !tagRead(rec):
		return gate.Record{}, "", park(rec, "its ref is not read yet, and an approval binds to it")
	case why == "":
		return rec, "", nil
	}
	// Whoever meant none of those that show here may mean one that will.
	for _, rec := range elsewhere {
		if named(rec, code) || code == "" && len(here) == 0 {
			return gate.Record{}, "", park(rec, "its thread is not known yet")
		}
	}
	return gate.Record{}, why, nil
}

func park(rec gate.Record, why string) error {
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeRequestUnknown, Text: "request " + rec.Request.ID + ": " + why,
	}
}

// openAt lists the requests that were open in the comment's thread when it was made,
// those that ended since among them; and those that were open and that no thread is
// known of yet.
func (g *Gate) openAt(ctx context.Context, c gate.Comment) (here, elsewhere []gate.Record, err error) {
	open, err := g.Store.OpenRequests(ctx, c.Ref.Repository)
	if err != nil {
		return nil, nil, err
	}
	recent, err := g.Store.RecentOf(ctx, c.Ref.Repository)
	if err != nil {
		return nil, nil, err
	}
	for _, rec := range recent {
		if done(rec.State) && rec.Updated.After(c.Created) {
			open = append(open, rec)
		}
	}
	for _, rec := range open {
		switch {
		// Forges tell a comment's time in whole seconds.
		case c.Created.Before(rec.Request.Created.Truncate(time.Second)):
		case done(rec.State) && !rec.Updated.After(c.Created):
		case rec.Thread == c.Ref.Thread && !slices.ContainsFunc(here, same(rec)):
			here = append(here, rec)
		case rec.Thread == gate.Thread{} && !done(rec.State):
			elsewhere = append(elsewhere, rec)
		}
	}
	return here, elsewhere, nil
}

func same(rec gate.Record) func(gate.Record) bool {
	return func(o gate.Record) bool { return o.Request.ID == rec.Request.ID }
}

// done reports whether nobody's word changes anything any more.
func done(s gate.State) bool { return s.Ended() || s == gate.StateSigned }

// tagRead reports whether the decision on record knows which tag object, if any, the
// request's ref is: an approval that binds to what was not read would never count.
func tagRead(rec gate.Record) bool {
	ref, ok := earlier(rec).Check(gate.CheckRef)
	return ok && !ref.Unread
}

func named(rec gate.Record, code string) bool {
	return code != "" && strings.EqualFold(rec.Request.Code, code)
}

// choose picks the one request that a command can mean. With several it takes a code:
// also where all but one ended since, because nobody can tell which one was meant.
func choose(here []gate.Record, code string) (gate.Record, string) {
	var codes []string
	for _, rec := range here {
		meant := named(rec, code) || code == "" && len(here) == 1
		switch {
		case meant && done(rec.State):
			return gate.Record{}, fmt.Sprintf("the release is %s: nothing to say about it any more", rec.State)
		case meant:
			return rec, ""
		case !done(rec.State):
			codes = append(codes, rec.Request.Code)
		}
	}
	switch {
	case len(here) == 0:
		return gate.Record{}, "no release of this thread was waiting when this was written"
	case len(codes) == 0:
		return gate.Record{}, "no release of this thread waits any more"
	case code != "":
		return gate.Record{}, "no waiting release has this code; there is " + strings.Join(codes, ", ")
	}
	return gate.Record{}, "several releases waited here: name one by its code, " + strings.Join(codes, ", ")
}
