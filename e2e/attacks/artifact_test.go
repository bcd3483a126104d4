package attacks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/verify"
)

// slow is a forge whose evidence is old by the time it is there.
type slow struct {
	release.Forge

	clock *clock
	by    time.Duration
}

func (f slow) Evidence(ctx context.Context, r gate.Request, n gate.Needs) gate.Evidence {
	defer f.clock.pass(f.by)
	return f.Forge.Evidence(ctx, r, n)
}

// bundles are the collected files by name.
func (r *request) bundles() map[string][]byte {
	r.Helper()
	a := r.collect()
	var c api.Collected
	if err := json.Unmarshal(a.raw, &c); err != nil || a.status != http.StatusOK {
		r.Fatalf("expected the signed files, got %d %s", a.status, a.raw)
	}
	out := map[string][]byte{}
	for _, f := range c.Files {
		out[f.Name] = f.Content
	}
	return out
}

// key is a public key as the gate publishes it.
func (s *stage) key(name string) verify.Key {
	s.Helper()
	a := s.send(http.MethodGet, "/v1/keys/"+name+".pem", "", nil)
	k, err := verify.ParseKey(a.raw)
	s.must(err)
	return k
}

// shown reports whether the latest status or check of the tag's commit is one of the states.
func (s *stage) shown(states ...string) bool {
	for _, x := range s.Statuses(s.repo, s.Head(s.repo, "refs/tags/v1.0.0")) {
		if strings.HasPrefix(x.Context, "countersign/") && slices.Contains(states, x.State) {
			return true
		}
	}
	return false
}

func TestArtifacts(t *testing.T) {
	play(t, []row{
		{name: "attack 65: a file swapped after signing", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.signed()
			bundle := r.bundles()["widget.tgz.sigstore.json"]
			if v := verify.Artifact(bundle, verify.Under(s.key(lineage)), gate.SHA256([]byte("what was built")), verify.Expect{}); !v.OK() {
				s.Errorf("expected the file that was built to verify, got %+v", v)
			}
			if v := verify.Artifact(bundle, verify.Under(s.key(lineage)), gate.SHA256([]byte("swapped")), verify.Expect{}); v.OK() {
				s.Errorf("expected another file not to verify, got %+v", v)
			}
		}},
		{name: "attack 65: a URL in place of a digest", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			body := `{"repository":"` + s.repositoryID().String() + `","ref":"refs/tags/v1.0.0","commit":"` + s.commitOf(j) +
				`","subjects":[{"name":"widget.tgz","url":"https://evil.example.org/widget.tgz"}]}`
			s.send(http.MethodPost, "/v1/releases", s.tokenFor(j, asking{ask: s.askOf(j)}), []byte(body)).
				refused(gate.CodeBodyMalformed, "url")
		}},
		{name: "attack 66: names and digests that could be read two ways", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			digest := gate.SHA256([]byte("x")).String()
			for what, subjects := range map[string]string{
				"a name twice":           `[{"name":"a","sha256":"` + digest + `"},{"name":"a","sha256":"` + gate.SHA256(nil).String() + `"}]`,
				"a path out of the tree": `[{"name":"../a","sha256":"` + digest + `"}]`,
				"an absolute path":       `[{"name":"/a","sha256":"` + digest + `"}]`,
				"a line end":             `[{"name":"a\nb","sha256":"` + digest + `"}]`,
				"upper-case hex":         `[{"name":"a","sha256":"` + strings.ToUpper(digest) + `"}]`,
				"SHA-1":                  `[{"name":"a","sha256":"` + digest[:40] + `"}]`,
				"nothing":                `[]`,
			} {
				body := `{"repository":"` + s.repositoryID().String() + `","ref":"refs/tags/v1.0.0","commit":"` + s.commitOf(j) +
					`","subjects":` + subjects + `}`
				s.Log(what)
				s.send(http.MethodPost, "/v1/releases", s.tokenFor(j, asking{ask: s.askOf(j)}), []byte(body)).refused(gate.CodeSubjects)
			}
		}},
		{name: "attack 67: a release's file replaced at the forge", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.signed()
			page := s.World.(forgetest.ReleaseWorld)
			page.MakeRelease(s.repo, s.people["ana"], "v1.0.0", false)
			page.PutAsset(s.repo, s.people["ana"], "v1.0.0", "widget.tgz", []byte("what was built"))
			s.settle()
			if !s.shown("success") {
				s.Errorf("expected the file that was signed to change nothing, got %+v", s.Statuses(s.repo, s.commitOf(r.job)))
			}
			page.PutAsset(s.repo, s.people["mal"], "v1.0.0", "widget.tgz", []byte("a trojan"))
			s.settle()
			page.PutAsset(s.repo, s.people["mal"], "v1.0.0", "widget.tgz", []byte("a trojan"))
			s.settle()
			if !s.shown("failure", "failed") {
				s.Errorf("expected the check to fail, got %+v", s.Statuses(s.repo, s.commitOf(r.job)))
			}
			rec, _ := r.now()
			warned := 0
			for _, c := range s.Comments(forgetest.Change{Repository: s.repo, Number: rec.Thread.Number, Issue: rec.Thread.Issue}) {
				if strings.Contains(c.Body, gate.SHA256([]byte("a trojan")).String()) {
					warned++
				}
			}
			if warned != 1 {
				s.Errorf("expected one comment with the file's digest, got %d", warned)
			}
		}},
		{name: "attack 68: a subject added after the approval", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			more := s.ask(r.job, func(a *asking) {
				a.ask.Subjects = append(a.ask.Subjects, gate.Subject{Name: "z.tgz", SHA256: gate.SHA256([]byte("z"))})
			}).opened()
			if more.joined || more.id == r.id {
				s.Fatalf("expected a request of its own, it joined %s", r.id)
			}
			more.waits(gate.CheckApprovals, "0 of 2")
		}},
		{name: "attack 69: evidence that is old when the decision falls", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			id := gate.ForgeID(s.Name())
			port := s.gate.Forges[id]
			honest := port.Forge
			port.Forge = slow{Forge: honest, clock: s.clock, by: gate.MaxEvidenceAge + time.Second}
			s.gate.Forges[id] = port
			s.say(c, "bo", "/countersign approve")
			r.waits(gate.CheckEvidence, "at most 30s old")
			port.Forge = honest
			s.gate.Forges[id] = port
			s.later(time.Minute)
			r.signed()
		}},
		{name: "attack 69: the signer takes longer than the grant lasts", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			s.signer.Before(func(context.Context, []gate.Order) { s.clock.pass(gate.GrantLifetime + time.Second) })
			s.say(c, "bo", "/countersign approve")
			if rec, _ := r.now(); rec.State != gate.StateSigning || len(s.signer.Signed()) != 0 {
				s.Errorf("expected an order past its deadline to sign nothing, got:\n%s", r.verdict())
			}
		}},
		{name: "attack 69: the tag moves while the signer is busy, and is looked at again", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			s.signer.FailNext(&gate.Error{Kind: gate.Unavailable, Code: gate.CodeKeyUnavailable, Text: "busy", Fix: "wait"})
			s.say(c, "bo", "/countersign approve")
			s.merge(s.propose("ana", "evil"), "eve")
			s.pushed("ana", "refs/tags/v1.0.0", s.Head(s.repo, mainRef))
			for range 3 {
				s.later(2 * time.Minute)
			}
			r.ends(gate.StateVoid, gate.CheckRef, "v1.0.0 moved")
		}},
		{name: "attack 79: only the granted request's own digests are signed", play: func(s *stage) {
			s.widget()
			r := s.asked()
			for _, path := range []string{"/v1/sign", "/v1/keys/" + lineage + "/sign", "/v1/releases/" + r.id + "/sign"} {
				s.send(http.MethodPost, path, s.requestToken(r.job, r.id), []byte(`{"digest":"00"}`)).refused(gate.CodePathUnknown)
			}
			r.approve("bo")
			r.signed()
			var got []string
			for _, o := range s.signer.Signed() {
				got = append(got, fmt.Sprint(o.Intent().Kind, " ", o.Intent().Name))
				if o.Intent().Kind == gate.IntentSubject && o.Digest() != gate.SHA256([]byte("what was built")) {
					s.Errorf("expected the subject's digest, got %s", o.Digest())
				}
				if o.Intent().Request != r.id {
					s.Errorf("expected orders of request %s, got one of %s", r.id, o.Intent().Request)
				}
			}
			want := "[subject widget.tgz statement decision statement approval-1 statement release statement vsa]"
			if fmt.Sprint(got) != want {
				s.Errorf("expected one signature for the subject and one for each statement, %s, got %v", want, got)
			}
		}},
		{name: "attack 80: the key of another tenant", policy: "key: other-release", play: func(s *stage) {
			s.widget()
			s.ask(s.job("ana", "refs/tags/v1.0.0")).refused(gate.CodeKeyUnbound, "other-release", s.repositoryID().String())
		}},
	})
}
