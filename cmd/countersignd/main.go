// Command countersignd is the release gate's daemon and its operator's tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes: 0 done, 1 something failed, 2 the command line or the configuration is wrong.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand(stdin)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	said, usage := "countersignd: "+explain(err), isUsage(err)
	if usage {
		said = strings.TrimRight(said, "\n") + "\nSee countersignd --help."
	}
	fmt.Fprintln(stderr, said)
	if usage || gate.KindOf(err) == gate.Invalid {
		return 2
	}
	return 1
}

func rootCommand(stdin io.Reader) *cobra.Command {
	root := &cobra.Command{
		Use:   "countersignd",
		Short: "A self-hosted release gate: judges, waits for approval, signs through an HSM",
		Long: `countersignd is the daemon of Countersign, a release gate for GitHub and GitLab.

Start with
  countersignd setup
and, once it is set up,
  countersignd serve`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), configCommand(), keysCommand(), policyCommand(), ledgerCommand(), probeCommand(), doctorCommand(), hooksCommand(), setupCommand(stdin), workerCommand(stdin))
	return root
}

// explain is err for the operator: what is wrong, what was expected, what came, what next.
func explain(err error) string {
	var e *gate.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(e.Code.String() + ": " + e.Text)
	// After a list, or lines of a file, what follows is not about the last of them.
	before, after, next := " (", ")", "; "
	if strings.Contains(e.Text, "\n") {
		before, after, next = "\n", "", "\n"
	}
	if e.Expected != "" || e.Got != "" {
		fmt.Fprintf(&b, "%sexpected %s, got %s%s", before, e.Expected, e.Got, after)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Fix != "" {
		b.WriteString(next + e.Fix)
	}
	return b.String()
}

// isUsage recognises cobra's complaints about the command line, which have no type.
func isUsage(err error) bool {
	if gate.CodeOf(err) != gate.CodeInternal || errors.Is(err, context.Canceled) {
		return false
	}
	for _, start := range []string{"unknown command", "unknown flag", "unknown shorthand", "required flag", "accepts ", "invalid argument", "flag needs", "at least one of the flags", "if any flags"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

// group is a command that only holds others: without one of them it explains itself,
// and it takes a mistyped one for what it is.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// workerCommand is how the daemon starts its PKCS#11 workers; nobody else calls it.
func workerCommand(stdin io.Reader) *cobra.Command {
	return &cobra.Command{
		Use: "hsm-worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return hsm.RunWorker(cmd.Context(), stdin, cmd.OutOrStdout(), time.Now)
		},
	}
}
