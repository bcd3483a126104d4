package github_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web"
)

// shelf keeps the delivery that came last; of the rest of the store nothing is asked.
type shelf struct {
	web.Shelf

	last gate.Delivery
	kept int
}

func (s *shelf) Accept(_ context.Context, d gate.Delivery) (bool, error) {
	s.last, s.kept = d, s.kept+1
	return true, nil
}

// player throws payloads at the webhook handler and at Interpret.
type player struct {
	*testing.T

	forge   *github.Forge
	handler http.Handler
	shelf   *shelf
	thrown  int
	rung    int
	refused int
}

func newPlayer(t *testing.T) *player {
	t.Helper()
	s := githubtest.New(githubtest.Options{})
	t.Cleanup(s.Close)
	p := &player{T: t, forge: connect(t, s), shelf: &shelf{}}
	p.handler = web.Handler(web.Config{
		Server: &url.URL{Scheme: "https", Host: "gate.example"}, Shelf: p.shelf,
		Hooks: map[gate.ForgeID]web.Hook{adaptertest.ForgeID: {Kind: gate.GitHub, Prover: p.forge}},
		Log:   slog.New(slog.DiscardHandler), Now: time.Now,
	})
	return p
}

// throw delivers one body, signed, and holds what comes of it to what may.
func (p *player) throw(name, event string, body []byte) {
	p.Helper()
	p.thrown++
	r := signed(string(body))
	r.URL.Path = "/webhooks/github/" + string(adaptertest.ForgeID)
	r.Header.Set("X-GitHub-Event", event)
	w := httptest.NewRecorder()
	kept := p.shelf.kept
	p.handler.ServeHTTP(w, r)
	if w.Code != http.StatusAccepted {
		p.refused++
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), gate.CodeDeliveryMalformed.String()) || p.shelf.kept != kept {
			p.Errorf("%s: got %d %s, want it accepted, or refused as %s", name, w.Code, w.Body, gate.CodeDeliveryMalformed)
		}
		return
	}
	if p.shelf.kept != kept+1 || p.shelf.last.Event != event {
		p.Errorf("%s: expected it on the shelf", name)
	}
	rings, err := p.forge.Interpret(p.shelf.last)
	if err != nil {
		p.Errorf("%s: interpret: %v", name, err)
	}
	p.rung += len(rings)
	if len(rings) == 0 {
		return
	}
	told := tell(p, body)
	for _, ring := range rings {
		if err := told.allows(event, ring); err != nil {
			p.Errorf("%s: ring %+v: %v", name, ring, err)
		}
	}
}

// telling is what a payload says, read another way than the adapter does.
type telling map[string]any

func tell(t testing.TB, body []byte) telling {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var out telling
	if err := d.Decode(&out); err != nil {
		t.Fatalf("a payload that was accepted: %v", err)
	}
	return out
}

// at is the value at a path of names, nil where there is none.
func (p telling) at(path ...string) any {
	var v any = map[string]any(p)
	for _, name := range path {
		fields, is := v.(map[string]any)
		if !is {
			return nil
		}
		v = fields[name]
	}
	return v
}

func (p telling) number(path ...string) int64 { return integer(p.at(path...)) }

func (p telling) text(path ...string) string {
	s, _ := p.at(path...).(string)
	return s
}

func integer(v any) int64 {
	n, is := v.(json.Number)
	if !is {
		return math.MinInt64
	}
	i, err := n.Int64()
	if err != nil {
		return math.MinInt64
	}
	return i
}

// repositories are the numbers of those that an event of its kind is about.
func (p telling) repositories(event string) map[int64]bool {
	out := map[int64]bool{}
	if event != "installation" && event != "installation_repositories" {
		out[p.number("repository", "id")] = true
		return out
	}
	for _, list := range []string{"repositories", "repositories_added", "repositories_removed"} {
		all, _ := p.at(list).([]any)
		for _, one := range all {
			out[telling{"it": one}.number("it", "id")] = true
		}
	}
	return out
}

// allows holds a ring against the payload: a look at a repository that it names, and more
// only for the few events that say more. Nothing else of a payload leads anywhere.
func (p telling) allows(event string, r gate.Ring) error {
	if r.Repository.Forge != adaptertest.ForgeID || r.Repository.ID <= 0 || !p.repositories(event)[r.Repository.ID] {
		return fmt.Errorf("repository %s: expected one that the payload names", r.Repository)
	}
	action := p.text("action")
	if r.Commit != "" {
		if event != "workflow_run" && (event != "check_run" || action != "rerequested") || r.Commit != p.text(event, "head_sha") {
			return fmt.Errorf("commit %s", r.Commit)
		}
	}
	if r.Comment != nil {
		if event != "issue_comment" || action != "created" || r.Comment.Repository != r.Repository || r.Comment.ID != p.number("comment", "id") ||
			r.Comment.ID <= 0 || r.Comment.Thread.Number != p.number("issue", "number") || r.Comment.Thread.Number <= 0 ||
			p.text("comment", "user", "type") == "Bot" {
			return fmt.Errorf("comment %+v", *r.Comment)
		}
	}
	if r.Change != 0 && (event != "pull_request" || r.Change != p.number("pull_request", "number") || r.Change < 0) {
		return fmt.Errorf("change %d", r.Change)
	}
	if d := r.Deployment; d != nil {
		callback := fmt.Sprintf("/actions/runs/%s/deployment_protection_rule", strconv.FormatInt(d.RunID, 10))
		if event != "deployment_protection_rule" || action != "requested" || d.Repository != r.Repository || d.RunID <= 0 ||
			d.Environment != p.text("environment") || !strings.HasSuffix(p.text("deployment_callback_url"), callback) {
			return fmt.Errorf("deployment %+v", *d)
		}
	}
	return nil
}

func replays(t testing.TB) []replayed {
	t.Helper()
	return append(examples(t), described(t)...)
}

// Every payload that GitHub publishes, and one of every schema that the gate hears, is
// taken, and leads to no more than a look (attack 61).
func TestReplay(t *testing.T) {
	p := newPlayer(t)
	published, made := examples(t), described(t)
	if len(published) != 329 {
		t.Errorf("examples: got %d, want 329", len(published))
	}
	events := map[string]bool{}
	for _, one := range append(published, made...) {
		events[one.event] = true
		p.throw(one.name, one.event, one.body)
	}
	if p.refused > 0 {
		t.Errorf("refused: got %d, want every payload of GitHub's taken", p.refused)
	}
	t.Logf("replayed %d payloads of %d events: %d published examples, %d made from schemas; %d rings", p.thrown, len(events), len(published), len(made), p.rung)
}

// The same payloads under names of events that there are not ring nothing.
func TestReplayUnderOtherNames(t *testing.T) {
	p := newPlayer(t)
	for _, one := range replays(t) {
		p.throw(one.name, one.event+"_2030", one.body)
	}
	if p.refused > 0 || p.rung > 0 {
		t.Errorf("got %d refused and %d rings, want none: nobody knows these events", p.refused, p.rung)
	}
	t.Logf("replayed %d payloads under unknown names", p.thrown)
}

// The same payloads, each field of their first two levels removed, made null, of another
// type and a huge number: taken or refused as malformed, and never more than a look. A
// field of the first level is mutated once per event and action, of the second once per
// event that is heard, and once for all others together.
func TestReplayMutated(t *testing.T) {
	p := newPlayer(t)
	seen := map[string]bool{}
	heard, deep := heardEvents(), 0
	for _, one := range replays(t) {
		first := func(path string) bool {
			key := one.event + " " + path
			switch deep := strings.Contains(path, "."); {
			case deep && !heard[one.event]: // taken alike, whatever they are called
				key = path
			case !deep:
				key = one.event + "." + tell(t, one.body).text("action") + " " + path
			}
			is := !seen[key]
			seen[key] = true
			return is
		}
		mutate(one.body, first, func(what string, body []byte) {
			if strings.Contains(what, ".") {
				if deep++; deep%replayEvery != 0 {
					return
				}
			}
			p.throw(one.name+", "+what, one.event, body)
		})
	}
	t.Logf("replayed %d mutations (1 of %d below the first level): %d refused as malformed, %d rings", p.thrown, replayEvery, p.refused, p.rung)
}
