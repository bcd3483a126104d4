package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// compared is one thing that was held against what was expected of it. Its texts are
// safe to print.
type compared struct {
	name, expected, got string
	ok                  bool
}

const (
	maxRows   = 100 // of a table: more than there are claims or checks
	maxCell   = 400 // characters of one text
	maxColumn = 60  // characters to which a column is aligned; longer texts push
)

// mark is the sign of a row and the word that says the same.
func (c compared) mark() (sign, word string) {
	if c.ok {
		return "✓", "ok"
	}
	return "✗", "differs"
}

func claimRows(claims []gate.ClaimCheck) []compared {
	var out []compared
	for _, c := range claims[:min(len(claims), maxRows)] {
		out = append(out, compared{cell(c.Claim), cell(c.Expected), cell(c.Got), c.OK})
	}
	return out
}

// checkRows are the refused checks that say what they expected.
func checkRows(r *api.Release) []compared {
	if r == nil {
		return nil
	}
	var out []compared
	for _, c := range r.Checks[:min(len(r.Checks), maxRows)] {
		if c.Outcome == gate.Denied && (c.Expected != "" || c.Got != "") {
			out = append(out, compared{cell(title(c)), cell(c.Expected), cell(c.Got), false})
		}
	}
	return out
}

// differing names the claims that are not what was expected, for where there is no room
// for a table.
func differing(claims []gate.ClaimCheck) string {
	var names []string
	for _, r := range claimRows(claims) {
		if !r.ok {
			names = append(names, r.name)
		}
	}
	return strings.Join(names, ", ")
}

// cell is a foreign text in one bounded line; what is empty says so.
func cell(s string) string {
	s = plain(s)
	if utf8.RuneCountInString(s) > maxCell {
		s = string([]rune(s)[:maxCell]) + "…"
	}
	return orElse(s, "nothing")
}

// table aligns rows under a head that names what they are.
func table(what string, rows []compared) []styled {
	if len(rows) == 0 {
		return nil
	}
	name, expected := utf8.RuneCountInString(what), len("expected")
	for _, r := range rows {
		name = min(max(name, utf8.RuneCountInString(r.name)), maxColumn)
		expected = min(max(expected, utf8.RuneCountInString(r.expected)), maxColumn)
	}
	line := func(sign, word, a, b, c string) string {
		return strings.TrimRight(fmt.Sprintf("  %s %-7s  %-*s  %-*s  %s", sign, word, name, a, expected, b, c), " ")
	}
	out := []styled{{"", line(" ", "", what, "expected", "got")}}
	for _, r := range rows {
		sign, word := r.mark()
		outcome := gate.Granted.String()
		if !r.ok {
			outcome = gate.Denied.String()
		}
		out = append(out, styled{outcome, line(sign, word, r.name, r.expected, r.got)})
	}
	return out
}

// markdownTable is the same for a job summary.
func markdownTable(what string, rows []compared) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n| | %s | Expected | Got |\n|---|---|---|---|\n", what)
	for _, r := range rows {
		sign, word := r.mark()
		fmt.Fprintf(&b, "| %s %s | %s | %s | %s |\n", sign, word, markdown(r.name), markdown(r.expected), markdown(r.got))
	}
	return b.String()
}
