package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

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
		return "–"
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
func (m tallies) print(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(tab, "verifier")
	for _, c := range columns() {
		_, _ = fmt.Fprintf(tab, "\t%s", c)
	}
	_, _ = fmt.Fprintln(tab)
	for _, v := range verifiers() {
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
