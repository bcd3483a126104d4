package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// manual are the commands that the manual names, taken from the page as they are. They are
// written for one release; the folder's names take the place of that one's.
func manual() verifier {
	return verifier{name: "as in the manual", manual: true, cells: map[column]check{
		whole: {runScript, []refusal{{changedFiles, `.`}}},
	}}
}

// A lesson is one block of commands of the manual.
type lesson struct {
	heading, script string
}

var (
	section = regexp.MustCompile(`(?ms)^## With stock tools$(.*?)(?:^## |\z)`)
	block   = regexp.MustCompile("(?ms)^### ([^\n]*)$|^```sh\n(.*?)^```$")
)

// lessons are the blocks of shell commands under the page's heading "With stock tools".
func lessons(page string) ([]lesson, error) {
	b, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	found := section.FindSubmatch(b)
	if found == nil {
		return nil, fmt.Errorf("%s: expected a heading \"With stock tools\", got none", page)
	}
	var out []lesson
	heading := ""
	for _, m := range block.FindAllSubmatch(found[1], -1) {
		if len(m[1]) > 0 {
			heading = string(m[1])
			continue
		}
		out = append(out, lesson{heading, string(m[2])})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: expected commands under \"With stock tools\", got none", page)
	}
	return out, nil
}

// translate puts the folder's names in the place of the manual's.
func (f *folder) translate(script string) (string, error) {
	if len(f.subjects) == 0 {
		return "", errors.New("expected a release of at least one file")
	}
	return strings.NewReplacer(
		"git+https://github.com/acme/app@refs/tags/v1.4.0", f.summary.Resource,
		"https://github.com/acme/app/.countersign.yaml@refs/heads/main", f.signer.Identity,
		"https://countersign.example", f.summary.Verifier,
		"acme/app", strings.TrimPrefix(f.signer.Repository, github),
		"app.tar.gz", f.subjects[0],
		"v1.4.0", f.release,
	).Replace(script), nil
}

// manualInputs are the manual's blocks, for a folder that has all they need.
func (f *folder) manualInputs(page string) ([]inputs, error) {
	list, err := lessons(page)
	if err != nil {
		return nil, err
	}
	var out []inputs
	for i, l := range list {
		in := f.common()
		if in.script, err = f.translate(l.script); err != nil {
			return nil, err
		}
		in.artifact, in.proof = f.path(f.subjects[0]), fmt.Sprintf("%s, block %d of the manual", l.heading, i+1)
		out = append(out, in)
	}
	return out, nil
}

// runScript runs a block in a copy of the folder, to which the release key was added under
// the name that the manual gives it.
func runScript(ctx context.Context, t toolbox, in inputs) (string, error) {
	dir := filepath.Join(in.scratch, "release")
	if err := copyFiles(in.folder, dir); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(dir, "countersign.pem"), filepath.Join(dir, "release.pem")); err != nil {
		return "", err
	}
	return t.run(ctx, in.scratch, "", "bash", "-euo", "pipefail", "-c", "cd \"$0\"\n"+in.script, dir)
}

// changedFiles is a folder whose first file was changed, and SHA256SUMS with it.
var changedFiles = twin{"file", func(in inputs) (inputs, error) {
	name, err := filepath.Rel(in.folder, in.artifact)
	if err != nil {
		return in, err
	}
	if in, err = copied(in); err != nil {
		return in, err
	}
	for _, name := range []string{name, "SHA256SUMS"} {
		b, err := os.ReadFile(filepath.Join(in.folder, name))
		if err != nil {
			return in, err
		}
		b[0] ^= 1
		if err := os.WriteFile(filepath.Join(in.folder, name), b, 0o600); err != nil {
			return in, err
		}
	}
	return in, nil
}}

// copyFiles copies a release's files, which lie side by side or in folders.
func copyFiles(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}
