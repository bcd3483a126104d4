package main

import (
	"context"
	"io"
)

// RunOn is the program over the given arguments and input.
func RunOn(stdin io.Reader, args []string, stdout, stderr io.Writer) int {
	return run(context.Background(), args, stdin, stdout, stderr)
}
