package policy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hmarr/codeowners"

	"github.com/countersign/countersign/gate"
)

// Bounds of a code owners' file.
const (
	maxOwnersFile  = 3 << 20 // GitHub reads no larger one
	maxOwnersLine  = 32 << 10
	maxOwnersLines = 10_000
)

// CompileOwners reads a code owners' file as the forge does. What it cannot read is an
// error, never a file with fewer owners: the decision then waits. Owners are given as the
// file spells them ("@login", "@organisation/team", an e-mail address, GitLab's
// "@@maintainer"); teams without the @, as [gate.Needs] names them. GitLab's optional
// sections are left out; how many approvals a section asks for is GitLab's own to enforce.
//
// Sources: docs.github.com "About code owners"; docs.gitlab.com "Code Owners syntax".
func CompileOwners(file gate.OwnersFile, kind gate.ForgeKind) (gate.Owners, error) {
	content := bytes.TrimPrefix(file.Content, []byte("\ufeff"))
	if err := readable(content); err != nil {
		return nil, fmt.Errorf("code owners of %s: %w", file.Path, err)
	}
	compile := githubOwners
	if kind == gate.GitLab {
		compile = gitlabOwners
	}
	o, err := compile(string(content))
	if err != nil {
		return nil, fmt.Errorf("code owners of %s: %w", file.Path, err)
	}
	return o, nil
}

func readable(content []byte) error {
	switch {
	case len(content) > maxOwnersFile:
		return fmt.Errorf("expected at most %d bytes, got %d", maxOwnersFile, len(content))
	case !utf8.Valid(content):
		return errors.New("expected UTF-8, got other bytes")
	}
	n := 0
	for line := range bytes.Lines(content) {
		if n++; len(line) > maxOwnersLine {
			return fmt.Errorf("line %d: expected at most %d bytes, got %d", n, maxOwnersLine, len(line))
		}
	}
	if n > maxOwnersLines {
		return fmt.Errorf("expected at most %d lines, got %d", maxOwnersLines, n)
	}
	return nil
}

// github is GitHub's file: the last rule that matches a path names all of its owners.
type github struct {
	rules codeowners.Ruleset
	teams []string
}

func githubOwners(content string) (gate.Owners, error) {
	if err := plainPatterns(content); err != nil {
		return nil, err
	}
	rules, err := codeowners.ParseFile(strings.NewReader(content))
	if err != nil {
		return nil, err
	}
	g := &github{rules: rules}
	for _, rule := range rules {
		for _, o := range rule.Owners {
			if o.Type == codeowners.TeamOwner {
				g.teams = add(g.teams, o.Value)
			}
		}
	}
	return g, nil
}

// plainPatterns refuses what the library reads as something else. A # inside a pattern, read
// as a comment, would cut off the owners of a path, and nobody can tell whether it was
// meant to; a lone / stands for no file, and the library cannot match it.
func plainPatterns(content string) error {
	n := 0
	for line := range strings.Lines(content) {
		n++
		pattern, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(line), "\t", " "), " ")
		if i := strings.Index(pattern, "#"); i > 0 {
			return fmt.Errorf("line %d: expected a pattern without #, got %.80q", n, pattern)
		}
		if pattern == "/" {
			return fmt.Errorf("line %d: expected a path or a pattern, got / alone; write * for all files", n)
		}
	}
	return nil
}

// Sections are the owners of a path as one list: any of them will do.
func (g *github) Sections(path string) [][]string {
	rule, err := g.rules.Match(path)
	if err != nil || rule == nil || len(rule.Owners) == 0 { // patterns are compiled: matching has no errors
		return nil
	}
	var out []string
	for _, o := range rule.Owners {
		out = append(out, o.String())
	}
	return [][]string{out}
}

// Teams implements gate.Owners.
func (g *github) Teams() []string { return g.teams }
