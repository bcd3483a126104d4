package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// policyTest is the command that judges made-up releases under a policy file.
func (a *app) policyTest(flags *policyFlags) *cobra.Command {
	var cases string
	cmd := &cobra.Command{
		Use: "test [file] --cases cases.yaml", Args: cobra.MaximumNArgs(1),
		Short: "Judge made-up releases under a policy file, without a server",
		Long: "Judge made-up releases under a policy file as the gate would, and compare what comes of them with\n" +
			"what is expected. The manual's page on the policy file says how cases are written. The exit code\n" +
			"is 3 where a case comes out otherwise, 2 where a file does not read.",
		Example: "  countersign policy test .countersign.yaml --cases .countersign.cases.yaml",
		RunE: func(_ *cobra.Command, files []string) error {
			return a.tested(files, cases, *flags)
		},
	}
	cmd.Flags().StringVar(&cases, "cases", "", "file of the cases")
	cobra.CheckErr(cmd.MarkFlagRequired("cases"))
	return cmd
}

func (a *app) tested(files []string, cases string, flags policyFlags) error {
	trials, err := readTrials(cases)
	if err != nil {
		return err
	}
	path, read, err := readings(files, flags)
	if err != nil {
		return err
	}
	var verdicts []policy.Verdict
	for _, r := range read {
		v, err := trials.Try(r.policy, r.origin)
		if err != nil {
			return usage("the cases' code owners do not read", "a CODEOWNERS file of "+string(r.Forge), err.Error(), "mend codeowners in "+cases)
		}
		verdicts = append(verdicts, v...)
	}
	return a.tried(path, cases, verdicts)
}

func readTrials(path string) (policy.Trials, error) {
	file, err := readPolicy(path)
	if err != nil {
		return policy.Trials{}, usage("the file of cases cannot be read", path, err.Error(), "name it: --cases cases.yaml")
	}
	trials, err := policy.ReadTrials(path, file)
	if err != nil {
		return policy.Trials{}, shownBelow(err)
	}
	return trials, nil
}

// tried prints what came of the cases. A file of cases of which none is for the policy's
// forges proves nothing, and is no success.
func (a *app) tried(path, cases string, verdicts []policy.Verdict) error {
	if len(verdicts) == 0 {
		return usage("no case is for a forge that the policy is for", "a case without forge:, or for one of its forges", "none", "mend forge: in "+cases)
	}
	wrong := 0
	var out strings.Builder
	for _, v := range verdicts {
		if !v.OK {
			wrong++
		}
		out.WriteString(line(v))
	}
	if a.flags.json {
		err := a.printJSON(struct {
			OK    bool             `json:"ok"`
			Cases []policy.Verdict `json:"cases"`
		}{wrong == 0, verdicts})
		if err != nil {
			return err
		}
	} else if err := a.print(out.String()); err != nil {
		return err
	}
	if wrong == 0 {
		return nil
	}
	f := failed(ExitPolicy, fmt.Sprintf("%d of %d cases come out otherwise under %s", wrong, len(verdicts), plain(path)), "what the cases expect", "something else", "mend the policy, or what the cases expect of it")
	f.printed = true
	return f
}

// line is one case; where it came out otherwise, what was expected and what came.
func line(v policy.Verdict) string {
	title := fmt.Sprintf("%s (%s)", plain(v.Name), v.Forge)
	if v.OK {
		return fmt.Sprintf("ok    %s: %s%s\n", title, v.Got, because(v.Because))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "FAIL  %s\n      - %s%s\n      + %s\n", title, v.Expected, because(v.Because), v.Got)
	for _, c := range v.Checks {
		fmt.Fprintf(&out, "      + %s %s: %s\n", c.Outcome, c.Name, plain(c.Reason))
		if c.Expected != "" {
			fmt.Fprintf(&out, "        expected %s, got %s\n", plain(c.Expected), plain(c.Got))
		}
	}
	return out.String()
}

func because(name gate.CheckName) string {
	if name == "" {
		return ""
	}
	return ", because of " + string(name)
}
