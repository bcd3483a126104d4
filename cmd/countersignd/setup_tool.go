package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// tool runs this program's own commands in processes of their own: a PKCS#11 module is
// never loaded into one that goes on to serve.
type tool struct{ program string }

func newTool() (tool, error) {
	self, err := os.Executable()
	if err != nil {
		return tool{}, fmt.Errorf("find this program: %w", err)
	}
	return tool{program: self}, nil
}

// complaint is how the program says what went wrong.
var complaint = regexp.MustCompile(`(?s)^countersignd: (?:CS-(\d{4}): )?(.*?)\s*$`)

// run runs a command to its end and returns what it wrote. Errors are the command's own.
func (t tool) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, t.program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	said := complaint.FindStringSubmatch(stderr.String())
	if said == nil {
		return nil, fmt.Errorf("countersignd %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	e := &gate.Error{Kind: gate.Invalid, Code: gate.CodeKeyUnavailable, Text: said[2], Fix: "mend it, then try again"}
	if n, err := strconv.Atoi(said[1]); err == nil {
		e.Code = gate.Code(n)
	}
	return nil, e
}
