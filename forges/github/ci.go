package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// ownContext begins the names of what the gate itself reports: that is no evidence.
const ownContext = "countersign/"

// runOfCheck is REST API's schema check-run, in part.
type runOfCheck struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	HeadSHA    string     `json:"head_sha"`
	Status     string     `json:"status"`
	Conclusion *string    `json:"conclusion"`
	Started    *time.Time `json:"started_at"`
	App        *struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	} `json:"app"`
}

// statusOfCheck is REST API's schema simple-commit-status, in part.
type statusOfCheck struct {
	Context string `json:"context"`
	State   string `json:"state"`
}

// checks are the named checks of the request's commit: of check runs the newest of each
// app, of statuses the newest of each context. Where several apps report under one name
// all of them have to have passed: a name proves nobody.
func (rd *reading) checks(ctx context.Context) gate.Fact[[]gate.CommitCheck] {
	if len(rd.needs.Checks) == 0 {
		return gate.Unknown[[]gate.CommitCheck]("the policy asks for no checks")
	}
	runs, err := rd.checkRuns(ctx)
	if err != nil {
		return gate.Unknown[[]gate.CommitCheck]("the check runs: " + why(err))
	}
	statuses, err := rd.statuses(ctx)
	if err != nil {
		return gate.Unknown[[]gate.CommitCheck]("the commit statuses: " + why(err))
	}
	out := []gate.CommitCheck{}
	for _, name := range sortedUnique(rd.needs.Checks) {
		named := slices.DeleteFunc(append(slices.Clone(runs), statuses...), func(c gate.CommitCheck) bool { return c.Name != name })
		if len(named) > 0 && !strings.HasPrefix(name, ownContext) {
			out = append(out, joined(named))
		}
	}
	return gate.Known(out)
}

// joined is one check of all that is reported under its name.
func joined(all []gate.CommitCheck) gate.CommitCheck {
	sum := gate.CommitCheck{Name: all[0].Name, Done: true, Passed: true}
	var by []string
	for _, c := range all {
		sum.Done, sum.Passed = sum.Done && c.Done, sum.Passed && c.Passed
		by = append(by, c.By)
	}
	sum.By = strings.Join(sortedUnique(by), ", ")
	return sum
}

// checkRuns are the newest run of each app and name. One commit may have several suites of
// one app, and "latest" is said of each (REST API, "List check runs for a Git reference").
func (rd *reading) checkRuns(ctx context.Context) ([]gate.CommitCheck, error) {
	var all []runOfCheck
	total := 0
	err := pages(ctx, rd.caller, url.Values{"filter": {"latest"}}, func(page struct {
		TotalCount int          `json:"total_count"`
		CheckRuns  []runOfCheck `json:"check_runs"`
	}) (bool, error) {
		if page.CheckRuns == nil {
			return false, errors.New("GitHub listed none, not even an empty list")
		}
		total, all = page.TotalCount, append(all, page.CheckRuns...)
		return true, nil
	}, rd.at("commits", rd.request.Commit, "check-runs")...)
	if err == nil && len(all) != total {
		err = fmt.Errorf("GitHub counts %d and lists %d", total, len(all))
	}
	if err != nil {
		return nil, err
	}
	type key struct {
		app  int64
		name string
	}
	newest := map[key]runOfCheck{}
	for _, c := range all {
		if c.App == nil || c.App.ID == rd.forge.cfg.AppID || c.HeadSHA != rd.request.Commit {
			continue
		}
		k := key{c.App.ID, c.Name}
		if before, has := newest[k]; !has || c.newer(before) {
			newest[k] = c
		}
	}
	var out []gate.CommitCheck
	for _, c := range newest {
		out = append(out, gate.CommitCheck{
			Name: c.Name, Done: c.Status == "completed", By: c.App.Slug,
			Passed: c.Status == "completed" && c.Conclusion != nil && *c.Conclusion == "success",
		})
	}
	return out, nil
}

// newer goes by the start, a run that has not started being the newest, then by the number.
func (c runOfCheck) newer(b runOfCheck) bool {
	if (c.Started == nil) != (b.Started == nil) {
		return c.Started == nil
	}
	if c.Started != nil && !c.Started.Equal(*b.Started) {
		return c.Started.After(*b.Started)
	}
	return cmp.Compare(c.ID, b.ID) > 0
}

// statuses are the newest of each context (REST API, "Get the combined status for a
// specific reference").
func (rd *reading) statuses(ctx context.Context) ([]gate.CommitCheck, error) {
	var out []gate.CommitCheck
	total := 0
	err := pages(ctx, rd.caller, nil, func(page struct {
		SHA        string          `json:"sha"`
		TotalCount int             `json:"total_count"`
		Statuses   []statusOfCheck `json:"statuses"`
	}) (bool, error) {
		if page.SHA != rd.request.Commit {
			return false, fmt.Errorf("GitHub answered for %q", page.SHA)
		}
		total = page.TotalCount
		for _, s := range page.Statuses {
			out = append(out, gate.CommitCheck{
				Name: s.Context, Done: s.State != "pending", Passed: s.State == "success", By: "commit status",
			})
		}
		return true, nil
	}, rd.at("commits", rd.request.Commit, "status")...)
	if err == nil && len(out) != total {
		err = fmt.Errorf("GitHub counts %d and lists %d", total, len(out))
	}
	return out, err
}
