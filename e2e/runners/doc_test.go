package runners_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is a fenced block of the manual with the comment that stands before it.
var block = regexp.MustCompile("(?s)<!-- file: ([^ \n]+) -->\n+```[a-z]*\n(.*?)\n```\n") //nolint:gochecknoglobals // a pattern

// manual are the files that a page of the manual shows, by their names there, with
// the gate's URL in them.
func manual(t *testing.T, page, url string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range block.FindAllStringSubmatch(string(content), -1) {
		if _, twice := out[m[1]]; twice {
			t.Fatalf("docs/%s shows %s twice", page, m[1])
		}
		out[m[1]] = strings.ReplaceAll(m[2], "https://countersign.example", url) + "\n"
	}
	return out
}

// shown are the files below a folder of what a page shows; there has to be one.
func shown(t *testing.T, page, url, folder string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, content := range manual(t, page, url) {
		if rest, ok := strings.CutPrefix(name, folder+"/"); ok {
			out[rest] = []byte(content)
		}
	}
	if len(out) == 0 {
		t.Fatalf("docs/%s shows no file %s/…", page, folder)
	}
	return out
}

// fence is a block of YAML of the manual.
var fence = regexp.MustCompile("(?s)```yaml\n(.*?)```") //nolint:gochecknoglobals // a pattern

// quickStart is the one block of a quick start that says something, as it stands there.
func quickStart(t *testing.T, page, says, url string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range fence.FindAllStringSubmatch(string(content), -1) {
		if strings.Contains(m[1], says) {
			found = append(found, m[1])
		}
	}
	if len(found) != 1 {
		t.Fatalf("docs/%s: expected one block that says %q, got %d", page, says, len(found))
	}
	return []byte(strings.ReplaceAll(found[0], "https://countersign.example", url))
}
