package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// Commands is the program's whole command line.
func Commands() *cobra.Command { return rootCommand(strings.NewReader("")) }
