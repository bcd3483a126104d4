package web_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// A page with a thousand files, and everything that it loads, weighs at most 100 KB as it
// is sent.
func TestPagesAreLight(t *testing.T) {
	w := newTown(t)
	for _, rec := range []gate.Record{record(t, gate.StateWaiting, unapproved()), record(t, gate.StateSigned, gatetest.For(gatetest.Manifest(1000)))} {
		w.put(rec)
		for _, path := range []string{"/", page} {
			got := w.call(t, http.MethodGet, path, "", browser, "Accept-Encoding: gzip, deflate")
			if got.Header().Get("Content-Encoding") == "" {
				t.Fatalf("%s is not compressed", path)
			}
			sum := got.Body.Len()
			plain := w.call(t, http.MethodGet, path, "", browser).Body.String()
			for _, found := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(plain, -1) {
				asset := w.call(t, http.MethodGet, found[1], "", "Accept-Encoding: gzip, deflate")
				if asset.Code != http.StatusOK {
					t.Errorf("%s: %d", found[1], asset.Code)
				}
				sum += asset.Body.Len()
			}
			t.Logf("%s: %d bytes, %d of them the page", path, sum, got.Body.Len())
			if sum > 100_000 {
				t.Errorf("%s weighs %d bytes", path, sum)
			}
		}
	}
}
