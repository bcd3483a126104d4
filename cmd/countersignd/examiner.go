package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
)

// examiner looks whether the server can do its work. It is the doctor of the command line
// and of the page; it is safe for concurrent use.
type examiner struct {
	config config.Config
	forges []*liveForge
	// findings is the folder that keeps what was probed of the forges.
	findings string
	// shelf and gate are nil where the database cannot be opened, or is not there yet.
	shelf *store.Store
	gate  *release.Gate
	// keeper is the running server's; nil on the command line.
	keeper *keeper.Keeper
	// unopened is why there is no shelf.
	unopened []api.Finding
	client   *http.Client
	now      func() time.Time
}

// newExaminer is the doctor of a server that runs in this process.
func newExaminer(d *daemon, forges []*liveForge) *examiner {
	return &examiner{
		config: d.config, forges: forges, findings: findingsFolder("", d.config), shelf: d.shelf, gate: d.gate, keeper: d.proof.keeper,
		client: examining(), now: time.Now,
	}
}

// patience is how long an answer is waited for.
const patience = 5 * time.Second

// examining is a client that follows nobody elsewhere: who answers is what is asked.
func examining() *http.Client {
	return &http.Client{
		Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// chart collects findings.
type chart struct{ found []api.Finding }

func (c *chart) add(area, id string, level api.FindingLevel, fix, format string, args ...any) {
	if level == api.FindingPass {
		fix = ""
	}
	c.found = append(c.found, api.Finding{ID: id, Area: area, Level: level, Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (c *chart) pass(area, id, format string, args ...any) {
	c.add(area, id, api.FindingPass, "", format, args...)
}

func (c *chart) warn(area, id, fix, format string, args ...any) {
	c.add(area, id, api.FindingWarning, fix, format, args...)
}

// fail adds what an error says, with its own fix.
func (c *chart) fail(area, id string, err error) {
	text, fix := err.Error(), "look at what the error names, then run doctor again"
	var e *gate.Error
	if errors.As(err, &e) {
		if e.Fix != "" {
			fix = e.Fix
		}
		stripped := *e
		stripped.Fix = ""
		text = explain(&stripped)
	}
	c.add(area, id, api.FindingFailure, fix, "%s", text)
}

// The areas, beside one for each forge and repository.
const (
	areaConfig   = "Configuration"
	areaServer   = "Server"
	areaDatabase = "Database"
	areaTokens   = "Tokens and keys"
)

// Examine looks at the server.
func (x *examiner) Examine(ctx context.Context) []api.Finding {
	c := &chart{}
	reached := x.server(ctx, c)
	x.database(ctx, c)
	for _, t := range x.config.HSM {
		x.token(ctx, c, t)
	}
	x.evidence(ctx, c)
	for _, l := range x.forges {
		x.forge(ctx, c, l, reached)
	}
	return c.found
}

// examineCLI is the doctor of the command line: it opens what serve would, as far as it can.
func examineCLI(ctx context.Context, c *chart, path, findings, repository string) {
	conf, err := config.Load(path)
	if err != nil {
		c.fail(areaConfig, "config", err)
		return
	}
	c.pass(areaConfig, "config", "%s holds: %s, %s", filepath.Clean(path), count(len(conf.Forges), "forge"), count(len(conf.Keys), "key"))
	x := &examiner{config: conf, findings: findingsFolder(findings, conf), client: examining(), now: time.Now}
	for _, f := range conf.Forges {
		l, err := openLive(f)
		if err != nil {
			c.fail("Forge "+string(f.Name), "credential", err)
			continue
		}
		x.forges = append(x.forges, l)
	}
	defer x.open(ctx)()
	if repository == "" {
		c.found = append(c.found, x.Examine(ctx)...)
		return
	}
	id, err := x.find(ctx, repository)
	if err != nil {
		c.fail("Repository "+repository, "repository", err)
		return
	}
	c.found = append(c.found, x.ExamineRepository(ctx, id)...)
}
