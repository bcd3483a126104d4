// Package frametest holds pages to one promise: whatever text stands in whatever field of what
// they show, they stay the pages that they are.
package frametest

import (
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/frame"
)

// Case is a page and what it shows.
type Case struct {
	Page frame.Page
	// Model makes a pointer to the zero model, which is then filled; after, if there is one,
	// runs on what was filled, to choose what of it the page shows.
	Model func() (model any, after func())
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// HoldText holds every page to the elements and attributes that it has for harmless text in the
// same places, whatever the text, and to addresses that lead nowhere but by http and https.
func HoldText(t *testing.T, cases map[string]Case) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				shape := filler{
					many: rapid.IntRange(0, 2).Draw(t, "many"), yes: rapid.Bool().Draw(t, "yes"),
					state: rapid.SampledFrom(states()).Draw(t, "state"), outcome: gate.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome")),
					text: "harmless",
				}
				harmless := bones(t, name, cases[name], shape)
				shape.text = hostile().Draw(t, "text")
				same(t, harmless, bones(t, name, cases[name], shape))
			})
		})
	}
}

// HoldAddresses is [HoldText] for addresses that a page may link to, and for those that it may
// not.
func HoldAddresses(t *testing.T, cases map[string]Case) {
	t.Helper()
	for name, c := range cases {
		shape := filler{many: 2, yes: true, state: gate.StateWaiting, outcome: gate.Waiting, text: "https://forge.example/a"}
		harmless := bones(t, name, c, shape)
		for _, text := range []string{
			`https://forge.example/"><script>alert(1)</script>`, `https://forge.example/' onclick='alert(1)`, "https://forge.example/\u202e",
			`http://forge.example/?a=<b>&quot;`,
		} {
			shape.text = text
			same(t, harmless, bones(t, name, c, shape))
		}
		shape.text = "harmless"
		harmless = bones(t, name, c, shape)
		for _, text := range []string{
			"javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>",
			"vbscript:x", "//evil.example/", `\\evil.example`, "https:evil.example", "https://user:pw@evil.example/", "file:///etc/passwd", "https://forge.example/\u0000", "blob:https://x/y",
		} {
			shape.text = text
			same(t, harmless, bones(t, name, c, shape))
		}
	}
}

func states() []gate.State {
	return []gate.State{
		gate.StateWaiting, gate.StateGranted, gate.StateSigning, gate.StateSigned, gate.StatePublished,
		gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid, gate.StateFailed,
	}
}

// hostile is text as somebody would choose it who wants more than to be read.
func hostile() *rapid.Generator[string] {
	parts := rapid.SampledFrom([]string{
		`"`, `'`, `<`, `>`, `&`, "`", `=`, `/`, `\`, ` `, "\n", "\x00", "{{", "}}", "${", "<!--", "-->", "]]>", "\u2028", "\u202e", "\uFEFF", "&lt;", "&#60;", "\xff",
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</title>`, `</textarea>`, `</main>`, `<svg/onload=alert(1)>`,
		`<a href="javascript:alert(1)">`, `javascript:alert(1)`, `<style>`, `<base href=//evil>`, `<form action=//evil>`, `<meta http-equiv=refresh>`, `hx-get="/x"`, "x",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(parts, 1, 6).Draw(t, "parts"), "")
	})
}

// filler fills a model: one text in every string, one shape in everything else.
type filler struct {
	text    string
	many    int // elements of every list
	yes     bool
	state   gate.State
	outcome gate.Outcome
}

func (f filler) fill(v reflect.Value, depth int) {
	if depth > 12 || !v.CanSet() && v.Kind() != reflect.Pointer {
		return
	}
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1772452800, 0)))
		return
	case template.HTML:
		return // what is trusted is not of others' making
	case gate.State:
		v.Set(reflect.ValueOf(f.state))
		return
	case gate.Outcome:
		v.Set(reflect.ValueOf(f.outcome))
		return
	}
	switch v.Kind() { //nolint:exhaustive // the others hold no text
	case reflect.String:
		v.SetString(f.text)
	case reflect.Bool:
		v.SetBool(f.yes)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Pointer:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		f.fill(v.Elem(), depth+1)
	case reflect.Struct:
		f.fillFields(v, depth)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.many, f.many))
		for i := range v.Len() {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		f.fillMap(v, depth)
	}
}

func (f filler) fillFields(v reflect.Value, depth int) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch {
		case slices.Contains([]string{"Path", "Older"}, field.Name) && field.Type.Kind() == reflect.String:
			v.Field(i).SetString("/own") // by these names handlers give paths that they made
		case field.IsExported():
			f.fill(v.Field(i), depth+1)
		}
	}
}

func (f filler) fillMap(v reflect.Value, depth int) {
	v.Set(reflect.MakeMap(v.Type()))
	for range min(f.many, 1) {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key, depth+1)
		f.fill(value, depth+1)
		v.SetMapIndex(key, value)
	}
}

// bones renders a page whose model and frame are filled.
func bones(t fataler, name string, c Case, f filler) []string {
	filled, after := c.Model()
	model := reflect.ValueOf(filled)
	f.fill(model, 0)
	if after != nil {
		after()
	}
	var v frame.View
	f.fill(reflect.ValueOf(&v), 0)
	v.Body, v.Area, v.Self = model.Elem().Interface(), frame.Keys, "/own"
	if !f.yes {
		v.Person, v.Live = nil, ""
	}
	var page strings.Builder
	if err := c.Page.Show(&page, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	root, err := html.Parse(strings.NewReader(page.String()))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	out := []string{}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			out = append(out, "comment")
		}
		if n.Type != html.ElementNode {
			continue
		}
		line := n.Data
		for _, a := range n.Attr {
			line += " " + a.Key
			if leads(a.Key) && !harmless(a.Val) {
				t.Fatalf("%s: <%s %s=%q> leads to no page", name, n.Data, a.Key, a.Val)
			}
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Fatalf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
			}
		}
		out = append(out, line)
	}
	return out
}

// leads reports whether an attribute's value is an address that a browser may go to.
func leads(attribute string) bool {
	return slices.Contains([]string{"href", "src", "action", "formaction", "hx-get", "hx-post", "sse-connect", "cite", "poster", "data"}, attribute)
}

// harmless is an address on this server, or one by http or https.
func harmless(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	switch {
	case u.Scheme == "http", u.Scheme == "https":
		return u.Host != "" && u.User == nil
	case u.Scheme != "" || u.Host != "" || strings.HasPrefix(raw, "//") || strings.Contains(raw, `\`):
		return false
	}
	return strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "#") || strings.HasPrefix(raw, "?")
}

// same compares the bones of two pages.
func same(t fataler, want, got []string) {
	for i := range max(len(want), len(got)) {
		a, b := "nothing", "nothing"
		if i < len(want) {
			a = want[i]
		}
		if i < len(got) {
			b = got[i]
		}
		if a != b {
			t.Fatalf("%s", fmt.Sprintf("element %d is <%s>, with hostile text <%s>", i, a, b))
		}
	}
}
