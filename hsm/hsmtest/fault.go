package hsmtest

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/hsm"
)

//go:embed faultmodule/fault.c
var faultSource []byte

// Fault is a PKCS#11 module that forwards to a token's, and misbehaves as it is told.
type Fault struct {
	Path string   // of the module
	Env  []string // for the process that loads it

	control, log string
}

// NewFault builds the module in front of tok's. It needs gcc.
func NewFault(t testing.TB, tok Token) *Fault {
	t.Helper()
	dir := t.TempDir()
	f := &Fault{
		Path:    filepath.Join(dir, "fault.so"),
		control: filepath.Join(dir, "control"), log: filepath.Join(dir, "log"),
	}
	f.Env = []string{
		"COUNTERSIGN_FAULT_MODULE=" + tok.Module, "COUNTERSIGN_FAULT_CONTROL=" + f.control,
		"COUNTERSIGN_FAULT_LOG=" + f.log,
	}
	source := filepath.Join(dir, "fault.c")
	if err := os.WriteFile(source, faultSource, 0o600); err != nil {
		t.Fatal(err)
	}
	// The headers come with the Go module that loads PKCS#11 modules.
	headers := run(t, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/miekg/pkcs11")
	// nodelete: it counts calls however often it is loaded into one process.
	run(t, "gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-z,nodelete", "-I", headers, "-o", f.Path, source, "-ldl")
	f.Set(t)
	return f
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s(the module needs gcc: apt-get install -y gcc libc6-dev)", name, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Wrap puts the module in front of the one that c names.
func (f *Fault) Wrap(c hsm.Config) hsm.Config {
	c.Module = f.Path
	c.Env = append(append([]string{}, c.Env...), f.Env...)
	return c
}

// Set replaces all rules, from the next call on; without any the module behaves. A rule is
// "function from count action value", as faultmodule/fault.c says: "C_Sign 2 1 ckr 0x30".
func (f *Fault) Set(t testing.TB, rules ...string) {
	t.Helper()
	next := f.control + ".next"
	if err := os.WriteFile(next, []byte(strings.Join(rules, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, f.control); err != nil { // a worker reads the old rules or the new
		t.Fatal(err)
	}
}

// Calls counts the calls of a function, over all processes.
func (f *Fault) Calls(t testing.TB, function string) int {
	t.Helper()
	b, err := os.ReadFile(f.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(line) == function {
			n++
		}
	}
	return n
}
