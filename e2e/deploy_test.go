package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The unit file says nothing that systemd does not know, and locks the server in.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/systemd/countersignd.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"NoNewPrivileges=yes", "CapabilityBoundingSet=\n", "ProtectSystem=strict", "SystemCallFilter=@system-service",
		"LimitCORE=0", "ExecReload=/bin/kill -HUP $MAINPID", "UMask=0077",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return // no systemd here: the text is all there is to hold it to
	}
	// Neither the program nor its account is there.
	there := bytes.ReplaceAll(text, []byte("/usr/local/bin/countersignd"), []byte("/bin/true"))
	there = bytes.ReplaceAll(there, []byte("=countersign\n"), []byte("=daemon\n"))
	path := filepath.Join(t.TempDir(), "countersignd.service")
	if err := os.WriteFile(path, there, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "countersignd.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The compose file runs the gate without any right that it does not need, and mounts what
// its documentation names.
func TestCompose(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Services map[string]struct {
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			Volumes     []string
			Ports       []string
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	gate := c.Services["countersign"]
	if !gate.ReadOnly || !slices.Contains(gate.CapDrop, "ALL") || !slices.Contains(gate.SecurityOpt, "no-new-privileges:true") || len(gate.Ports) > 0 {
		t.Errorf("the gate has more than it needs: %+v", gate)
	}
	for _, s := range c.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if file, is := strings.CutPrefix(from, "./"); is {
				if _, err := os.Stat(filepath.Join("../deploy", file)); err != nil {
					t.Error(err)
				}
				continue
			}
			if _, named := c.Volumes[from]; !named && !strings.HasPrefix(from, "${") {
				t.Errorf("volume %s is not declared", from)
			}
		}
	}
}
