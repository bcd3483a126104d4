package attacks_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// request is a release that was asked for.
type request struct {
	*stage

	id, code string
	joined   bool
	job      forgetest.Job
}

// now is the request as the store has it. What the API shows is made of the same.
func (r *request) now() (gate.Record, gate.Decision) {
	r.Helper()
	rec, err := r.store.Request(r.Context(), r.id)
	r.must(err)
	var d gate.Decision
	if len(rec.Decision) > 0 {
		r.must(json.Unmarshal(rec.Decision, &d))
	}
	return rec, d
}

// shown is the request as its own job sees it.
func (r *request) shown() api.Release {
	r.Helper()
	a := r.send(http.MethodGet, "/v1/releases/"+r.id, r.requestToken(r.job, r.id), nil)
	var out api.Release
	if err := json.Unmarshal(a.raw, &out); err != nil || a.status != http.StatusOK {
		r.Fatalf("expected the request, got %d %s", a.status, a.raw)
	}
	return out
}

// collect asks for the signed files.
func (r *request) collect() answer {
	r.Helper()
	return r.send(http.MethodPost, "/v1/releases/"+r.id+"/collect", r.requestToken(r.job, r.id), nil)
}

// thread is where the request is talked about.
func (r *request) thread() forgetest.Change {
	r.Helper()
	rec, _ := r.now()
	if rec.Thread.Number == 0 {
		r.Fatalf("expected request %s to have a thread, it has none\n%s", r.id, r.verdict())
	}
	return forgetest.Change{Repository: r.repo, Number: rec.Thread.Number, Issue: rec.Thread.Issue}
}

// comment comments in the request's thread.
func (r *request) comment(by, text string) forgetest.Comment {
	r.Helper()
	return r.say(r.thread(), by, text)
}

// approve is the shortest comment that approves.
func (r *request) approve(by string) forgetest.Comment {
	r.Helper()
	return r.comment(by, "/countersign approve")
}

// verdict is the whole decision in words.
func (r *request) verdict() string {
	rec, d := r.now()
	out := fmt.Sprintf("request %s is %s\n", r.id, rec.State)
	for _, c := range d.Checks {
		out += fmt.Sprintf("%-8s %-12s %s\n", c.Outcome, c.Name, c.Reason)
	}
	return out
}

// waits expects an open request that one check keeps waiting, for a reason with all of
// says, and that tells people what to do.
func (r *request) waits(check gate.CheckName, says ...string) {
	r.Helper()
	r.stands(gate.StateWaiting, check, says)
	if out := r.collect(); out.status < http.StatusBadRequest {
		r.Errorf("expected nothing to collect, got %d %s", out.status, out.raw)
	}
}

// ends expects a request that one check ended for good.
func (r *request) ends(state gate.State, check gate.CheckName, says ...string) {
	r.Helper()
	r.stands(state, check, says)
}

func (r *request) stands(state gate.State, check gate.CheckName, says []string) {
	r.Helper()
	rec, d := r.now()
	c, ok := d.Check(check)
	if rec.State != state || !ok || c.Outcome == gate.Granted {
		r.Fatalf("expected %s because of %s, got:\n%s", state, check, r.verdict())
	}
	if c.Fix == "" {
		r.Errorf("expected check %s to say what to do, got: %s", check, c.Reason)
	}
	for _, want := range says {
		if !strings.Contains(c.Reason, want) {
			r.Errorf("expected check %s to say %q, got: %s", check, want, c.Reason)
		}
	}
}

// holds expects that a check has nothing against the request.
func (r *request) holds(check gate.CheckName, says ...string) {
	r.Helper()
	_, d := r.now()
	c, ok := d.Check(check)
	if !ok || c.Outcome != gate.Granted {
		r.Fatalf("expected check %s to hold, got:\n%s", check, r.verdict())
	}
	for _, want := range says {
		if !strings.Contains(c.Reason, want) {
			r.Errorf("expected check %s to say %q, got: %s", check, want, c.Reason)
		}
	}
}

// signed expects signatures: the attack is over, or was none.
func (r *request) signed() {
	r.Helper()
	r.signs = true
	rec, _ := r.now()
	if rec.State != gate.StateSigned && rec.State != gate.StatePublished {
		r.Fatalf("expected signatures, got:\n%s", r.verdict())
	}
}
