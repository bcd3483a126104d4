package release

import (
	"context"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/comment"
)

// unheard looks through the comments of a request's thread for statements whose delivery
// was lost, a denial among them (attack 60), and stores them as if it had come. It
// reports whether there were any.
//
// What was said to a person's face is not repeated: hints and answers go out only
// where a delivery came.
func (g *Gate) unheard(ctx context.Context, rec gate.Record, known []gate.Approval, e gate.Evidence) (bool, error) {
	comments, _ := e.Thread.Get()
	var heard gate.Heard
	for _, c := range comments {
		if !speaks(c) || slices.ContainsFunc(known, func(a gate.Approval) bool { return a.Source == c.Ref }) {
			continue
		}
		cmd, ok := comment.Parse(c.Body, g.aliases(ctx, c)...)
		if !ok || !states(cmd) {
			continue
		}
		meant, why, err := g.addressed(ctx, c, cmd)
		if gate.KindOf(err) == gate.Unavailable || why != "" || meant.Request.ID != rec.Request.ID {
			continue // not this request's, or not yet
		}
		if err != nil {
			return false, err
		}
		heard.Approvals = append(heard.Approvals, g.statementOf(meant, c, cmd))
		heard.Posts = append(heard.Posts, g.react(c.Ref, "eyes"))
	}
	if len(heard.Approvals) == 0 {
		return false, nil
	}
	g.Log.WarnContext(ctx, "statements found whose deliveries were lost", "request", rec.Request.ID, "statements", len(heard.Approvals))
	return true, g.Store.Hear(ctx, heard)
}

// states reports whether a command is a statement about a request.
func states(cmd comment.Command) bool {
	switch cmd.Verb {
	case gate.VerbApprove, gate.VerbHold, gate.VerbUnhold, gate.VerbWithdraw:
		return true
	case gate.VerbDeny:
		return cmd.Text != ""
	case gate.VerbRetry, gate.VerbStatus, gate.VerbHelp:
	}
	return false
}
