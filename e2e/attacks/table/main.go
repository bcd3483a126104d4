// Command table plays the attack catalogue and prints, for each attack, what the
// manual says of it, how many tests play it and what came of them. It fails where a
// test fails, and where no test plays an attack that docs/security.md does not call open.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"github.com/countersign/countersign/e2e/attacks"
)

func main() { os.Exit(run(os.Stdout, os.Stderr)) }

func run(stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	manual, err := os.ReadFile("docs/security.md")
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	catalogue, err := attacks.Catalogue(manual)
	if err != nil {
		fmt.Fprintln(stderr, "docs/security.md:", err)
		return 1
	}
	played, err := play(ctx, stderr)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	if bad := show(stdout, catalogue, played); err != nil || bad > 0 {
		return 1
	}
	return 0
}

// tally is what came of the tests of one attack.
type tally struct{ passed, failed int }

// event is one line of go test -json (go doc test2json).
type event struct{ Action, Test, Output string }

// play runs the tests and counts those without subtests of their own, by attack.
func play(ctx context.Context, stderr io.Writer) (map[int]tally, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "./e2e/attacks")
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	results, output := map[string]string{}, map[string]*strings.Builder{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(stderr, lines.Text()) // what the build says
			continue
		}
		switch e.Action {
		case "pass", "fail", "skip":
			results[e.Test] = e.Action
		case "output":
			if output[e.Test] == nil {
				output[e.Test] = &strings.Builder{}
			}
			output[e.Test].WriteString(e.Output)
		}
	}
	err = errors.Join(lines.Err(), cmd.Wait())
	return count(results, output, stderr), err
}

func count(results map[string]string, output map[string]*strings.Builder, stderr io.Writer) map[int]tally {
	parents := map[string]bool{}
	for test := range results {
		for i := strings.LastIndex(test, "/"); i > 0; i = strings.LastIndex(test[:i], "/") {
			parents[test[:i]] = true
		}
	}
	out := map[int]tally{}
	for test, result := range results {
		if parents[test] {
			continue
		}
		if result != "pass" && output[test] != nil {
			fmt.Fprint(stderr, output[test])
		}
		for _, n := range attacks.Named(test) {
			t := out[n]
			if result == "pass" {
				t.passed++
			} else {
				t.failed++ // a skipped attack is not defeated either
			}
			out[n] = t
		}
	}
	return out
}

// show writes the table and returns how many rows do not hold.
func show(w io.Writer, catalogue map[int]attacks.Status, played map[int]tally) int {
	bad, sum := 0, map[attacks.Status]int{}
	fmt.Fprintln(w, "attack  status    tests  result")
	for n := 1; n <= attacks.Last; n++ {
		t, status := played[n], catalogue[n]
		sum[status]++
		result := "passed"
		switch {
		case t.failed > 0:
			result = fmt.Sprintf("FAILED (%d)", t.failed)
			bad++
		case t.passed == 0 && status == attacks.Open:
			result = "open, none yet"
		case t.passed == 0:
			result = "MISSING"
			bad++
		}
		fmt.Fprintf(w, "%6d  %-8s  %5d  %s\n", n, status, t.passed+t.failed, result)
	}
	fmt.Fprintf(w, "%d closed, %d residual, %d open; %d do not hold\n",
		sum[attacks.Closed], sum[attacks.Residual], sum[attacks.Open], bad)
	return bad
}
