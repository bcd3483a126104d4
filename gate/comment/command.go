package comment

import (
	"strings"

	"github.com/countersign/countersign/gate"
)

// Word starts every command.
const Word = "/countersign"

// MaxBody is the longest comment that is read, in bytes: GitHub's own limit.
const MaxBody = 64 << 10

// Command is one command as somebody wrote it.
type Command struct {
	Verb gate.Verb
	// Code is the request's code in lower case, "" where none was given. Whatever looks
	// like one (four letters and digits, a digit among them) is taken for one, so that a
	// mistyped code never falls on another request.
	Code string
	// Text is what follows on the line: the reason of a denial.
	Text string
}

// verbs in the order in which help shows them.
func verbs() []gate.Verb {
	return []gate.Verb{
		gate.VerbApprove, gate.VerbDeny, gate.VerbHold, gate.VerbUnhold,
		gate.VerbWithdraw, gate.VerbRetry, gate.VerbStatus, gate.VerbHelp,
	}
}

// Parse finds the one command of a comment. It reports false where there is none,
// and where there are several that differ: nobody can tell which was meant. Each
// alias (such as "/approve-release") stands for "/countersign approve".
func Parse(body string, aliases ...string) (Command, bool) {
	f := scan(body, aliases)
	if len(f.commands) != 1 {
		return Command{}, false
	}
	return f.commands[0], true
}

// Hint says what to write instead, where a comment holds nearly a command, or
// several. It reports false where the comment holds a command, or none at all.
// The text is plain Markdown made by us alone: nothing of the comment is in it.
func Hint(body string, aliases ...string) (string, bool) {
	f := scan(body, aliases)
	switch {
	case len(f.commands) > 1:
		return "this comment holds several commands; write one per comment", true
	case len(f.commands) == 1 || len(f.hints) == 0:
		return "", false
	}
	return f.hints[0], true
}

// read takes a line apart. It reports whether the line is a command; if not, hint
// says what was probably meant, or is empty.
func read(line string, aliases []string) (cmd Command, hint string, ok bool) {
	word, rest := next(line)
	switch {
	case isAlias(word, aliases):
		return withRest(gate.VerbApprove, rest), "", true
	case strings.EqualFold(word, Word):
		return afterWord(rest)
	case near(word, Word):
		return Command{}, didYouMean(bestVerb(rest)), false
	}
	return Command{}, "", false
}

func afterWord(rest string) (Command, string, bool) {
	verb, rest := next(rest)
	for _, v := range verbs() {
		if strings.EqualFold(verb, string(v)) {
			return withRest(v, rest), "", true
		}
	}
	if v := bestVerb(verb); v != "" {
		return Command{}, didYouMean(v), false
	}
	var all []string
	for _, v := range verbs() {
		all = append(all, "`"+string(v)+"`")
	}
	return Command{}, "after `" + Word + "` comes one of " + strings.Join(all, ", "), false
}

func withRest(v gate.Verb, rest string) Command {
	cmd := Command{Verb: v, Text: rest}
	if first, after := next(rest); isCode(first) {
		cmd.Code, cmd.Text = strings.ToLower(first), after
	}
	return cmd
}

// isCode: the server draws codes with a digit among them, so that no word is one.
func isCode(s string) bool {
	digit := false
	for _, r := range s {
		isDigit := r >= '0' && r <= '9'
		if !isDigit && (r|0x20 < 'a' || r|0x20 > 'z') {
			return false
		}
		digit = digit || isDigit
	}
	return len(s) == 4 && digit
}

// next cuts the first word off; words end at spaces and tabs alone.
func next(s string) (word, rest string) {
	s = strings.Trim(s, " \t")
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.Trim(s[i:], " \t")
}

func isAlias(word string, aliases []string) bool {
	for _, a := range aliases {
		if a != "" && strings.EqualFold(word, a) {
			return true
		}
	}
	return false
}
