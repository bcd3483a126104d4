package policy

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/countersign/countersign/gate"
)

// gitlab is GitLab's file: in each section the last rule that matches a path names the
// section's owners of it.
type gitlab struct {
	sections []*section
	teams    []string
}

// section is all entries under headings of one name.
type section struct {
	name     string
	optional bool
	rules    []ownerRule
	excludes []ownerRule
}

// ownerRule is one line.
type ownerRule struct {
	pattern string // of doublestar, matched against the path with its leading slash
	owners  []string
}

func (r ownerRule) match(path string) bool { return doublestar.MatchUnvalidated(r.pattern, "/"+path) }

// gitlabReader goes through the lines.
type gitlabReader struct {
	file     *gitlab
	current  *section
	defaults []string
	patterns headings
}

// headings are the forms of a line.
type headings struct{ heading, owner *regexp.Regexp }

func gitlabOwners(content string) (gate.Owners, error) {
	r := gitlabReader{file: &gitlab{}, patterns: headings{
		heading: regexp.MustCompile(`^(\^)?\[([^\[\]]+)\](?:\[([0-9]{1,4})\])?((?:[ \t].*)?)$`),
		owner:   regexp.MustCompile(`^(@{1,2}[A-Za-z0-9_][A-Za-z0-9_./-]*|[^@\s]+@[^@\s]+\.[^@\s]+)$`),
	}}
	r.enter("", false)
	n := 0
	for line := range strings.Lines(content) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return r.file, nil
}

// enter opens a section, or goes on with one of the same name. One that is asked for
// under any of its headings is not optional.
func (r *gitlabReader) enter(name string, optional bool) {
	for _, s := range r.file.sections {
		if strings.EqualFold(s.name, name) {
			s.optional = s.optional && optional
			r.current = s
			return
		}
	}
	r.current = &section{name: name, optional: optional}
	r.file.sections = append(r.file.sections, r.current)
}

func (r *gitlabReader) line(line string) error {
	if strings.HasPrefix(line, "[") || strings.HasPrefix(line, "^[") {
		m := r.patterns.heading.FindStringSubmatch(line)
		if m == nil || strings.TrimSpace(m[2]) == "" {
			return fmt.Errorf("expected a section's heading such as [Docs][2] @acme/docs, got %.80q", line)
		}
		owners, err := r.owners(m[4])
		if err != nil {
			return err
		}
		r.enter(strings.TrimSpace(m[2]), m[1] != "")
		r.defaults = owners
		return nil
	}
	exclude := strings.HasPrefix(line, "!")
	pattern, rest := splitPattern(strings.TrimPrefix(line, "!"))
	owners, err := r.owners(rest)
	if err != nil {
		return err
	}
	compiled, err := fnmatch(pattern)
	if err != nil {
		return err
	}
	if exclude {
		if len(owners) > 0 {
			return fmt.Errorf("expected nothing after an excluded path, got %.80q", line)
		}
		r.current.excludes = append(r.current.excludes, ownerRule{pattern: compiled})
		return nil
	}
	if len(owners) == 0 {
		owners = r.defaults
	}
	r.current.rules = append(r.current.rules, ownerRule{pattern: compiled, owners: owners})
	return nil
}

// owners reads a list of owners and notes those that may be groups: without a slash too,
// for a user's name and a group's path look alike. GitLab has no comments behind a
// path: owners named in one are owners, its other words are nothing.
func (r *gitlabReader) owners(list string) ([]string, error) {
	var out []string
	comment := false
	for o := range strings.FieldsSeq(list) {
		comment = comment || strings.HasPrefix(o, "#")
		if !r.patterns.owner.MatchString(o) {
			if comment {
				continue
			}
			return nil, fmt.Errorf("expected an owner such as @ana, @acme/docs, @@maintainer or an e-mail address, got %.80q", o)
		}
		out = append(out, o)
		if name, ok := strings.CutPrefix(o, "@"); ok && !strings.HasPrefix(name, "@") {
			r.file.teams = add(r.file.teams, name)
		}
	}
	return out, nil
}

// splitPattern cuts a line at the first white space that no backslash escapes.
func splitPattern(line string) (pattern, rest string) {
	escaped := false
	for i, c := range line {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == ' ' || c == '\t':
			return line[:i], line[i:]
		}
	}
	return line, ""
}

// fnmatch makes a pattern of doublestar of one of Ruby's File.fnmatch with FNM_DOTMATCH and
// FNM_PATHNAME, which is how GitLab matches "/" and the path: relative patterns match in
// every folder, a trailing slash is a folder with all below it, a ** is any folders only
// between slashes, and braces are themselves.
func fnmatch(pattern string) (string, error) {
	if pattern == "" || strings.HasSuffix(pattern, `\`) && !strings.HasSuffix(pattern, `\\`) {
		return "", fmt.Errorf("expected a path, got %.80q", pattern)
	}
	out := strings.NewReplacer(`\ `, " ", "\\\t", "\t", `\#`, "#", `\{`, `\{`, `\}`, `\}`, "{", `\{`, "}", `\}`).Replace(pattern)
	switch {
	case out == "*":
		out = "/**/*"
	case !strings.HasPrefix(out, "/"):
		out = "/**/" + out
	}
	if strings.HasSuffix(out, "/") {
		out += "**/*"
	}
	segments := strings.Split(out, "/")
	for i, s := range segments {
		if s == "**" && i < len(segments)-1 {
			continue
		}
		for strings.Contains(s, "**") {
			s = strings.ReplaceAll(s, "**", "*")
		}
		segments[i] = s
	}
	out = strings.Join(segments, "/")
	if strings.Count(out, "**") > maxDeep+2 || strings.Count(out, "*") > maxStars {
		return "", fmt.Errorf("expected a pattern with fewer stars, got %.80q", pattern)
	}
	if !doublestar.ValidatePattern(out) {
		return "", fmt.Errorf("expected a pattern that closes its brackets, got %.80q", pattern)
	}
	return out, nil
}

// Sections are the owners of a path, section by section: GitLab asks for one of each.
func (g *gitlab) Sections(path string) [][]string {
	var out [][]string
	for _, s := range g.sections {
		if owners := s.of(path); !s.optional && len(owners) > 0 {
			out = append(out, owners)
		}
	}
	return out
}

func (s *section) of(path string) []string {
	for _, x := range s.excludes {
		if x.match(path) {
			return nil
		}
	}
	for i := len(s.rules) - 1; i >= 0; i-- {
		if s.rules[i].match(path) {
			return s.rules[i].owners
		}
	}
	return nil
}

// Teams implements gate.Owners.
func (g *gitlab) Teams() []string { return g.teams }
