package gate_test

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/gate"
)

// big is a release of n commits by ten people in five pull requests, each reviewed by
// somebody else, with two approvals.
func big(n int) release {
	people := []string{"ana", "bo", "cy", "dee"}
	var steps []step
	for i := range int64(5) {
		author := people[i%4]
		steps = append(steps, pr(i+1, author, func(ch *gate.Change) {
			for k := range n/5 - 1 {
				c := commitBy(sha(fmt.Sprintf("c%d", i), int64(k)), author)
				if k%10 == 0 {
					helper := gate.Account{ID: gate.AccountID{Forge: "github", ID: int64(100 + k/10)}, Login: "helper", Human: true}
					c.People = append(c.People, gate.Person{Part: gate.PartCoAuthor, Account: gate.Known(helper), Name: "helper"})
				}
				ch.Commits = append(ch.Commits, c)
			}
		}, reviewed(people[(i+1)%4])))
	}
	return with(append(steps, approve("eve"), approve("bo"), approve("cy"))...)
}

// BenchmarkDecide shows how a decision grows with its commits: ten times the commits
// should take about ten times as long.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{50, 500, 5000} {
		c := big(n)
		if d := gate.Decide(c, now); d.Outcome != gate.Granted {
			b.Fatalf("expected a grant, got %s:\n%s", d.Outcome, failing(d))
		}
		b.Run(fmt.Sprintf("%d commits", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				gate.Decide(c, now)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}
