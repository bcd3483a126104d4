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
	"strings"
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
	npm := flags.String("npm", "", "the `folder` that holds npm's node_modules")
	script := flags.String("script", "", "the `file` verify.mjs")
	page := flags.String("manual", "", "the `page` of the manual whose commands are run")
	client := flags.String("client", "", "the `file` countersign")
	verbose := flags.Bool("v", false, "say a line for every file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("expected folders that countersign collect wrote to, got none")
	}
	t := newToolbox(*tools, *npm, path)
	t.script, t.page, t.countersign = *script, *page, *client
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

// newToolbox finds the verifiers where scripts/fetch-verifiers.sh puts them. The manual's
// commands find them by name.
func newToolbox(dir, npm, path string) toolbox {
	folder := func(name string) string { return filepath.Join(dir, name) }
	t := toolbox{
		cosign: filepath.Join(folder("cosign-v3.1.3"), "cosign"),
		gh:     filepath.Join(folder("gh-v2.95.0"), "gh"),
		slsa:   filepath.Join(folder("slsa-verifier-v2.7.1"), "slsa-verifier"),
		npm:    npm,
	}
	all := []string{
		filepath.Dir(t.cosign), filepath.Dir(t.gh), filepath.Dir(t.slsa), folder("sigstore-go-verification-v1.3.0"), path,
	}
	t.environment = append(deadEnd(),
		"PATH="+strings.Join(all, string(filepath.ListSeparator)), "NODE_PATH="+filepath.Join(t.npm, "node_modules"))
	return t
}
