package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axeVersion is the one that scripts/fetch-axe.sh fetches.
const axeVersion = "4.14.1"

// Axe is axe-core's source, from the user's cache.
func Axe() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(filepath.Join(cache, "countersign", "axe-"+axeVersion, "axe.min.js"))
	if err != nil {
		return "", fmt.Errorf("read axe-core: %w; scripts/fetch-axe.sh fetches it", err)
	}
	return string(source), nil
}

// Violation is one rule of axe-core that a page breaks.
type Violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"` // minor, moderate, serious or critical
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// Audit has axe-core look at the page in the tab. The error names the violations that are
// serious or critical, what they are of, and axe's own words for how to mend them.
func Audit(tab context.Context, axe string) error {
	var found []Violation
	const look = `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => ({
		id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary}))})))`
	there, err := is(tab, `typeof axe === "object"`)
	if err != nil {
		return err
	}
	if !there {
		if err := do(tab, "put axe into the page", chromedp.Evaluate(axe, nil)); err != nil {
			return err
		}
	}
	err = do(tab, "run axe", chromedp.Evaluate(look, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if err != nil {
		return err
	}
	var bad strings.Builder
	for _, v := range found {
		if v.Impact != "serious" && v.Impact != "critical" {
			continue
		}
		fmt.Fprintf(&bad, "%s (%s): %s\n", v.ID, v.Impact, v.Help)
		const most = 3
		if len(v.Nodes) > most {
			fmt.Fprintf(&bad, "  %d times, such as\n", len(v.Nodes))
		}
		for _, n := range v.Nodes[:min(most, len(v.Nodes))] {
			fmt.Fprintf(&bad, "  %.300s\n  %s\n", n.HTML, n.Summary)
		}
	}
	if bad.Len() == 0 {
		return nil
	}
	at, _ := Address(tab) // it is told where it can be
	return errors.New(at + ":\n" + bad.String())
}
