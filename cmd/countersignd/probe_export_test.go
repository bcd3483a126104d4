package main

import (
	"context"
	"io"

	"github.com/countersign/countersign/config"
)

// GraphQLOf is where a forge with this REST base has GraphQL.
func GraphQLOf(api string) string { return graphQLOf(config.Forge{APIURL: api}) }

// RunOn is the program over the given arguments and input.
func RunOn(stdin io.Reader, args []string, stdout, stderr io.Writer) int {
	return run(context.Background(), args, stdin, stdout, stderr)
}
