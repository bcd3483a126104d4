package main

import (
	"context"
	"io"
	"strings"
)

// Run is the program over the given arguments, without input.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return run(ctx, args, strings.NewReader(""), stdout, stderr)
}

// RunContext is the program over the given arguments and input.
func RunContext(ctx context.Context, stdin io.Reader, args []string, stdout, stderr io.Writer) int {
	return run(ctx, args, stdin, stdout, stderr)
}
