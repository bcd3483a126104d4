package main_test

import (
	"flag"
	"os"
	"testing"

	main "github.com/countersign/countersign/cmd/countersign"
	"github.com/countersign/countersign/docs/docstest"
)

var update = flag.Bool("update", false, "write the manual's page of commands anew")

// The manual's page of commands is what the program says of itself.
func TestCommandsPage(t *testing.T) {
	const page, intro = "../../docs/countersign.md", `The client runs in the release workflow: it asks for signatures over the digests of what
was built, waits for the approval, and puts the signatures beside the files. On anybody's
machine it verifies releases and tries policies. It is one static file, for Linux, macOS and
Windows; a server hands out the one that fits it under "/client".

Exit codes never change: 0 signed, or pending where the command does not wait; 1 something does
not verify, or could not be read or written; 2 the command line or the files are wrong; 3 denied
by policy; 4 denied by a person; 5 nobody decided in time; 6 the identity of the job was
refused; 75 try again later. Progress goes to standard error, results to standard output.`
	want := docstest.Commands(main.Commands(), intro, "go test ./cmd/countersign -run TestCommandsPage -update")
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
