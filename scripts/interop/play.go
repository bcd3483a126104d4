package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"

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
	for _, fine := range j.accepts {
		said, err := j.once(ctx, t, j.inputs, &fine)
		switch {
		case errors.Is(err, errRefused):
			r.accepted = false
			complain("refused a copy in which nothing is wrong (%s), and said:\n%s", fine.name, indent(said))
		case err != nil:
			return r, fmt.Errorf("%s, %s, %s: %w", j.verifier, j.label, fine.name, err)
		}
	}
	for _, refusal := range j.check.refuses {
		said, err := j.once(ctx, t, j.inputs, &refusal.twin)
		switch {
		case err == nil:
			complain("accepted a changed copy (%s)", refusal.name)
		case !errors.Is(err, errRefused):
			return r, fmt.Errorf("%s, %s, changed copy (%s): %w", j.verifier, j.label, refusal.name, err)
		case !regexp.MustCompile("(?i)" + refusal.because).MatchString(said):
			complain("refused a changed copy (%s), but said, where %q was expected:\n%s", refusal.name, refusal.because, indent(said))
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
