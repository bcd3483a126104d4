package comment

import (
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// findings are the different commands of a comment, and what was nearly one.
type findings struct {
	commands []Command
	hints    []string
}

func (f *findings) hint(s string) {
	if s != "" {
		f.hints = append(f.hints, s)
	}
}

// Hints for commands in the wrong place.
const (
	hintBackticks = "a command in backticks is only quoted; write it without them, on a line of its own"
	hintAlone     = "a command starts its own paragraph; put an empty line before it"
	hintHTML      = "a command inside HTML or a quote does not count; put it at the top of the comment"
	hintTooLong   = "this comment is too long to be read; write the command in one of its own"
)

// scan walks the top-level blocks of a comment, as the forge would render them.
func scan(body string, aliases []string) findings {
	var f findings
	if len(body) > MaxBody {
		if _, _, ok := read(firstLine(body), aliases); ok {
			f.hint(hintTooLong)
		}
		return f
	}
	// Browsers send CRLF; Markdown ends lines at a lone CR too.
	source := []byte(strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n"))
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	inside := enclosure{fences: quoteFences(source)}
	for block := doc.FirstChild(); block != nil; block = block.NextSibling() {
		p, isParagraph := block.(*ast.Paragraph)
		if !isParagraph {
			inside.pass(block, source)
			continue
		}
		lines := linesOf(p, source)
		if quotesMail(lines) {
			break // below it stands somebody else's mail
		}
		f.paragraph(lines, startsWithCode(p, source), inside.encloses(p), aliases)
		inside.pass(block, source)
	}
	return f
}

func (f *findings) paragraph(lines []string, code string, enclosed bool, aliases []string) {
	if code != "" {
		if _, hint, ok := read(code, aliases); ok || hint != "" {
			f.hint(hintBackticks)
		}
		return
	}
	cmd, hint, ok := read(lines[0], aliases)
	switch {
	case ok && enclosed:
		f.hint(hintHTML)
	case ok:
		f.add(cmd)
	default:
		f.hint(hint)
	}
	for _, line := range lines[1:] {
		below, _, isCommand := read(line, aliases)
		switch {
		case isCommand && ok && !enclosed:
			f.add(below) // two commands under each other: neither is carried out unless they agree
		case isCommand:
			f.hint(hintAlone)
		}
	}
}

func (f *findings) add(c Command) {
	if !slices.Contains(f.commands, c) {
		f.commands = append(f.commands, c)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r")
}

func linesOf(block ast.Node, source []byte) []string {
	var out []string
	for i := range block.Lines().Len() {
		segment := block.Lines().At(i)
		out = append(out, strings.Trim(string(segment.Value(source)), " \t\n"))
	}
	return append(out, "")[:max(len(out), 1)]
}

// startsWithCode is the text of the code span that a paragraph starts with, or "".
func startsWithCode(p *ast.Paragraph, source []byte) string {
	span, ok := p.FirstChild().(*ast.CodeSpan)
	if !ok {
		return ""
	}
	var b strings.Builder
	for child := span.FirstChild(); child != nil; child = child.NextSibling() {
		if t, ok := child.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
		}
	}
	return b.String()
}

// quotesMail recognises the line with which mail programs introduce the mail that
// is replied to, where they do not mark it with ">".
func quotesMail(lines []string) bool {
	for i, line := range lines {
		next := ""
		if i+1 < len(lines) {
			next = lines[i+1]
		}
		switch {
		case strings.HasPrefix(line, "On ") && (strings.HasSuffix(line, "wrote:") || strings.HasSuffix(next, "wrote:")):
			return true
		case strings.HasPrefix(line, "-----Original Message"):
			return true
		case strings.HasPrefix(line, "From: ") && (strings.HasPrefix(next, "Sent: ") || strings.HasPrefix(next, "Date: ")):
			return true
		}
	}
	return false
}
