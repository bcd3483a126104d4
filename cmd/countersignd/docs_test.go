package main_test

import (
	"os"
	"testing"

	main "github.com/countersign/countersign/cmd/countersignd"
	"github.com/countersign/countersign/docs/docstest"
)

// The manual's page of commands is what the program says of itself.
func TestCommandsPage(t *testing.T) {
	const page, intro = "../../docs/countersignd.md", `The daemon, and the operator's tools beside it. Exit codes: 0 done, 1 something failed, 2 the
command line or the configuration is wrong. How they play together stands in
[running the server](operating.md).`
	want := docstest.Commands(main.Commands(), intro, "go test ./cmd/countersignd -run TestCommandsPage -update")
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the program says of itself: run this test with -update", page)
	}
}
