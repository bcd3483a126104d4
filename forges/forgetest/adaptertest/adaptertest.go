// Package adaptertest is the contract of forge adapters: what people and runners do in
// a [forgetest.World] has to show up in the evidence that an adapter reads, and what
// an adapter posts has to show up there once. One suite serves all forges.
//
// Rows that repeat an attack of the catalogue name it.
package adaptertest

import (
	"context"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// ForgeID is the name under which adapters under test have to know the world.
const ForgeID gate.ForgeID = "forge"

// Forge is what the suite drives: the methods of release.Forge.
type Forge interface {
	Run(ctx context.Context, w gate.Workload) (gate.RunFacts, error)
	PolicyFile(ctx context.Context, r gate.RepositoryID) (gate.PolicyFile, error)
	Evidence(ctx context.Context, r gate.Request, needs gate.Needs) gate.Evidence
	Comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment]
	Post(ctx context.Context, p gate.Post) (string, error)
}

// Start makes a fresh world and an adapter on it, named [ForgeID]. It arranges for
// the world to be closed when the test ends. The world is also one with teams, CI and
// assignees ([forgetest.Teams] and its neighbours), and sends whoever signs in back to
// [Callback]; the adapter is also a release.Watcher, a web.Rights, and a web.SignIn with
// the world's OAuth client.
type Start func(t *testing.T) (forgetest.World, Forge)

// Run holds an adapter to the contract, each row in a world of its own.
func Run(t *testing.T, start Start) {
	for _, group := range []struct {
		name string
		rows []row
	}{
		{"changes", changeRows()},
		{"authors", authorRows()},
		{"refs", refRows()},
		{"protection", protectionRows()},
		{"comments", commentRows()},
		{"people", peopleRows()},
		{"jobs", jobRows()},
		{"policy", policyRows()},
		{"posts", postRows()},
		{"faults", faultRows()},
		{"teams", teamRows()},
		{"checks", checkRows()},
		{"owners", ownerRows()},
		{"threads", threadRows()},
		{"long threads", longThreadRows()},
		{"answerable", answerableRows()},
		{"machines", machineRows()},
		{"proposals", proposalRows()},
		{"sign-in", signInRows()},
		{"rights", rightRows()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, r := range group.rows {
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					r.play(newStage(t, start))
				})
			}
		})
	}
}

type row struct {
	name string
	play func(s *stage)
}
