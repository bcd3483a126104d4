package web_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/web"
)

var update = flag.Bool("update", false, "write the manual's generated parts anew")

// golden holds a file of the manual to what it should be.
func golden(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		at := 0
		for at < len(got) && at < len(want) && got[at] == want[at] {
			at++
		}
		t.Errorf("%s is stale from byte %d on, expected %.200q; run: go test ./web -run %s -update", path, at, want[at:], t.Name())
	}
}

func TestErrorsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Error codes\n\n" +
		"Every error of the server, and of the client where it passes one on, carries one of\n" +
		"these codes. They are stable and never reused. A running server explains them under\n`/errors/CS-nnnn`.\n")
	areas := map[int]string{
		10: "Identity", 11: "What is asked", 12: "Repository and policy", 13: "Requests", 14: "Deliveries",
		15: "Keys and signing", 16: "Forges", 17: "Comments", 18: "Configuration", 19: "The server itself",
	}
	last := 0
	for _, c := range gate.Codes() {
		area := int(c.Code) / 100
		if area != last {
			if areas[area] == "" {
				t.Errorf("%s is of no area", c.Code)
			}
			fmt.Fprintf(&b, "\n## %s\n", areas[area])
			last = area
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n**Next:** %s\n", c.Code, c.Meaning, c.Next)
	}
	b.WriteString("\n---\n\nGenerated from `gate.Codes()`: `go test ./web -run TestErrorsPage -update`.\n")
	golden(t, "../docs/errors.md", b.String())
}

// TestAPIPage runs every example of the manual's API page and holds the answer that is
// shown to the one that comes.
func TestAPIPage(t *testing.T) {
	const path = "../docs/api.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)<!-- given: (\\w+) -->\n```sh\n(.*?)```\n\n```http\n(.*?)```\n")
	ran := 0
	want := example.ReplaceAllStringFunc(string(doc), func(block string) string {
		ran++
		part := example.FindStringSubmatchIndex(block)
		r := curl(t, block[part[4]:part[5]])
		out := httptest.NewRecorder()
		given(t, block[part[2]:part[3]]).handler.ServeHTTP(out, r)
		return block[:part[6]] + shown(t, out) + "```\n"
	})
	if curls := strings.Count(string(doc), "\ncurl "); ran != curls || ran < 10 {
		t.Errorf("%d of %d examples were run", ran, curls)
	}
	golden(t, path, want)
}

// given is the world that an example finds.
func given(t *testing.T, state string) *world {
	t.Helper()
	w := newWorld(t)
	switch state {
	case "nothing":
		return w
	case "published":
		var a *annals
		w = newWorld(t, func(c *web.Config) { a = chronicle(t, c.Shelf.(*world), record(t, gate.StateSigned)); a.serve(c) })
		a.publish(t, logOrigin)
		return w
	case "misdirected":
		w.doubt = misdirected()
		return w
	}
	var opts []gatetest.Option
	if state == string(gate.StateWaiting) {
		opts = append(opts, unapproved())
	}
	rec := record(t, gate.State(state), opts...)
	var d map[string]any // for a page, the two checks that people ask about most
	if err := json.Unmarshal(rec.Decision, &d); err != nil {
		t.Fatal(err)
	}
	checks, _ := d["checks"].([]any)
	d["checks"] = slices.DeleteFunc(checks, func(c any) bool {
		name := c.(map[string]any)["name"]
		return name != string(gate.CheckCoverage) && name != string(gate.CheckApprovals)
	})
	var err error
	if rec.Decision, err = json.Marshal(d); err != nil {
		t.Fatal(err)
	}
	w.put(rec)
	return w
}

// curl makes the call that a curl command line makes.
func curl(t *testing.T, command string) *http.Request {
	t.Helper()
	method, url, body := http.MethodGet, "", ""
	header := http.Header{}
	words := shellWords(command)
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-X":
			i++
			method = words[i]
		case "-H":
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			header.Add(name, value)
		case "-d":
			i++
			body = words[i]
		default:
			url = words[i]
		}
	}
	if words[0] != "curl" || !strings.HasPrefix(url, origin+"/") {
		t.Fatalf("no call of the API: %q", words)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, strings.TrimPrefix(url, origin), strings.NewReader(body))
	_, proof, _ := strings.Cut(signature(body), ": ")
	expand := strings.NewReplacer("$ID_TOKEN", goodJob, "$SIGNATURE", proof)
	for name, values := range header {
		r.Header.Set(name, expand.Replace(values[0]))
	}
	return r
}

// shellWords splits a command line as a shell does, without expanding anything.
func shellWords(s string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|([^\s'"\\]+)`).FindAllStringSubmatch(s, -1) {
		out = append(out, m[1]+m[2]+m[3])
	}
	return out
}

// shown is an answer as the manual prints it.
func shown(t *testing.T, out *httptest.ResponseRecorder) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\n", out.Code, http.StatusText(out.Code))
	for _, name := range []string{"Content-Type", "Location", "WWW-Authenticate", "Allow", "Retry-After"} {
		if v := out.Header().Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if out.Body.Len() == 0 {
		return b.String()
	}
	b.WriteString("\n")
	var pretty bytes.Buffer
	if json.Indent(&pretty, out.Body.Bytes(), "", "  ") == nil {
		b.Write(pretty.Bytes())
		return b.String()
	}
	b.Write(out.Body.Bytes())
	return b.String()
}
