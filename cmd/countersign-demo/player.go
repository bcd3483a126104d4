package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

const (
	tag      = "v1.0.0"
	patience = 60 * time.Second
)

// artifacts are what the release job builds.
func artifacts() []string { return []string{"widget-1.0.0.tar.gz", "widget-1.0.0.txt"} }

// player plays one release on one forge and tells it.
type player struct {
	teller
	*stage.Stage

	team   *stage.Team
	dir    string // what the release leaves
	change forgetest.Change
	job    forgetest.Job
	asked  api.Release
}

// release is the story, in order.
func (p *player) release(ctx context.Context) error {
	p.chapter(p.team)
	for _, step := range []func(context.Context) error{
		p.work, p.build, p.ask, p.selfApproval, p.approval, p.collect, p.verify,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// work is what people do before a release: a change, a review, a merge, a tag.
func (p *player) work(context.Context) error {
	p.change = p.team.Open("ana", "count", "Teach the widget to count", map[string][]byte{
		"widget.sh": []byte("#!/bin/sh\nseq \"${1:-10}\"\n"),
	})
	p.team.World.Merge(p.change, p.team.People["bo"], forgetest.MergeCommit)
	p.job = p.team.Release("eve", tag)
	p.step("ana opens %s, bo merges it, eve tags %s. The release job starts.", p.changeName(), tag)
	return nil
}

func (p *player) changeName() string {
	if p.team.World.Name() == "gitlab" {
		return fmt.Sprintf("merge request !%d \"Teach the widget to count\"", p.change.Number)
	}
	return fmt.Sprintf("pull request #%d \"Teach the widget to count\"", p.change.Number)
}

// build clones the real git repository behind the double and packs the tag's files.
func (p *player) build(ctx context.Context) error {
	repo := filepath.Join(p.dir, "repository.git")
	if err := p.team.World.Export(p.team.Repo, repo); err != nil {
		return err
	}
	notes, err := git(ctx, repo, "log", "--format=%h %an: %s", tag)
	if err != nil {
		return err
	}
	if _, err := git(ctx, repo, "archive", "--format=tar.gz", "--prefix=widget-1.0.0/",
		"--output="+filepath.Join(p.dir, artifacts()[0]), tag); err != nil {
		return err
	}
	p.step("The job packs the tag's files from the git repository: %s.", strings.Join(artifacts(), ", "))
	return os.WriteFile(filepath.Join(p.dir, artifacts()[1]), notes, 0o600)
}

func git(ctx context.Context, repo string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"--git-dir", repo}, args...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// client runs the client in the job and reads its JSON.
func (p *player) client(ctx context.Context, v any, args ...string) error {
	cmd := p.Client(ctx, p.team.World, p.job, p.dir, append(args, "--json")...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("countersign %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return json.Unmarshal(out, v)
}

func (p *player) ask(ctx context.Context) error {
	args := append([]string{"request"}, artifacts()...)
	if err := p.client(ctx, &p.asked, args...); err != nil {
		return err
	}
	p.step("It proves who it is with its ID token and asks for signatures over their digests:")
	p.command("countersign " + strings.Join(args, " "))
	return p.until(ctx, "the gate's comment", func() (bool, error) {
		body := p.comment()
		if body == "" {
			return false, nil
		}
		p.step("The gate judges, waits, and says so in the thread of %s:", p.changeName())
		p.quote(body)
		return true, nil
	})
}

// comment is what the gate says in the change's thread.
func (p *player) comment() string {
	for _, c := range p.team.World.Comments(p.change) {
		if _, person := p.team.People[c.Author.Login]; !person {
			return c.Body
		}
	}
	return ""
}

// selfApproval is the one that has to be refused.
func (p *player) selfApproval(ctx context.Context) error {
	c := p.team.World.AddComment(p.change, p.team.People["ana"], "/countersign approve")
	p.step("ana, who wrote the change, tries: /countersign approve")
	return p.until(ctx, "ana's approval to be judged", func() (bool, error) {
		if len(p.team.World.Reactions(c)) == 0 {
			return false, nil
		}
		now, err := p.status(ctx)
		if err != nil {
			return false, err
		}
		if now.State != gate.StateWaiting {
			return false, fmt.Errorf("ana's own approval led to %s: expected it to wait", now.State)
		}
		for _, check := range now.Checks {
			if check.Name == gate.CheckApprovals && strings.Contains(check.Reason, "@ana is an author") {
				p.refused(check.Reason)
				return true, nil
			}
		}
		return false, nil
	})
}

func (p *player) status(ctx context.Context) (api.Release, error) {
	var r api.Release
	return r, p.client(ctx, &r, "status", "--request-id", p.asked.ID)
}

func (p *player) approval(ctx context.Context) error {
	p.team.World.AddComment(p.change, p.team.People["cy"], "/countersign approve")
	p.step("cy, who did none of it, approves: /countersign approve")
	return p.until(ctx, "the signatures", func() (bool, error) {
		now, err := p.status(ctx)
		if err != nil || (now.State != gate.StateSigned && now.State != gate.StatePublished) {
			return false, err
		}
		p.step("The gate reads everything again, decides, and the HSM signs. What was checked:")
		p.checks(now.Checks)
		return true, nil
	})
}

// until asks every 100 ms, for as long as a reader's patience lasts.
func (p *player) until(ctx context.Context, what string, done func() (bool, error)) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("waited a minute in vain for " + what)
}

func (p *player) collect(ctx context.Context) error {
	args := append([]string{"collect", "--request-id", p.asked.ID}, artifacts()...)
	var got json.RawMessage
	if err := p.client(ctx, &got, args...); err != nil {
		return err
	}
	p.step("The job collects the signatures and puts them beside the files:")
	p.command("countersign " + strings.Join(args, " "))
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			p.item(e.Name())
		}
	}
	return nil
}

// verify checks with openssl, as anybody could, and shows a changed file refused.
func (p *player) verify(ctx context.Context) error {
	p.step("Anybody checks that offline with tools they have:")
	for _, a := range artifacts() {
		p.command(fmt.Sprintf("openssl dgst -sha256 -verify countersign.pem -signature %s.sig %s", a, a))
		if out, err := p.openssl(ctx, a+".sig", a); err != nil {
			return fmt.Errorf("openssl refuses %s: %w\n%s", a, err, out)
		}
		p.result("Verified OK")
	}
	if _, err := p.openssl(ctx, artifacts()[0]+".sig", artifacts()[1]); err == nil {
		return errors.New("openssl accepts another file's signature")
	}
	p.result("and another file under the same signature: Verification failure, as it must be")
	return nil
}

func (p *player) openssl(ctx context.Context, signature, file string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "openssl", "dgst", "-sha256", "-verify", "countersign.pem", "-signature", signature, file)
	cmd.Dir = p.dir
	return cmd.CombinedOutput()
}
