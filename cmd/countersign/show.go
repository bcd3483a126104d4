package main

import (
	"errors"
	"strings"

	"github.com/countersign/countersign/gate/api"
)

// show prints a request on standard output.
func (a *app) show(r api.Release) error {
	if a.flags.json {
		return a.printJSON(r)
	}
	var out strings.Builder
	for _, l := range report(r, false) {
		out.WriteString(l.text + "\n")
	}
	return a.print(out.String())
}

// showCollected prints what was written.
func (a *app) showCollected(r api.Release, paths []string) error {
	if a.flags.json {
		return a.printJSON(struct {
			Release api.Release `json:"release"`
			Files   []string    `json:"files"`
		}{r, paths})
	}
	return a.print(strings.Join(paths, "\n") + "\n")
}

func failureIn(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return nil
}
