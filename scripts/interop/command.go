package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const patience = time.Minute // no verifier that is cut off has anything to wait for

// errRefused is what a check gives when the verifier ran and said no. Anything else that
// goes wrong, such as a tool that does not start, is no refusal.
var errRefused = errors.New("refused")

// A toolbox says where the verifiers are.
type toolbox struct {
	cosign, gh, slsa, countersign string // paths
	npm                           string // the folder that holds node_modules
	script                        string // verify.mjs
	page                          string // the manual's
	environment                   []string
}

// run runs a command in a scratch home and gives what it said. The environment holds no
// more than a verifier needs, so that no token, proxy or cached root of the user helps.
func (t toolbox) run(ctx context.Context, home, stdin, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // a tool of the toolbox
	cmd.Env = append([]string{
		"HOME=" + home, "NO_COLOR=1", "LC_ALL=C",
		"GH_CONFIG_DIR=" + filepath.Join(home, "gh"), "GH_NO_UPDATE_NOTIFIER=1",
	}, t.environment...)
	if stdin != "" {
		f, err := os.Open(stdin)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		cmd.Stdin = f
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return string(out), nil
	case errors.As(err, &exit) && exit.Exited():
		return string(out), errRefused
	}
	return string(out), fmt.Errorf("run %s: %w", filepath.Base(name), err)
}
