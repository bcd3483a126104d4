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
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
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
		offline:     deadEnd(),
	}
	if err := sayNetwork(stdout); err != nil {
		return err
	}
	return matrices(ctx, t, flags.Args(), *verbose, stdout)
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

// matrices prints one matrix per folder, then what is wrong; it is an error where anything
// is, or where no folder had what a cell needs.
func matrices(ctx context.Context, t toolbox, dirs []string, verbose bool, stdout io.Writer) error {
	all, wrong, total := verifiers(), 0, tallies{}
	total = newTallies(all)
	for _, dir := range dirs {
		began := time.Now()
		f, err := readFolder(filepath.Clean(dir))
		if err != nil {
			return err
		}
		list, err := jobs(f, all)
		if err != nil {
			return err
		}
		results, err := play(ctx, t, list)
		if err != nil {
			return err
		}
		here := newTallies(all)
		for _, r := range results {
			here[r.verifier][r.column].add(r)
			total[r.verifier][r.column].add(r)
		}
		_, _ = fmt.Fprintf(stdout, "\n%s: release %s, %d files, %d statements, %d checks in %s\n\n",
			dir, f.release, len(f.subjects), len(f.statements), len(list), time.Since(began).Round(time.Millisecond))
		if err := here.print(stdout, all); err != nil {
			return err
		}
		wrong += complain(stdout, results, verbose)
	}
	_, _ = fmt.Fprint(stdout, "\nA cell: how many files were accepted as they are, how many changed copies were refused for the right reason.\n")
	for _, v := range all {
		for _, c := range columns() {
			if cell, ok := total[v.name][c]; ok && cell.files == 0 {
				wrong++
				_, _ = fmt.Fprintf(stdout, "%s, %s: not run: no folder has what it needs\n", v.name, c)
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d mismatches", wrong)
	}
	return nil
}

func complain(stdout io.Writer, results []result, verbose bool) (wrong int) {
	for _, r := range results {
		if verbose || len(r.complaints) > 0 {
			_, _ = fmt.Fprintf(stdout, "\n%s, %s, %s: %d of %d twins refused\n", r.verifier, r.column, r.label, r.refused, r.twins)
		}
		for _, c := range r.complaints {
			wrong++
			_, _ = fmt.Fprintf(stdout, "    %s\n", c)
		}
	}
	return wrong
}
