package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate/api"
)

// Commands is the program's whole command line.
func Commands() *cobra.Command { return newApp(nil, io.Discard, io.Discard).root() }

// Drawn is what a terminal is sent while a request goes from one state to the next.
func Drawn(w io.Writer, env map[string]string, now time.Time, states ...api.Release) {
	c := newConsole(w, env)
	c.terminal = true
	c.colour = env["NO_COLOR"] == ""
	c.begin(states[0])
	for _, r := range states[1:] {
		c.polling(now, now.Add(90*time.Second))
		c.changed(r)
	}
}

// Refused is what a terminal is sent where the gate refuses.
func Refused(w io.Writer, env map[string]string, p api.Problem) {
	c := newConsole(w, env)
	c.terminal = true
	c.colour = env["NO_COLOR"] == ""
	c.failure(&failure{problem: p})
}

// Annotated is an annotation of a line of a file.
func Annotated(file string, line int, title, message string) string {
	return annotated("error", spot{file, line}, title, message)
}
