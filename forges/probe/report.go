package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
)

// Report is what probes of one forge found out.
type Report struct {
	Format  int            `json:"probe"`
	Forge   gate.ForgeID   `json:"forge"`
	Kind    gate.ForgeKind `json:"kind"`
	URL     string         `json:"url"`
	Version string         `json:"version,omitempty"` // the forge's, where it tells one
	At      time.Time      `json:"at"`
	// Calls is how many calls the latest probe made.
	Calls    int       `json:"calls"`
	Findings []Finding `json:"findings"`
	// Left is what the latest probe left in the scratch repository.
	Left []string `json:"left,omitempty"`
}

const reportFormat = 1

// Find is the finding about a fact; untold and unasked where there is none.
func (r Report) Find(id string) Finding {
	for _, f := range r.Findings {
		if f.ID == id {
			return f
		}
	}
	return Finding{ID: id, Outcome: Untold}
}

// After is the report with what an earlier one knew and this one did not ask, or could
// not tell. Another URL is another forge, of which nothing is taken over.
func (r Report) After(earlier Report) Report {
	if earlier.Forge != r.Forge || earlier.Kind != r.Kind || earlier.URL != r.URL {
		return r
	}
	out := r
	out.Findings = slices.Clone(r.Findings)
	for i, f := range out.Findings {
		if before := earlier.Find(f.ID); f.Outcome == Untold && before.Outcome != Untold {
			out.Findings[i] = before
		}
	}
	return out
}

// file is where the findings about a forge lie in a folder.
func file(dir string, forge gate.ForgeID) string {
	return filepath.Join(dir, "probe-"+string(forge)+".json")
}

// Save keeps a report in a folder, in place of an earlier one about the same forge.
func Save(dir string, r Report) (string, error) {
	r.Format = reportFormat
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode the findings: %w", err)
	}
	path := file(dir, r.Forge)
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return "", fmt.Errorf("keep the findings: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("keep the findings in %s: %w", path, err), os.Remove(f.Name()))
	}
	return path, nil
}

// Load reads what was kept about a forge; false where there is nothing.
func Load(dir string, forge gate.ForgeID) (Report, bool, error) {
	path := file(dir, forge)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Report{}, false, nil
	}
	if err != nil {
		return Report{}, false, fmt.Errorf("read the findings: %w", err)
	}
	var r Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return Report{}, false, fmt.Errorf("read the findings in %s: %w", path, err)
	}
	if r.Format != reportFormat || r.Forge != forge {
		return Report{}, false, fmt.Errorf("read the findings in %s: expected format %d about %s, got %d about %s", path, reportFormat, forge, r.Format, r.Forge)
	}
	return r, true, nil
}
