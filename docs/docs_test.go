package docs_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/countersign/countersign/docs"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

var update = flag.Bool("update", false, "write the table of contents anew")

// pages are the manual's pages and what stands beside the manual, by their paths in the
// repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := fs.Glob(docs.Files, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	below, err := fs.Glob(docs.Files, "*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, below...) {
		b, err := fs.ReadFile(docs.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		out["docs/"+name] = string(b)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "deploy/README.md"} {
		b, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(b)
	}
	return out
}

var (
	fence = regexp.MustCompile("(?ms)^( *)(```|~~~)[^\n]*\n.*?^ *(```|~~~)$")
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	head  = regexp.MustCompile(`(?m)^#{1,6} (.*)$`)
)

// Every link within the repository leads to a file that is there, and to a heading of it.
func TestLinks(t *testing.T) {
	all := pages(t)
	for from, text := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			to := from
			if file != "" {
				to = path.Join(path.Dir(from), file)
			}
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: nothing is at %s", from, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(all[to]), anchor) {
				t.Errorf("%s: %s has no heading %q", from, to, anchor)
			}
		}
	}
}

// anchors are those of a page's headings, as GitHub makes them.
func anchors(text string) []string {
	var out []string
	for _, m := range head.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		keep := func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
				return r
			}
			return -1
		}
		out = append(out, strings.Map(keep, strings.ToLower(strings.TrimSpace(m[1]))))
	}
	return out
}

// Every error that is named is one.
func TestCodes(t *testing.T) {
	known := map[string]bool{}
	for _, c := range gate.Codes() {
		known[c.Code.String()] = true
	}
	for from, text := range pages(t) {
		for _, code := range regexp.MustCompile(`CS-\d{4}`).FindAllString(text, -1) {
			if !known[code] {
				t.Errorf("%s names %s: there is no such error", from, code)
			}
		}
	}
}

// Every command that is shown is one, and so is each of its flags. The manual's pages of
// commands are held to the programs by the programs' own tests.
func TestCommands(t *testing.T) {
	all := pages(t)
	commands := map[string][]string{} // flags by command
	for _, program := range []string{"countersign", "countersignd"} {
		for name, flags := range described(all["docs/"+program+".md"]) {
			commands[name] = flags
		}
	}
	if len(commands) < 20 {
		t.Fatalf("%d commands are described", len(commands))
	}
	invocation := regexp.MustCompile("(?m)(?:^|[ `(])(countersignd?) ([a-z][^`\n|;&)]*)")
	for from, text := range all {
		joined := strings.ReplaceAll(text, "\\\n", " ")
		for _, m := range invocation.FindAllStringSubmatch(joined, -1) {
			name, rest, ok := longest(commands, m[1], m[2])
			if !ok {
				continue // "countersign signs": a sentence
			}
			for _, f := range regexp.MustCompile(`(?:^| )(--[a-z][a-z-]*)`).FindAllStringSubmatch(rest, -1) {
				if f[1] != "--help" && f[1] != "--json" && f[1] != "--version" && !slices.Contains(commands[name], f[1]) {
					t.Errorf("%s: %s has no flag %s", from, name, f[1])
				}
			}
		}
		for _, m := range regexp.MustCompile("`(countersignd? [a-z][a-z ]*)").FindAllStringSubmatch(text, -1) {
			program, rest, _ := strings.Cut(m[1], " ")
			if _, _, ok := longest(commands, program, rest); !ok && !group(commands, program+" "+rest) {
				t.Errorf("%s: there is no command %q", from, m[1])
			}
		}
	}
}

// described are the flags by command of a page of commands.
func described(page string) map[string][]string {
	out := map[string][]string{}
	for _, section := range strings.Split(page, "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		out[name] = nil
		for _, f := range regexp.MustCompile("(?m)^\\| `(?:-[a-z], )?(--[a-z-]+)").FindAllStringSubmatch(body, -1) {
			out[name] = append(out[name], f[1])
		}
	}
	return out
}

// longest finds the command that words begin with.
func longest(commands map[string][]string, program, words string) (name, rest string, ok bool) {
	parts := strings.Fields(words)
	for n := min(3, len(parts)); n > 0; n-- {
		name := program + " " + strings.Join(parts[:n], " ")
		if _, known := commands[name]; known {
			return name, " " + strings.Join(parts[n:], " "), true
		}
	}
	return "", "", false
}

// group reports whether words name what only holds commands: "countersignd keys".
func group(commands map[string][]string, words string) bool {
	for name := range commands {
		if strings.HasPrefix(name, strings.TrimSpace(words)+" ") {
			return true
		}
	}
	return false
}

var block = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// Every policy that is shown is one, and every step that uses an action gives it inputs that
// it has. The page on the policy file has tests of its own.
func TestExamples(t *testing.T) {
	policies, steps := 0, 0
	for from, text := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			if from != "docs/policy.md" && strings.HasPrefix(m[1], "version: 1\nreleases:") {
				policies++
				isPolicy(t, from, m[1])
			}
			var node any
			if err := yaml.Unmarshal([]byte(m[1]), &node); err != nil {
				t.Errorf("%s: %v", from, err)
			}
			for _, step := range uses(node) {
				steps++
				fits(t, from, step)
			}
		}
	}
	if policies < 3 || steps < 4 {
		t.Errorf("%d policies and %d steps are shown", policies, steps)
	}
}

// isPolicy reads a policy as one of either forge.
func isPolicy(t *testing.T, from, text string) {
	t.Helper()
	var why []error
	for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
		_, err := policy.Parse([]byte(text), policy.Origin{
			Repository: gate.RepositoryID{Forge: "forge", ID: 1}, DefaultBranch: "main", Kind: kind, Commit: strings.Repeat("1", 40), Keys: []string{"release"},
		})
		if err == nil {
			return
		}
		why = append(why, err)
	}
	t.Errorf("%s: the policy reads on no forge: %v\n%s", from, why, text)
}

const actions = "OWNER/countersign/action/"

// uses finds the steps that use one of our actions.
func uses(node any) []map[string]any {
	var out []map[string]any
	switch node := node.(type) {
	case []any:
		for _, x := range node {
			out = append(out, uses(x)...)
		}
	case map[string]any:
		if name, ok := node["uses"].(string); ok && strings.HasPrefix(name, actions) {
			return []map[string]any{node}
		}
		for _, x := range node {
			out = append(out, uses(x)...)
		}
	}
	return out
}

// fits holds a step to the inputs of the action that it uses.
func fits(t *testing.T, from string, step map[string]any) {
	t.Helper()
	used, _ := step["uses"].(string)
	name, version, _ := strings.Cut(strings.TrimPrefix(used, actions), "@")
	file, err := os.ReadFile(filepath.Join("..", "action", name, "action.yml"))
	if err != nil || version == "" {
		t.Errorf("%s uses %s: %v", from, used, err)
		return
	}
	var action struct {
		Inputs map[string]struct {
			Required bool `yaml:"required"`
		} `yaml:"inputs"`
	}
	if err := yaml.Unmarshal(file, &action); err != nil {
		t.Fatal(err)
	}
	given, _ := step["with"].(map[string]any)
	for input := range given {
		if _, ok := action.Inputs[input]; !ok {
			t.Errorf("%s gives %s an input %q, which it has not", from, name, input)
		}
	}
	for input, about := range action.Inputs {
		if _, ok := given[input]; !ok && about.Required {
			t.Errorf("%s gives %s no %s", from, name, input)
		}
	}
}

// The table of contents lists every page, with what it is about.
func TestContents(t *testing.T) {
	all := pages(t)
	var b strings.Builder
	b.WriteString("# The manual\n\nWhat to read first, and where to look things up. A running server serves these pages\nunder `/docs`.\n")
	listed := map[string]bool{"docs/index.md": true}
	for _, part := range docs.Contents() {
		fmt.Fprintf(&b, "\n## %s\n\n", part.Title)
		for _, name := range part.Pages {
			file := "docs/" + name + ".md"
			text, ok := all[file]
			if !ok {
				t.Errorf("the contents name %s, which is not there", file)
				continue
			}
			listed[file] = true
			title, body, _ := strings.Cut(strings.TrimPrefix(text, "# "), "\n")
			fmt.Fprintf(&b, "- [%s](%s.md): %s\n", title, name, summary(body))
		}
	}
	for file := range all {
		if strings.HasPrefix(file, "docs/") && !listed[file] {
			t.Errorf("no part of the contents lists %s", file)
		}
	}
	if *update {
		if err := os.WriteFile("index.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if all["docs/index.md"] != b.String() {
		t.Error("docs/index.md is stale; run: go test ./docs -run TestContents -update")
	}
}

// summary is the first sentence of a page.
func summary(body string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(body), "\n\n")
	first = strings.Join(strings.Fields(first), " ")
	if i := strings.Index(first, ". "); i >= 0 {
		first = first[:i+1]
	}
	if short, ok := strings.CutSuffix(first, ":"); ok {
		first = short + "."
	}
	return first
}
