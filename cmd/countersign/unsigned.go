package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate/attest"
)

// unsigned leaves out what an earlier run of this program put beside the other files: a
// job that starts again in the same folder, with the same pattern, asks for the same
// release. They could not be signed anyway, for a release's own files have these names.
// Those of the whole release are left out only of a folder that has files with bundles.
func unsigned(paths []string, told func([]string)) []string {
	collected := map[string]bool{} // folders
	beside := func(path string) bool {
		for _, suffix := range []string{attest.BundleSuffix, attest.CertBundleSuffix, attest.RawSuffix} {
			if base, ok := strings.CutSuffix(path, suffix); ok && slices.Contains(paths, base) {
				return true
			}
		}
		return false
	}
	for _, path := range paths {
		if strings.HasSuffix(path, attest.BundleSuffix) && beside(path) {
			collected[filepath.Dir(path)] = true
		}
	}
	var kept, out []string
	for _, path := range paths {
		name := filepath.Base(path)
		if beside(path) || collected[filepath.Dir(path)] && releaseFile(name) {
			out = append(out, path)
			continue
		}
		kept = append(kept, path)
	}
	if len(out) > 0 && told != nil {
		told(out)
	}
	return kept
}
