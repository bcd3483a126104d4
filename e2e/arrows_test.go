// Package e2e_test holds what is true of the whole: who may import whom, and the
// stories that run the real binaries.
package e2e_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/countersign/countersign/"

// arrows says which of our own packages each package may import. A trailing /...
// stands for everything below. What is not listed here does not belong here.
var arrows = map[string][]string{ //nolint:gochecknoglobals // the table of the house
	"gate":           {},
	"gate/api":       {"gate"},
	"gate/canonical": {"gate"},
	"gate/comment":   {"gate"},
	"gate/policy":    {"gate", "gate/canonical"},
	"gate/workload":  {"gate", "gate/canonical"},
	"gate/voice":     {"gate"},
	"gate/ledger":    {"gate"},
	"gate/attest":    {"gate", "gate/canonical", "gate/ledger"},
	// Judging and signing know nothing of each other's rooms; what seals joins them.
	"gate/sums":      {"gate"},
	"gate/authority": {"gate", "gate/attest", "gate/canonical", "gate/ledger"},
	"gate/witness":   {"gate", "gate/ledger"},
	"gate/keeper":    {"gate", "gate/ledger", "gate/sums"},
	"gate/monitor":   {"gate", "gate/api", "gate/attest", "gate/canonical", "gate/ledger"},
	"gate/verify":    {"gate", "gate/attest", "gate/canonical", "gate/ledger", "gate/sums"},
	"gate/store":     {"gate", "gate/ledger", "gate/store/internal/..."},
	"gate/release": {
		"gate", "gate/api", "gate/attest", "gate/canonical", "gate/comment", "gate/ledger", "gate/policy", "gate/sums", "gate/voice",
	},
	"forges":           {"gate"},
	"forges/github":    {"gate", "gate/api", "forges"},
	"forges/gitlab":    {"gate", "gate/api", "forges"},
	"forges/probe":     {"gate", "gate/api", "forges/probe/..."},
	"forges/probe/...": {},
	"hsm":              {"gate"},
	"web": {
		"gate", "gate/api", "gate/attest", "gate/canonical", "gate/ledger", "gate/policy", "gate/release", "gate/voice", "gate/workload", "docs", "web/...",
	},
	"web/...":         {"gate", "gate/api", "gate/voice", "web/..."},
	"docs":            {},
	"docs/docstest":   {},
	"config":          {"gate"},
	"cmd/countersign": {"gate", "gate/api", "gate/canonical", "gate/verify", "gate/attest", "gate/ledger", "gate/monitor", "gate/policy", "gate/sums", "gate/voice"},
	"cmd/countersignd": {
		"gate", "gate/...", "forges", "forges/github", "forges/gitlab", "forges/probe", "forges/probe/...", "hsm", "web", "web/...", "config",
	},
	"cmd/countersign-demo": {"gate", "gate/...", "forges/forgetest", "e2e/stage"},

	"action": {},

	"gate/store/internal/...":  {"gate"},
	"gate/store/storetest":     {"gate", "gate/...", "gate/store"},
	"gate/gatetest":            {"gate"},
	"gate/witness/witnesstest": {},
	"gate/release/releasetest": {"gate/authority", "gate/keeper", "gate/store", "hsm/hsmtest"},
	"gate/voice/voicetest":     {"gate", "gate/gatetest", "gate/voice"},
	"gate/attest/attesttest":   {"gate", "gate/...", "gate/attest"},
	"hsm/hsmtest":              {"gate", "gate/gatetest", "hsm"},
	"forges/forgetest":         {"gate"},
	"forges/forgetest/...":     {"gate", "forges/forgetest", "forges/forgetest/..."},
	"e2e":                      {},
	"e2e/attacks":              {},
	"e2e/attacks/table":        {"e2e/attacks"},
	"e2e/faults":               {},
	"e2e/browser":              {"gate", "gate/api", "forges/forgetest", "forges/forgetest/...", "hsm/hsmtest", "e2e/stage", "e2e/browser/..."},
	"e2e/browser/...":          {"forges/forgetest", "forges/forgetest/...", "hsm/hsmtest", "e2e/stage", "e2e/browser"},
	"e2e/runners":              {"forges/forgetest", "forges/forgetest/...", "hsm/hsmtest", "e2e/stage"},
	"e2e/stage":                {"forges/forgetest", "forges/forgetest/...", "hsm/hsmtest"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestArrows(t *testing.T) {
	for _, p := range list(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		allowed, ok := lookup(room)
		if !ok {
			t.Errorf("package %s is not in the table of the house: give it a row, with why, or put its code where it belongs", room)
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && !slices.ContainsFunc(allowed, func(a string) bool { return covers(a, to) }) {
				t.Errorf("%s imports %s: the table of the house has no such arrow", room, to)
			}
		}
	}
}

// Forge doubles and test tokens stay out of what is shipped.
func TestNoDoubleInProduction(t *testing.T) {
	for _, cmd := range []string{"cmd/countersignd", "cmd/countersign"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+cmd).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", cmd, err)
		}
		for line := range strings.Lines(string(out)) {
			for _, test := range []string{"forges/forgetest", "hsmtest", "storetest", "gatetest", "voicetest", "attesttest", "witnesstest"} {
				if strings.Contains(line, module) && strings.Contains(line, test) {
					t.Errorf("%s links %s", cmd, strings.TrimSpace(line))
				}
			}
		}
	}
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(out); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil || len(all) == 0 {
		t.Fatalf("go list: %d packages, %v", len(all), err)
	}
	return all
}

func lookup(room string) ([]string, bool) {
	if a, ok := arrows[room]; ok {
		return a, true
	}
	for dir := path.Dir(room); dir != "."; dir = path.Dir(dir) {
		if a, ok := arrows[dir+"/..."]; ok {
			return a, true
		}
	}
	return nil, false
}

func covers(allowed, to string) bool {
	if base, ok := strings.CutSuffix(allowed, "/..."); ok {
		return strings.HasPrefix(to, base+"/")
	}
	return allowed == to
}
