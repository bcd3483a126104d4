package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/witness/witnesstest"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// patience bounds every wait of a story; it is a limit, never a measure.
const patience = 90 * time.Second

type storyKey struct{}

// story is what one script has done so far.
type story struct {
	*stage.Stage

	team     *stage.Team
	fault    *hsmtest.Fault
	tb       testing.TB
	log      string
	db       store.Config
	changes  map[string]change
	comments map[string]spoken
	job      forgetest.Job
	restore  func()
	running  *running
	witness  *witnesstest.Witness
	// forgotten are the intents that restored databases no longer hold.
	forgotten int
}

type change struct {
	forgetest.Change

	branch string
}

type spoken struct {
	forgetest.Comment

	by string
}

func told(ts *testscript.TestScript) *story {
	return ts.Value(storyKey{}).(*story) //nolint:forcetypeassert // begin stored it
}

type command = func(ts *testscript.TestScript, neg bool, args []string)

// storyCommands are the words of the stories:
//
//	change NAME WHO [MESSAGE]   WHO opens a PR or MR with one commit
//	put NAME WHO PATH FILE      WHO opens a PR or MR that puts a file of the story at a path
//	onto NAME WHO [MESSAGE]     WHO pushes another commit onto it
//	direct WHO [MESSAGE]        WHO pushes straight to main
//	review NAME WHO             WHO approves its current head
//	merge NAME WHO [HOW]        WHO merges it: merge, squash or rebase
//	release TAG WHO             WHO tags main; the release job starts
//	job REF WHO                 the release job starts for a ref
//	client [=CODE] ARGS...      the countersign client in the job
//	ask FILES...                client request; sets $ID
//	await STATE                 until the request is there
//	comment NAME WHO TEXT       in the thread of a change, or of the release issue
//	edit NAME TEXT, erase NAME  a comment of that name (the change's last one)
//	says NAME REGEXP            until the gate's comment there says so
//	reacts NAME REACTION        until the gate reacted to the last comment so
//	posted STATE                until the commit's check run (GitHub) or status (GitLab) begins so; GitHub's failure is GitLab's failed
//	background ARGS...          the client in the job, while the story goes on
//	finish [=CODE]              until it ends, with that exit code
//	settle                      until everything that the forge sent was answered
//	redeliver N                 the forge sends its newest N deliveries again
//	public                      everybody may see the repository
//	show-address WHO            the person's e-mail address becomes public at the forge
//	role WHO ROLE, unprotect, protect, forge down|up, daemon start|stop|kill
//	hsm hang [LABEL]|heal       signatures with a key, the release key, hang, or work again
//	manual NAME, played NAME    on GitLab, a manual job of the pipeline; until the gate plays it
//	closed-tags                 on GitLab, nobody but eve may create v*
//	logged REGEXP               until the daemon's log says so
//	tampered DIR ARGS...        verify finds each file of the folder changed, one at a time
//	fetch PATH FILE             what the server answers to anybody goes to a file
func storyCommands() map[string]command {
	return map[string]command{
		"change": cmdChange, "put": cmdPut, "onto": cmdOnto, "direct": cmdDirect, "review": cmdReview, "merge": cmdMerge,
		"release": cmdRelease, "job": cmdJob, "client": cmdClient, "ask": cmdAsk, "await": cmdAwait,
		"comment": cmdComment, "edit": cmdEdit, "erase": cmdErase, "says": cmdSays, "reacts": cmdReacts,
		"posted": cmdPosted, "role": cmdRole, "unprotect": cmdUnprotect, "protect": cmdProtect,
		"forge": cmdForge, "daemon": cmdDaemon, "hsm": cmdHSM, "logged": cmdLogged,
		"forged-webhook": cmdForgedWebhook, "steal-token": cmdStealToken, "retag": cmdRetag,
		"manual": cmdManual, "played": cmdPlayed, "closed-tags": cmdClosedTags,
		"background": cmdBackground, "finish": cmdFinish, "settle": cmdSettle, "show-address": cmdShowAddress, "redeliver": cmdRedeliver,
		"tampered": cmdTampered, "fetch": cmdFetch, "public": cmdPublic,
	}
}

func want(ts *testscript.TestScript, neg bool, args []string, least int) {
	if neg || len(args) < least {
		ts.Fatalf("expected at least %d arguments and no negation, got %q", least, args)
	}
}

func rest(args []string, n int, otherwise string) string {
	if len(args) > n {
		return strings.Join(args[n:], " ")
	}
	return otherwise
}

func cmdChange(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	message := strings.ReplaceAll(rest(args, 2, "Change "+args[0]), `\n`, "\n")
	c := s.team.Open(args[1], "work-"+args[0], message,
		map[string][]byte{args[0] + ".go": []byte("package " + args[0] + "\n")})
	s.changes[args[0]] = change{Change: c, branch: "work-" + args[0]}
}

func cmdPut(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4)
	s := told(ts)
	c := s.team.Open(args[1], "work-"+args[0], "Change "+args[2], map[string][]byte{args[2]: []byte(ts.ReadFile(args[3]))})
	s.changes[args[0]] = change{Change: c, branch: "work-" + args[0]}
}

func (s *story) commitOn(ref, who, message string) {
	w, person := s.team.World, s.team.People[who]
	sha := w.Commit(s.team.Repo, forgetest.CommitSpec{
		Parents: []string{w.Head(s.team.Repo, ref)}, Author: person, Message: message, When: time.Now(),
		Files: map[string][]byte{"by-" + who + ".go": fmt.Appendf(nil, "package %s // %s\n", who, message)},
	})
	w.Push(s.team.Repo, person, ref, sha)
}

func cmdOnto(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	s.commitOn("refs/heads/"+s.changes[args[0]].branch, args[1], rest(args, 2, "More of "+args[0]))
}

func cmdDirect(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	told(ts).commitOn("refs/heads/main", args[0], rest(args, 1, "Straight to main"))
}

func cmdReview(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	s.team.World.Review(s.changes[args[0]].Change, s.team.People[args[1]], forgetest.ReviewApprove)
}

func cmdMerge(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	how := map[string]forgetest.MergeMethod{"merge": forgetest.MergeCommit, "squash": forgetest.Squash, "rebase": forgetest.Rebase}
	s.team.World.Merge(s.changes[args[0]].Change, s.team.People[args[1]], how[rest(args, 2, "merge")])
}

func cmdRelease(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	s.job = s.team.Release(args[1], args[0])
}

// retag moves an existing tag to the head of main, as its maker may.
func cmdRetag(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	s.team.World.Push(s.team.Repo, s.team.People[args[1]], "refs/tags/"+args[0], s.team.World.Head(s.team.Repo, "refs/heads/main"))
}

func cmdJob(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	s.job = s.team.Job(args[1], args[0])
}

func cmdClient(ts *testscript.TestScript, neg bool, args []string) {
	s := told(ts)
	code := 0
	if len(args) > 0 && strings.HasPrefix(args[0], "=") {
		if _, err := fmt.Sscanf(args[0], "=%d", &code); err != nil {
			ts.Fatalf("%s: %v", args[0], err)
		}
		args = args[1:]
	}
	got, out := s.client(ts, args...)
	_, _ = ts.Stdout().Write(out)
	if (got != code) != neg {
		ts.Fatalf("countersign %s: expected exit code %d, got %d\n%s", strings.Join(args, " "), code, got, s.tail())
	}
}

// client runs the client to its end; what it writes to standard error goes to the script's.
func (s *story) client(ts *testscript.TestScript, args ...string) (int, []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := s.Client(ctx, s.team.World, s.job, ts.MkAbs("."), args...)
	cmd.Stderr = ts.Stderr()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("countersign %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), out
}

func cmdAsk(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	code, out := s.client(ts, append([]string{"request", "--json"}, args...)...)
	var r api.Release
	if err := json.Unmarshal(out, &r); err != nil || code != 0 {
		ts.Fatalf("request: exit code %d, %v\n%s\n%s", code, err, out, s.tail())
	}
	ts.Setenv("ID", r.ID)
	ts.Setenv("CODE", r.Code)
}

// until polls, with the daemon's log in the failure.
func (s *story) until(ts *testscript.TestScript, what string, ok func() (bool, string)) {
	deadline := time.Now().Add(patience)
	for {
		done, got := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("waited for %s; last: %s\n%s", what, got, s.tail())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *story) tail() string {
	b, _ := os.ReadFile(s.log)
	var lines []string
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, `"request served"`) && !strings.Contains(line, `"delivery accepted"`) {
			lines = append(lines, line)
		}
	}
	return "daemon's log:\n" + strings.Join(lines[max(0, len(lines)-10):], "")
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	s.until(ts, args[0], func() (bool, string) {
		_, out := s.client(ts, "status", "--json", "--request-id", ts.Getenv("ID"))
		r, err := shown(out)
		if err != nil {
			return false, string(out)
		}
		got := string(r.State)
		for _, c := range r.Checks {
			if c.Outcome != gate.Granted {
				got += fmt.Sprintf("\n  %s %s: %s; %s", c.Name, c.Outcome, c.Reason, c.Fix)
			}
		}
		reached := string(r.State) == args[0] || (args[0] == "signed" && r.State == gate.StatePublished)
		return reached && len(r.Checks) > 0, got
	})
}

// shown is the release that the client's JSON tells of: the object itself, or, with an
// exit code, beside the error.
func shown(out []byte) (api.Release, error) {
	var failed struct{ Release *api.Release }
	if err := json.Unmarshal(out, &failed); err == nil && failed.Release != nil {
		return *failed.Release, nil
	}
	var r api.Release
	return r, json.Unmarshal(out, &r)
}

// thread is a change by its name; "release" is the issue that the gate opened.
func (s *story) thread(ts *testscript.TestScript, name string) forgetest.Change {
	if c, ok := s.changes[name]; ok {
		return c.Change
	}
	if name != "release" {
		ts.Fatalf("thread %q: no change has this name", name)
	}
	var found forgetest.Change
	s.until(ts, "the release issue", func() (bool, string) {
		for n := range int64(50) {
			c := forgetest.Change{Repository: s.team.Repo, Number: n + 1, Issue: true}
			if s.exists(c) {
				found = c
				return true, ""
			}
		}
		return false, "none"
	})
	return found
}

// exists reports whether an issue is there and talked in.
func (s *story) exists(c forgetest.Change) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return len(s.team.World.Comments(c)) > 0
}

func cmdComment(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3)
	s := told(ts)
	// Forges tell a comment's time in whole seconds; people take longer than that.
	body := strings.ReplaceAll(strings.Join(args[2:], " "), `\n`, "\n")
	c := s.team.World.AddComment(s.thread(ts, args[0]), s.team.People[args[1]], body)
	s.comments[args[0]] = spoken{Comment: c, by: args[1]}
}

func cmdEdit(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	c := s.comments[args[0]]
	s.team.World.EditComment(c.Comment, s.team.People[c.by], strings.Join(args[1:], " "))
}

func cmdErase(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	c := s.comments[args[0]]
	s.team.World.DeleteComment(c.Comment, s.team.People[c.by])
}

func cmdSays(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	re := regexp.MustCompile("(?s)" + args[1])
	where := s.thread(ts, args[0])
	s.until(ts, "a comment that says "+args[1], func() (bool, string) {
		var all []string
		for _, c := range s.team.World.Comments(where) {
			all = append(all, c.Author.Login+": "+c.Body)
			if _, person := s.team.People[c.Author.Login]; !person && re.MatchString(c.Body) {
				return true, ""
			}
		}
		return false, strings.Join(all, "\n---\n")
	})
}

func cmdReacts(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	s.until(ts, "reaction "+args[1], func() (bool, string) {
		got := s.team.World.Reactions(s.comments[args[0]].Comment)
		return slices.Contains(got, args[1]), fmt.Sprint(got)
	})
}

func cmdPosted(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	kind, state := "status", args[0]
	if s.team.World == s.Worlds["github"] { // whose check run it is
		kind = "check"
		state = strings.Replace(state, "pending", "in_progress", 1)
	}
	s.until(ts, kind+" "+state, func() (bool, string) {
		got := s.team.World.Statuses(s.team.Repo, s.job.Spec.SHA)
		return slices.ContainsFunc(got, func(x forgetest.Status) bool { return x.Kind == kind && strings.HasPrefix(x.State, state) }), fmt.Sprint(got)
	})
}

func cmdRole(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	roles := map[string]forgetest.Role{"none": forgetest.RoleNone, "read": forgetest.RoleRead, "write": forgetest.RoleWrite}
	s.team.World.SetRole(s.team.Repo, s.team.People[args[0]], roles[args[1]])
}

func cmdPublic(ts *testscript.TestScript, _ bool, _ []string) {
	s := told(ts)
	w, ok := s.team.World.(interface {
		SetVisibility(r forgetest.Repository, visibility string)
	})
	if !ok {
		ts.Fatalf("public: expected a forge whose repositories may be public")
	}
	w.SetVisibility(s.team.Repo, "public")
}

func cmdUnprotect(ts *testscript.TestScript, _ bool, _ []string) {
	s := told(ts)
	s.team.World.Unprotect(s.team.Repo, "refs/heads/main")
}

func cmdProtect(ts *testscript.TestScript, _ bool, _ []string) {
	s := told(ts)
	s.team.World.Protect(s.team.Repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1})
}

func cmdForge(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	switch args[0] {
	case "down":
		s.restore = s.team.World.Fail(forgetest.Fault{Status: http.StatusInternalServerError})
	case "up":
		s.restore()
	default:
		ts.Fatalf("forge %s: expected down or up", args[0])
	}
}

func cmdDaemon(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	do := map[string]func() error{
		"stop": s.Stop, "kill": s.Kill, "start": func() error { return s.Start(context.Background()) },
	}[args[0]]
	if do == nil {
		ts.Fatalf("daemon %s: expected start, stop or kill", args[0])
	}
	ts.Check(do())
}

func cmdHSM(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	switch args[0] {
	case "hang":
		s.fault.Set(s.tb, "C_Sign:"+rest(args, 1, stage.ReleaseKey)+" 1 1000 hang 0")
	case "heal":
		s.fault.Set(s.tb)
	default:
		ts.Fatalf("hsm %s: expected hang or heal", args[0])
	}
}

func cmdLogged(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	re := regexp.MustCompile(args[0])
	s.until(ts, "log line "+args[0], func() (bool, string) {
		b, _ := os.ReadFile(s.log)
		return re.Match(b), ""
	})
}

// forged-webhook delivers an approval that no forge sent.
func cmdForgedWebhook(ts *testscript.TestScript, _ bool, _ []string) {
	s := told(ts)
	forge := s.team.World.Name()
	req, err := http.NewRequest(http.MethodPost, s.URL+"/webhooks/"+forge+"/"+forge, strings.NewReader(`{"action":"created"}`))
	ts.Check(err)
	for k, v := range map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": "issue_comment", "X-GitHub-Delivery": "0b9f2f5e-0000-4000-8000-000000000000",
		"X-Hub-Signature-256": "sha256=" + strings.Repeat("0", 64),
		"X-Gitlab-Event":      "Note Hook", "X-Gitlab-Token": "guessed", "Idempotency-Key": "1",
	} {
		req.Header.Set(k, v)
	}
	ts.Check(printResponse(ts, req))
}

// steal-token asks for two different sets of files with one ID token.
func cmdStealToken(ts *testscript.TestScript, _ bool, _ []string) {
	s := told(ts)
	w := s.team.World
	var token string
	for i, content := range []string{"what the job built", "what the thief built"} {
		m, err := canonical.NewManifest([]gate.Subject{{Name: "widget.tgz", SHA256: gate.SHA256([]byte(content))}})
		ts.Check(err)
		host := strings.TrimPrefix(s.URL, "http://")
		repo := gate.RepositoryID{Forge: gate.ForgeID(w.Name()), ID: s.team.Repo.ID}
		hash, err := canonical.AskHash(gate.Ask{Server: host, Repository: repo, Ref: s.job.Spec.Ref, Commit: s.job.Spec.SHA, Manifest: m})
		ts.Check(err)
		if i == 0 {
			audience := canonical.AskAudience(host, hash)
			if w.Name() == "gitlab" {
				audience = s.URL
			}
			token = w.IDToken(s.job, audience, nil)
		}
		body, err := json.Marshal(api.Ask{Repository: repo.String(), Ref: s.job.Spec.Ref, Commit: s.job.Spec.SHA, Subjects: m.Subjects})
		ts.Check(err)
		req, err := http.NewRequest(http.MethodPost, s.URL+"/v1/releases", bytes.NewReader(body))
		ts.Check(err)
		req.Header.Set("Authorization", "Bearer "+token)
		ts.Check(printResponse(ts, req))
	}
}

func printResponse(ts *testscript.TestScript, req *http.Request) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	fmt.Fprintf(ts.Stdout(), "%d %s\n", resp.StatusCode, body)
	return err
}
