package manual_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/countersign/countersign/docs"
	"github.com/countersign/countersign/web/manual"
)

func TestRead(t *testing.T) {
	pages, err := manual.Read(fstest.MapFS{
		"policy.md": {Data: []byte(`# The policy *file*

A file says **what** may
be released. And more.

## Fields & values

See [errors](errors.md#cs-1001), [itself](#fields--values), [the code](../gate/policy),
[CEL](https://cel.dev) and ![a picture](screenshots/inbox.png).
<script>alert(1)</script>

| Field | Meaning |
|:--|--:|
| ` + "`tags`" + ` | globs |

Your ` + "`OWNER/countersign`" + ` at https://countersign.example.
`)},
		"errors.md": {Data: []byte("# Errors\n\n### CS-1001\n")},
		"notes.txt": {Data: []byte("no page")},
	}, "/docs/")
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != 2 {
		t.Fatalf("got %d pages of 2", len(pages))
	}
	p := pages["policy"]
	if p.Name != "policy" || p.Title != "The policy file" || p.Summary != "A file says what may be released." {
		t.Errorf("got %q, %q, %q", p.Name, p.Title, p.Summary)
	}
	if len(p.Sections) != 1 || p.Sections[0].ID != "fields--values" || p.Sections[0].Title != "Fields & values" {
		t.Errorf("sections are %v", p.Sections)
	}
	body := string(p.Body)
	for _, want := range []string{
		`<h2 id="fields--values">Fields &amp; values <a href="#fields--values" title="Link to this section" class="anchor">#</a></h2>`,
		`<a href="/docs/errors#cs-1001">errors</a>`, `<a href="#fields--values">itself</a>`, `the code,`, `<a href="https://cel.dev">CEL</a>`,
		"a picture", `<div class="wide" tabindex="0"><table>`, "<code>OWNER/countersign</code>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("expected %s in\n%s", want, body)
		}
	}
	for _, bad := range []string{"<script", "style=", "<img", "../gate", "<h1"} {
		if strings.Contains(body, bad) {
			t.Errorf("found %s in\n%s", bad, body)
		}
	}
}

// Every link of the manual within itself leads somewhere, and every page says what it is.
func TestManualIsWhole(t *testing.T) {
	pages, err := manual.Read(docs.Files, "/docs/")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`href="(?:/docs/([a-z-]+))?(?:#([^"]*))?"`)
	for name, p := range pages {
		if p.Title == "" || p.Summary == "" || p.Body == "" {
			t.Errorf("%s.md: expected a heading of the first level, a paragraph and more", name)
		}
		for _, l := range link.FindAllStringSubmatch(string(p.Body), -1) {
			to := name
			if l[1] != "" {
				to = l[1]
			}
			if l[2] != "" && !strings.Contains(string(pages[to].Body), `id="`+l[2]+`"`) {
				t.Errorf("%s.md links to %s.md#%s, where no heading is", name, to, l[2])
			}
		}
		if bad := regexp.MustCompile(`<[^>]*\sstyle=|<script`).FindString(string(p.Body)); bad != "" {
			t.Errorf("%s.md: the page holds %q, which its CSP forbids", name, bad)
		}
	}
	for _, part := range docs.Contents() {
		for _, name := range part.Pages {
			if _, ok := pages[name]; !ok {
				t.Errorf("the contents name %s.md, which the manual has not", name)
			}
		}
	}
}
