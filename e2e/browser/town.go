package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// Town is a daemon with people on both forges, to be looked at.
type Town struct {
	*stage.Stage

	Teams map[string]*stage.Team // by forge
}

// Found sets a town up: token, key, policies in force on both forges, daemon running. eve
// administers the server on either forge. bin
// holds countersignd and countersign; dir is scratch; the daemon's log goes to log.
func Found(ctx context.Context, bin, dir string, log io.Writer) (*Town, error) {
	s, err := stage.New(ctx, stage.Options{Dir: dir, Bin: bin, Log: log})
	if err != nil {
		return nil, err
	}
	t := &Town{Stage: s, Teams: map[string]*stage.Team{}}
	if err := t.found(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return t, nil
}

func (t *Town) found(ctx context.Context) error {
	key, err := t.CreateKey(ctx)
	if err != nil {
		return err
	}
	var owners []string
	for name, w := range t.Worlds {
		team := stage.Gather(w)
		t.Teams[name] = team
		owners = append(owners, team.Owner())
		t.Administrators = append(t.Administrators, fmt.Sprintf("%s:%d", name, team.People["eve"].ID))
	}
	if err := t.Configure(key, owners...); err != nil {
		return err
	}
	for _, team := range t.Teams {
		team.World.Publish(team.Repo)
		if err := t.Adopt(ctx, team); err != nil {
			return err
		}
	}
	return t.Start(ctx)
}

// Asked is a release that a job asked for.
type Asked struct {
	api.Release

	Team   *stage.Team
	Change forgetest.Change
	Job    forgetest.Job
	dir    string
}

// Change has a person write a change and another merge it.
func (t *Town) Change(forge, by, merger, title string) forgetest.Change {
	team := t.Teams[forge]
	branch := strings.ReplaceAll(strings.ToLower(title), " ", "-")
	c := team.Open(by, branch, title, map[string][]byte{branch + ".txt": []byte(title + "\n")})
	team.World.Merge(c, team.People[merger], forgetest.MergeCommit)
	return c
}

// Ask has eve tag what main is, and the release job ask for signatures over two files.
func (t *Town) Ask(ctx context.Context, forge, tag string, change forgetest.Change) (*Asked, error) {
	team := t.Teams[forge]
	a := &Asked{Team: team, Change: change, Job: team.Release("eve", tag), dir: filepath.Join(t.Dir, "jobs", forge, tag)}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return nil, err
	}
	version := strings.TrimPrefix(tag, "v")
	names := []string{"widget-" + version + "-linux-amd64.tar.gz", "widget-" + version + "-linux-arm64.tar.gz"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(name), 0o600); err != nil {
			return nil, err
		}
	}
	return a, t.client(ctx, a, append([]string{"request"}, names...)...)
}

func (t *Town) client(ctx context.Context, a *Asked, args ...string) error {
	cmd := t.Client(ctx, a.Team.World, a.Job, a.dir, append(args, "--json")...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var over struct {
		Release *api.Release `json:"release"`
	}
	if err != nil && json.Unmarshal(out, &over) == nil && over.Release != nil {
		a.Release = *over.Release // it ended: the client says so with its exit code
		return nil
	}
	if err != nil {
		return fmt.Errorf("countersign %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return json.Unmarshal(out, &a.Release)
}

// Says has a person comment in the thread of the release's change.
func (t *Town) Says(a *Asked, who, text string) {
	a.Team.World.AddComment(a.Change, a.Team.People[who], text)
}

// Await asks for the release until it is as wanted.
func (t *Town) Await(ctx context.Context, a *Asked, what string, is func(api.Release) bool) error {
	for over := time.Now().Add(2 * patience); time.Now().Before(over); {
		if err := t.client(ctx, a, "status", "--request-id", a.ID); err != nil {
			return err
		}
		if is(a.Release) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("release %s: expected it to be %s, got %s", a.Ref, what, a.State)
}

// Judged is true once a release was judged.
func Judged(r api.Release) bool { return len(r.Checks) > 0 }

// Signed is true once a release's files are signed.
func Signed(r api.Release) bool {
	return r.State == gate.StateSigned || r.State == gate.StatePublished
}
