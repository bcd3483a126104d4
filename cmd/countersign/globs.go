package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// expand finds the files of paths and glob patterns, one a line, in the order of the lines
// and each once. A line that begins with ! leaves out what the lines above it found. A line
// that finds nothing is a mistake: a release without one of its files is none.
func expand(texts []string) ([]string, error) {
	var out []string
	for _, text := range texts {
		for line := range strings.Lines(text) {
			var err error
			if out, err = expandLine(out, strings.TrimSpace(line)); err != nil {
				return nil, err
			}
		}
	}
	if len(texts) > 0 && len(out) == 0 {
		return nil, usage("--subject-path names no file", "a path or pattern a line", "none", `give it one, such as "dist/*.tar.gz"`)
	}
	return out, nil
}

// expandLine adds what one line finds, or takes it away.
func expandLine(out []string, line string) ([]string, error) {
	if line == "" {
		return out, nil
	}
	pattern, without := strings.CutPrefix(line, "!")
	found, err := matches(pattern)
	switch {
	case err != nil:
		return nil, err
	case without:
		return slices.DeleteFunc(out, func(path string) bool { return slices.Contains(found, path) }), nil
	case len(found) == 0:
		return nil, usage(fmt.Sprintf("--subject-path %.200q finds no file", pattern), "at least one file", "none",
			"check the pattern, the job's working folder, and whether the build's artifacts were downloaded")
	}
	for _, path := range found {
		if !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	return out, nil
}

// matches are the files of one pattern; folders are none.
func matches(pattern string) ([]string, error) {
	found, err := doublestar.FilepathGlob(filepath.Clean(pattern), doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
	if err != nil {
		return nil, usage(fmt.Sprintf("--subject-path %.200q cannot be looked for", pattern), "a path or a glob", err.Error(),
			`write it such as "dist/**/*.tar.gz"`)
	}
	slices.Sort(found)
	return found, nil
}
