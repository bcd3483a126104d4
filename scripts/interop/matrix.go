package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"
)

// A result is what became of one job.
type result struct {
	accepted        bool
	refused, twins  int
	complaints      []string
	verifier, label string
	column          column
}

// play runs the jobs, a few at a time, and keeps their order.
func play(ctx context.Context, t toolbox, list []job) ([]result, error) {
	out := make([]result, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, j := range list {
		group.Go(func() (err error) {
			out[i], err = j.play(ctx, t)
			return err
		})
	}
	return out, group.Wait()
}

// play runs the check on what was collected, and on a changed copy for every twin. An
// error is the matrix's own; what a verifier does wrong is a complaint.
func (j job) play(ctx context.Context, t toolbox) (result, error) {
	r := result{verifier: j.verifier, column: j.column, label: j.label, twins: len(j.check.refuses)}
	complain := func(format string, args ...any) { r.complaints = append(r.complaints, fmt.Sprintf(format, args...)) }
	said, err := j.once(ctx, t, j.inputs, nil)
	switch {
	case err == nil:
		r.accepted = true
	case errors.Is(err, errRefused):
		complain("refused, and said:\n%s", indent(said))
	default:
		return r, fmt.Errorf("%s, %s: %w", j.verifier, j.label, err)
	}
	for _, refusal := range j.check.refuses {
		said, err := j.once(ctx, t, j.inputs, &refusal.twin)
		switch {
		case err == nil:
			complain("accepted another %s", refusal.name)
		case !errors.Is(err, errRefused):
			return r, fmt.Errorf("%s, %s, with another %s: %w", j.verifier, j.label, refusal.name, err)
		case !regexp.MustCompile("(?i)" + refusal.because).MatchString(said):
			complain("refused another %s, and said, where %q was expected:\n%s", refusal.name, refusal.because, indent(said))
		default:
			r.refused++
		}
	}
	return r, nil
}

// once runs the check in a scratch folder of its own.
func (j job) once(ctx context.Context, t toolbox, in inputs, change *twin) (string, error) {
	scratch, err := os.MkdirTemp("", "interop")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	in.scratch = scratch
	if change != nil {
		if in, err = change.change(in); err != nil {
			return "", fmt.Errorf("make the twin: %w", err)
		}
	}
	return j.check.run(ctx, t, in)
}

func indent(s string) string {
	const most = 4 << 10
	if len(s) > most {
		s = s[:most] + "…"
	}
	return "      " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n      ")
}

// A tally sums up one cell of the matrix.
type tally struct{ files, accepted, twins, refused int }

func (t *tally) add(r result) {
	t.files++
	t.twins += r.twins
	t.refused += r.refused
	if r.accepted {
		t.accepted++
	}
}

func (t *tally) String() string {
	switch {
	case t.files == 0:
		return "not run"
	case t.accepted < t.files || t.refused < t.twins:
		return fmt.Sprintf("✗ %d of %d, %d of %d", t.accepted, t.files, t.refused, t.twins)
	}
	return fmt.Sprintf("✓ %d, %d", t.accepted, t.refused)
}

// tallies are the cells of one matrix.
type tallies map[string]map[column]*tally

func newTallies(all []verifier) tallies {
	out := tallies{}
	for _, v := range all {
		out[v.name] = map[column]*tally{}
		for c := range v.cells {
			out[v.name][c] = &tally{}
		}
	}
	return out
}

// print writes the matrix: a dash stands where a verifier has nothing to say.
func (m tallies) print(w io.Writer, all []verifier) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(tab, "verifier")
	for _, c := range columns() {
		_, _ = fmt.Fprintf(tab, "\t%s", c)
	}
	_, _ = fmt.Fprintln(tab)
	for _, v := range all {
		_, _ = fmt.Fprint(tab, v.name)
		for _, c := range columns() {
			cell := "–"
			if t, ok := m[v.name][c]; ok {
				cell = t.String()
			}
			_, _ = fmt.Fprintf(tab, "\t%s", cell)
		}
		_, _ = fmt.Fprintln(tab)
	}
	return tab.Flush()
}
