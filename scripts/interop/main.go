// Interop holds stock verifiers against folders of release files that `countersign
// collect` wrote, and against changed copies of them, and prints what each tool took and
// refused as a matrix. See scripts/interop/run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

func main() {
	path := os.Getenv("PATH")                                                                 //nolint:forbidigo // this is where a program reads its environment
	if err := run(context.Background(), os.Args[1:], path, time.Now, os.Stdout); err != nil { //nolint:forbidigo // and its clock
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, path string, now func() time.Time, stdout io.Writer) error {
	flags := flag.NewFlagSet("interop", flag.ContinueOnError)
	tools := flags.String("tools", "", "the `folder` that scripts/fetch-verifiers.sh filled")
	script := flags.String("script", "", "the `file` verify.mjs")
	client := flags.String("client", "", "the `file` countersign")
	verbose := flags.Bool("v", false, "say a line for every file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("expected folders that countersign collect wrote to, got none")
	}
	t := toolbox{
		cosign:      filepath.Join(*tools, "cosign-v3.1.3", "cosign"),
		gh:          filepath.Join(*tools, "gh-v2.95.0", "gh"),
		slsa:        filepath.Join(*tools, "slsa-verifier-v2.7.1", "slsa-verifier"),
		npm:         filepath.Join(*tools, "sigstore-5.0.1"),
		script:      *script,
		countersign: *client,
		environment: append(deadEnd(), "PATH="+path),
	}
	if err := sayNetwork(stdout); err != nil {
		return err
	}
	m := matrix{toolbox: t, now: now, verbose: *verbose, stdout: stdout, total: newTallies(verifiers())}
	return m.all(ctx, flags.Args())
}

func sayNetwork(stdout io.Writer) error {
	off, err := cutOff()
	if err != nil {
		return err
	}
	how := "by proxies that are not there: this system does not allow a namespace without network"
	if off {
		how = "by the system: no interface is up"
	}
	_, err = fmt.Fprintln(stdout, "The verifiers are cut off from the network "+how+".")
	return err
}
