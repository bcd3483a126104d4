package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// A matrix is being printed: one per folder, and in the end what is wrong with all.
type matrix struct {
	toolbox toolbox
	now     func() time.Time
	verbose bool
	stdout  io.Writer
	total   tallies
	wrong   int
}

// all prints the matrices of the folders. It is an error where a verifier did not do as it
// should, and where no folder had what a cell needs.
func (m *matrix) all(ctx context.Context, dirs []string) error {
	for _, dir := range dirs {
		if err := m.folder(ctx, filepath.Clean(dir)); err != nil {
			return err
		}
	}
	m.say("\nA cell tells how many files were accepted as they are, and how many changed copies\n" +
		"of them were refused for the right reason. A dash: not for this verifier, or no such\nfile in this folder.\n")
	for _, v := range verifiers() {
		for _, c := range columns() {
			if cell, ok := m.total[v.name][c]; ok && cell.files == 0 {
				m.wrong++
				m.say("\n%s, %s: not run, because no folder has what it needs\n", v.name, c)
			}
		}
	}
	if m.wrong > 0 {
		return fmt.Errorf("%d mismatches", m.wrong)
	}
	return nil
}

func (m *matrix) folder(ctx context.Context, dir string) error {
	began := m.now()
	f, err := readFolder(dir)
	if err != nil {
		return err
	}
	list, err := jobs(f, verifiers(), m.toolbox.page)
	if err != nil {
		return err
	}
	results, err := play(ctx, m.toolbox, list)
	if err != nil {
		return err
	}
	here := newTallies(verifiers())
	runs := 0
	for _, r := range results {
		here[r.verifier][r.column].add(r)
		m.total[r.verifier][r.column].add(r)
		runs += 1 + r.twins
	}
	m.say("\n%s: release %s, %d files, %d statements; %d verifications in %s\n\n",
		dir, f.release, len(f.subjects), len(f.statements), runs, m.now().Sub(began).Round(100*time.Millisecond))
	if err := here.print(m.stdout); err != nil {
		return err
	}
	m.complain(results)
	return nil
}

func (m *matrix) complain(results []result) {
	for _, r := range results {
		if m.verbose || len(r.complaints) > 0 {
			m.say("\n%s, %s, %s: %d of %d changed copies refused\n", r.verifier, r.column, r.label, r.refused, r.twins)
		}
		for _, c := range r.complaints {
			m.wrong++
			m.say("    %s\n", c)
		}
	}
}

func (m *matrix) say(format string, args ...any) { _, _ = fmt.Fprintf(m.stdout, format, args...) }
