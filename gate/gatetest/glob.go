package gatetest

import (
	"path"

	"github.com/countersign/countersign/gate"
)

// Glob is a matcher in the syntax of [path.Match]; a malformed pattern matches nothing.
func Glob(pattern string) gate.Matcher { return glob(pattern) }

type glob string

func (g glob) Match(s string) bool {
	ok, err := path.Match(string(g), s)
	return err == nil && ok
}

func (g glob) String() string { return string(g) }
