package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
)

// Fact is one thing that the gate takes for granted about a forge.
type Fact struct {
	// ID is stable: findings are kept under it.
	ID   string
	Area string // heading under which it is shown
	// Assumes is the fact in one sentence, and Used where the gate rests on it.
	Assumes, Used string
	// Follows is what it means where the fact does not hold.
	Follows string
	// Copes marks facts without which the gate works as safely, only less well.
	Copes bool
	Needs Need
	// Try says how to find out by hand, where no call can.
	Try string

	check func(context.Context, *session) result
}

// Need is what it takes to tell.
type Need string

// Needs.
const (
	NeedsRead  Need = "read"  // calls that change nothing
	NeedsWrite Need = "write" // posts on the scratch repository
	NeedsJob   Need = "job"   // the claims of an ID token of a CI job
	NeedsHand  Need = "hand"  // somebody who looks
)

// Outcome is what is known of a fact.
type Outcome string

// Outcomes. What was not tried is Untold.
const (
	Untold Outcome = "untold"
	Holds  Outcome = "holds"
	Fails  Outcome = "fails"
)

// Finding is what came of trying one fact.
type Finding struct {
	ID      string  `json:"id"`
	Outcome Outcome `json:"outcome"`
	// Why says what was seen, or why nothing could be told.
	Why string `json:"why,omitempty"`
	// Asked is false where nobody tried: for want of --write, of a job's claims, of a person.
	Asked bool `json:"asked"`
	// At is when it was tried, and Version the forge's at that time, where it tells one.
	At      time.Time `json:"at,omitzero"`
	Version string    `json:"version,omitempty"`
}

type result struct {
	outcome Outcome
	why     string
}

func holds(format string, args ...any) result {
	return result{Holds, fmt.Sprintf(format, args...)}
}

func fails(format string, args ...any) result {
	return result{Fails, fmt.Sprintf(format, args...)}
}

func untold(format string, args ...any) result {
	return result{Untold, fmt.Sprintf(format, args...)}
}

// Facts are all facts about a kind of forge, in the order in which they are tried:
// earlier ones find what later ones ask about.
func Facts(kind gate.ForgeKind) []Fact {
	parts := [][]Fact{githubAccess(), githubRules(), githubHistory(), evidenceFacts(kind), writeFacts(kind), githubJob(), githubHand()}
	if kind == gate.GitLab {
		parts = [][]Fact{gitlabAccess(), gitlabRules(), gitlabHistory(), evidenceFacts(kind), writeFacts(kind), gitlabJob(), gitlabHand()}
	}
	var out []Fact
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
