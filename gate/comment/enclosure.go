package comment

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// enclosure keeps track of what renders around a paragraph though Markdown's tree
// does not show it: HTML elements left open across blank lines, and GitLab's
// quotes between lines of ">>>".
type enclosure struct {
	open   map[string]int // HTML elements by name
	fences []int          // offsets of ">>>" lines
}

func (e *enclosure) encloses(p *ast.Paragraph) bool {
	for _, n := range e.open {
		if n > 0 {
			return true
		}
	}
	inQuote := false
	for _, at := range e.fences {
		if p.Lines().Len() > 0 && at < p.Lines().At(0).Start {
			inQuote = !inQuote
		}
	}
	return inQuote
}

// pass counts the elements that a block opens and closes.
func (e *enclosure) pass(block ast.Node, source []byte) {
	_ = ast.Walk(block, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.HTMLBlock:
			var b bytes.Buffer
			for i := range n.Lines().Len() {
				segment := n.Lines().At(i)
				b.Write(segment.Value(source))
			}
			if n.HasClosure() {
				b.Write(n.ClosureLine.Value(source))
			}
			e.count(b.String())
		case *ast.RawHTML:
			var b bytes.Buffer
			for i := range n.Segments.Len() {
				segment := n.Segments.At(i)
				b.Write(segment.Value(source))
			}
			e.count(b.String())
		}
		return ast.WalkContinue, nil
	})
}

func (e *enclosure) count(html string) {
	if e.open == nil {
		e.open = map[string]int{}
	}
	for _, tag := range tags().FindAllStringSubmatch(html, -1) {
		name := strings.ToLower(tag[2])
		switch {
		case name == "": // an HTML comment
		case tag[1] == "/":
			e.open[name] = max(0, e.open[name]-1)
		case name == "br" || name == "hr" || name == "img" || name == "input" || name == "wbr": // never enclose
		default:
			e.open[name]++
		}
	}
}

// tags matches comments (no group) and tags (slash, name).
func tags() *regexp.Regexp {
	return regexp.MustCompile(`(?s)<!--.*?-->|<(/?)([A-Za-z][A-Za-z0-9-]*)`)
}

// quoteFences are the offsets of lines that open or close a multi-line quote
// (GitLab Flavored Markdown, "Multiline blockquote").
func quoteFences(source []byte) []int {
	var out []int
	at := 0
	for line := range bytes.Lines(source) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte(">>>")) {
			out = append(out, at)
		}
		at += len(line)
	}
	return out
}
