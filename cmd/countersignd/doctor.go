package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate/api"
)

func doctorCommand() *cobra.Command {
	var path, findings, repository string
	var asJSON, all bool
	cmd := &cobra.Command{
		Use: "doctor", Args: cobra.NoArgs,
		Short: "Look whether the server can do its work, and what a repository's next release would meet",
		Long: `Look whether the server can do its work: its public URL, configuration, database,
tokens and keys, ledger, guard, witnesses and time-stamps, forges, credentials and clocks, the
issuers of ID tokens; and say what
countersignd probe proved, or did not, on each forge. With --repo look at what the
repository's next release would meet: its policy, protection, workflow, and who could
cover it as of now. Each finding is a pass, a warning or a failure, with its fix.

It changes nothing on any forge; GitHub is asked to deliver one webhook again. Each key
signs one sentence that says what it is, and the signature is thrown away. Like serve, it
brings the database's schema up to date.
Exit codes: 0 no failure (warnings are none), 1 a failure, 2 the command line is wrong.`,
		Example: "  countersignd doctor\n  countersignd doctor --json\n  countersignd doctor --repo OWNER/NAME\n  countersignd doctor --repo github:1296269 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := &chart{}
			examineCLI(cmd.Context(), c, path, findings, repository)
			return c.tell(cmd.OutOrStdout(), asJSON, all)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&findings, "findings", "", "folder that keeps what was probed (default: that of database.path, or /var/lib/countersign)")
	cmd.Flags().StringVar(&repository, "repo", "", "look at this repository instead: OWNER/NAME, or forge:number such as github:1296269")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&all, "all", false, "show every fact that is proven, too")
	return cmd
}

func (c *chart) tell(out io.Writer, asJSON, all bool) error {
	n := map[api.FindingLevel]int{}
	for _, f := range c.found {
		n[f.Level]++
	}
	if asJSON {
		if err := json.NewEncoder(out).Encode(map[string]any{
			"checks": c.found, "failures": n[api.FindingFailure], "warnings": n[api.FindingWarning], "passed": n[api.FindingPass],
		}); err != nil {
			return err
		}
	} else if err := c.print(out, n, all); err != nil {
		return err
	}
	if n[api.FindingFailure] > 0 {
		return fmt.Errorf("%s", count(n[api.FindingFailure], "failure"))
	}
	return nil
}

// isFact tells the probed facts, whose ids name their kind, from doctor's own checks.
func isFact(id string) bool { return strings.Contains(id, ".") }
