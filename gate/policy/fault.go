package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/token"

	"github.com/countersign/countersign/gate"
)

// source is a file whose places can be shown to people.
type source struct {
	path  string
	lines []string
}

// place is a position in a source, both counted from 1; columns count characters.
type place struct{ line, column int }

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// fault refuses the file. The text is of several lines, made for a terminal as well
// as for a JSON string: what is wrong and where, the line itself, a caret under it.
func (s *source) fault(at place, what, expected, got, fix string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodePolicyInvalid,
		Text:     fmt.Sprintf("%s:%d:%d: %s%s", s.path, at.line, at.column, what, s.excerpt(at)),
		Expected: expected, Got: got, Fix: fix,
	}
}

// whole refuses the file as such.
func (s *source) whole(what, expected, got, fix string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodePolicyInvalid, Text: s.path + ": " + what,
		Expected: expected, Got: got, Fix: fix,
	}
}

// How much of a long line is shown, in characters.
const (
	shownBefore = 80
	shownLine   = 120
)

// excerpt is the line with a caret under the column, or nothing where the place is
// none of the file's.
func (s *source) excerpt(at place) string {
	if at.line > len(s.lines) {
		return ""
	}
	line := []rune(s.lines[at.line-1])
	column := min(at.column-1, len(line))
	if from := column - shownBefore; from > 0 {
		line, column = append([]rune("…"), line[from:]...), shownBefore+1
	}
	if len(line) > shownLine {
		line = append(line[:shownLine:shownLine], '…')
	}
	var pad strings.Builder
	for _, r := range line[:column] {
		if r == '\t' {
			pad.WriteRune('\t') // as wide as above, however wide that is
		} else {
			pad.WriteByte(' ')
		}
	}
	number := strconv.Itoa(at.line)
	gutter := strings.Repeat(" ", len(number))
	return fmt.Sprintf("\n %s | %s\n %s | %s^", number, printable(string(line)), gutter, pad.String())
}

// printable keeps what would act on the reader's terminal, or turn text around, out
// of an excerpt; one character stands for one, so that the caret stays right.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !strconv.IsPrint(r) {
			return '�'
		}
		return r
	}, s)
}

func quoted(s string) string {
	const limit = 80
	if len(s) > limit {
		return strconv.QuoteToGraphic(s[:limit]) + "…"
	}
	return strconv.QuoteToGraphic(s)
}
