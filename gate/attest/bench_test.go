package attest_test

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
)

// BenchmarkFiles hands out a release of a thousand subjects, in both variants, with
// everything checked on the way.
func BenchmarkFiles(b *testing.B) {
	artifacts := map[string]string{}
	for i := range 1000 {
		artifacts[fmt.Sprintf("app-%04d.tar.gz", i)] = fmt.Sprint(i)
	}
	r := attesttest.Sealed(b, artifacts, attesttest.Options{})
	size := 0
	for _, f := range r.Files {
		size += len(f.Content)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := attest.Files(r.Sealed); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/1e6, "MB/release")
}
