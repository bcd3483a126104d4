// Package docstest writes the parts of the manual that are made from the programs
// themselves.
package docstest

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Commands is the manual's page about a program: each command with what it does, how it is
// called, examples and flags. Hidden commands and flags are left out. The command that made
// it stands in the page.
func Commands(root *cobra.Command, intro, made string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", root.Name(), strings.TrimSpace(intro))
	fmt.Fprintf(&b, "\n| Command | What it does |\n|---|---|\n")
	all := runnable(root)
	for _, c := range all {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.CommandPath(), anchor(c.CommandPath()), c.Short)
	}
	if flags := root.PersistentFlags(); flags.HasAvailableFlags() {
		b.WriteString("\nEvery command takes\n\n" + table(flags))
	}
	for _, c := range all {
		command(&b, c)
	}
	fmt.Fprintf(&b, "\n---\n\nGenerated from the program's own help: `%s`.\n", made)
	return b.String()
}

// runnable are the commands that do something, in the order of help.
func runnable(c *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range c.Commands() {
		switch {
		case sub.Hidden || sub.Name() == "help" || sub.Name() == "completion":
		case sub.HasAvailableSubCommands():
			out = append(out, runnable(sub)...)
		default:
			out = append(out, sub)
		}
	}
	return out
}

func command(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n", c.CommandPath())
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	fmt.Fprintf(b, "%s\n\n```\n%s\n```\n", prose(about), c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\nFor example:\n\n```sh\n%s\n```\n", unindented(c.Example))
	}
	if flags := own(c); flags.HasAvailableFlags() {
		b.WriteString("\n" + table(flags))
	}
}

// own are a command's flags with those of its groups, without those of every command.
func own(c *cobra.Command) *pflag.FlagSet {
	out := pflag.NewFlagSet(c.Name(), pflag.ContinueOnError)
	everybodys := c.Root().PersistentFlags()
	add := func(f *pflag.Flag) {
		if everybodys.Lookup(f.Name) == nil {
			out.AddFlag(f)
		}
	}
	c.LocalFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	return out
}

// prose is help as Markdown: what it would read as tags or emphasis stays text.
func prose(s string) string {
	return strings.NewReplacer("<", `\<`, "*", `\*`, "|", `\|`).Replace(s)
}

// table lists flags with their defaults.
func table(flags *pflag.FlagSet) string {
	var b strings.Builder
	b.WriteString("| Flag | | Default |\n|---|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, prose(usage), standard(f))
	})
	return b.String()
}

// standard is a flag's default, where there is one that says something.
func standard(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "0", "[]", "0s":
		return ""
	}
	return "`" + f.DefValue + "`"
}

func unindented(s string) string {
	var lines []string
	for l := range strings.Lines(s) {
		lines = append(lines, strings.TrimPrefix(strings.TrimRight(l, "\n"), "  "))
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// anchor is a heading's, as GitHub and the server's manual make it.
func anchor(s string) string { return strings.ReplaceAll(strings.ToLower(s), " ", "-") }
