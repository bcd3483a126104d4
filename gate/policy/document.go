package policy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds that keep a hostile file from costing more than a friendly one: nesting
// costs stack, and every level of it costs a bracket or a piece of a line; the
// parser's time grows with the square of the lines.
const (
	maxLines    = 5000
	maxLine     = 2000
	maxBrackets = 1000
)

// open parses the one document of a file, and refuses all of YAML that lets one
// text mean another: anchors, aliases, tags, merge keys, directives, several
// documents (attack 78). Minimal is what an empty file is told to start with.
func open(path string, file []byte, minimal string) (*source, ast.Node, error) {
	s := &source{path: path, lines: strings.Split(string(file), "\n")}
	if err := s.plain(file); err != nil {
		return nil, nil, err
	}
	doc, err := parser.ParseBytes(file, 0, parser.AllowDuplicateMapKey()) // reader.fields refuses them, in its own words
	if err != nil {
		return nil, nil, s.syntax(err)
	}
	var body ast.Node
	for _, d := range doc.Docs {
		if d.Body == nil {
			continue
		}
		v := &forbidding{s: s}
		if ast.Walk(v, d.Body); v.err != nil {
			return nil, nil, v.err
		}
		if body != nil {
			return nil, nil, s.fault(start(d.Body), "a second document", "one document", "several", "keep one, without ---")
		}
		body = d.Body
	}
	if body == nil {
		return nil, nil, s.whole("the file is empty", "a policy", "nothing", "start with:\n"+strings.TrimSpace(minimal))
	}
	return s, body, nil
}

// plain checks the bytes before anything parses them.
func (s *source) plain(file []byte) error {
	const fix = "write it as plain YAML in UTF-8"
	switch {
	case len(file) > MaxFile:
		return s.whole("the file is too large", fmt.Sprintf("at most %d bytes", MaxFile), fmt.Sprintf("%d bytes", len(file)), "keep only the policy in it")
	case !utf8.Valid(file):
		return s.whole("the file is not UTF-8", "UTF-8", "other bytes", fix)
	case len(s.lines) > maxLines:
		return s.whole("the file has too many lines", fmt.Sprintf("at most %d", maxLines), fmt.Sprint(len(s.lines)), "keep only the policy in it")
	case bytes.Count(file, []byte("["))+bytes.Count(file, []byte("{")) > maxBrackets:
		return s.whole("the file nests too much", fmt.Sprintf("at most %d brackets", maxBrackets), "more", fix)
	}
	for n, line := range s.lines {
		s.lines[n] = strings.TrimSuffix(line, "\r")
		if len(line) > maxLine {
			return s.whole(fmt.Sprintf("line %d is too long", n+1), fmt.Sprintf("at most %d bytes", maxLine), fmt.Sprintf("%d bytes", len(line)), fix)
		}
		column := 0
		for _, r := range s.lines[n] {
			column++
			if r < ' ' && r != '\t' || r == 0x7f || isInvisible(r) {
				return s.fault(place{n + 1, column}, fmt.Sprintf("an invisible character, %U", r), "text that reads as it looks", fmt.Sprintf("%U", r), "delete it")
			}
		}
	}
	return nil
}

// isInvisible: bidi controls, zero-width characters, the byte order mark, and the line
// separators that some YAML readers take for line ends.
func isInvisible(r rune) bool {
	return r >= 0x80 && r <= 0x9f || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff || r == 0x61c
}

func (s *source) syntax(err error) error {
	var e yaml.Error
	if !errors.As(err, &e) {
		return s.whole("the file is not YAML", "YAML", "something else", "check it with a YAML linter")
	}
	message, _, _ := strings.Cut(e.GetMessage(), "\n")
	return s.fault(placeOf(e.GetToken()), message, "YAML", "what does not read as YAML", "mend the line above the caret, or the one before it")
}

// forbidding finds the first node of a kind that is not allowed.
type forbidding struct {
	s   *source
	err error
}

// Visit implements ast.Visitor.
func (v *forbidding) Visit(n ast.Node) ast.Visitor {
	if v.err != nil {
		return nil
	}
	name := map[ast.NodeType]string{
		ast.AnchorType: "an anchor", ast.AliasType: "an alias", ast.TagType: "a tag",
		ast.MergeKeyType: "a merge key", ast.DirectiveType: "a directive",
	}[n.Type()]
	if name != "" {
		v.err = v.s.fault(placeOf(n.GetToken()), name+" is not allowed here", "plain YAML, where every text means itself", name, "write the value out")
		return nil
	}
	return v
}
