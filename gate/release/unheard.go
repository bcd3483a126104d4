package release

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/comment"
)

// unheard looks through the comments of a request's thread for statements whose delivery
// was lost, a denial among them (attack 60), and stores them as if it had come. It
// reports whether there were any.
//
// What was said to a person's face is not repeated: hints and answers go out only
// where a delivery came.
func (g *Gate) unheard(ctx context.Context, rec gate.Record, known []gate.Approval, c gate.Case) (bool, error) {
	said, _ := c.Evidence.Thread.Get()
	aliases := c.Policy.Aliases
	var heard gate.Heard
	for _, c := range said {
		if !speaks(c) || slices.ContainsFunc(known, func(a gate.Approval) bool { return a.Source == c.Ref }) {
			continue
		}
		cmd, ok := comment.Parse(c.Body, aliases...)
		if !ok || !states(cmd) || !g.overdue(c, cmd) {
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
	}
	if len(heard.Approvals) == 0 {
		return false, nil
	}
	g.Log.WarnContext(ctx, "statements found whose deliveries were lost", "request", rec.Request.ID, "statements", len(heard.Approvals))
	return true, g.Store.Hear(ctx, heard)
}

// overdue reports whether a delivery would have come by now. What says no is taken at
// once; what says yes binds to what was shown when it is heard, so its own delivery,
// which may be on its way, goes first.
func (g *Gate) overdue(c gate.Comment, cmd comment.Command) bool {
	switch cmd.Verb {
	case gate.VerbDeny, gate.VerbHold, gate.VerbWithdraw:
		return true
	default:
		return g.Now().Sub(c.Created) > deliveryTime
	}
}

// deliveryTime is how long a delivery is given before it is looked for.
const deliveryTime = 30 * time.Second

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
