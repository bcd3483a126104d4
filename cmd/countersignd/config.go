package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
)

// configFlag adds the flag that every command on a running server's data has.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "config", "/etc/countersign/countersign.yaml", "configuration file")
}

func configCommand() *cobra.Command {
	var path string
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration and name every problem at once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(path)
			if err != nil {
				return err
			}
			if _, err := floors(c); err != nil {
				return err
			}
			var held string
			if n := len(c.Floors); n > 0 {
				held = fmt.Sprintf("%d floors, ", n)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s holds: %d forges, %d keys, %sdatabase %s\n", path, len(c.Forges), len(c.Keys), held, c.Database.Engine)
			return nil
		},
	}
	configFlag(check, &path)
	example := &cobra.Command{
		Use: "example", Short: "Print a complete configuration to start from", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), config.Example()) },
	}
	return group("config", "Check or print a configuration", check, example)
}
