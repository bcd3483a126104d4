package attacks_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/countersign/countersign/e2e/attacks"
)

// Every attack that the manual calls closed, or of which something is left, is played here.
func TestCatalogueIsPlayed(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile(filepath.Join("..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := attacks.Catalogue(manual)
	if err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	played := map[int]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`name: "([^"]*)`).FindAllSubmatch(source, -1) {
			for _, n := range attacks.Named(string(name[1])) {
				played[n] = true
			}
		}
	}
	for n := 1; n <= attacks.Last; n++ {
		if rows[n] != attacks.Open && !played[n] {
			t.Errorf("attack %d: docs/security.md calls it %s, and no row here plays it", n, rows[n])
		}
	}
}
