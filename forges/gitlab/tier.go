package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	lib "github.com/xanzy/go-gitlab"
)

// tierFor is how long it is remembered that a project's tier has no approval rules.
// Being wrong meanwhile only asks for more: such a project shows no reviews that a
// merge would need.
const tierFor = time.Hour

// settings are a project's merge request approval settings (API docs: merge request
// approvals, get approval configuration; Premium).
type settings struct {
	Author        *bool `json:"merge_requests_author_approval"`
	NoCommitters  *bool `json:"merge_requests_disable_committers_approval"`
	ResetOnPush   *bool `json:"reset_approvals_on_push"`
	NoOverwriting *bool `json:"disable_overriding_approvers_per_merge_request"`
}

// environment is a protected environment (API docs: protected environments; Premium).
type environment struct {
	Name      string   `json:"name"`
	Deploy    []access `json:"deploy_access_levels"`
	Required  int      `json:"required_approval_count"`
	Approvals []struct {
		Required int `json:"required_approvals"`
	} `json:"approval_rules"`
}

// tier is what a project's paid tier adds to its rules. Its zero value is Free's.
type tier struct {
	paid     bool
	settings settings
	rules    []approvalRule
	places   []environment
	// What could not be read, each by itself.
	settingsErr, rulesErr, placesErr error
}

// readTier asks for the settings first: where the tier has none it has no rules either.
func (s *session) readTier(ctx context.Context) tier {
	t, _ := s.tier.get("", func() (tier, error) { return s.fetchTier(ctx), nil })
	return t
}

func (s *session) fetchTier(ctx context.Context) tier {
	if until, ok := s.memory.free.get(s.repo.ID); ok && s.now().Before(until) {
		return tier{}
	}
	var t tier
	t.settings, t.settingsErr = fetch[settings](ctx, s, s.path("/approvals"), nil)
	if unlicensed(t.settingsErr) {
		return tier{}
	}
	if none := (settings{}); t.settingsErr == nil && t.settings == none {
		t.settingsErr = errUnexpected
	}
	t.paid = true
	t.rules, t.rulesErr = fetchAll[approvalRule](ctx, s, s.path("/approval_rules"), nil)
	if unlicensed(t.rulesErr) {
		t.rulesErr = nil
	}
	t.places, t.placesErr = fetchAll[environment](ctx, s, s.path("/protected_environments"), nil)
	if unlicensed(t.placesErr) {
		t.placesErr = nil
	}
	return t
}

// keepTier remembers that the tier has no approval rules; only of a project that is seen,
// as GitLab answers 404 to what it hides as well.
func (s *session) keepTier(ctx context.Context) {
	if until, ok := s.memory.free.get(s.repo.ID); !s.readTier(ctx).paid && (!ok || !s.now().Before(until)) {
		s.memory.free.put(s.repo.ID, s.now().Add(tierFor), maxRemembered)
	}
}

// unlicensed reports whether the forge says that the tier lacks something: the endpoint
// is not there, while the project is (docs: REST API, troubleshooting). A 403 counts only
// where it names the licence: any other is a lack of rights.
func unlicensed(err error) bool {
	if isNotFound(err) {
		return true
	}
	var e *lib.ErrorResponse
	if statusOf(err) != http.StatusForbidden || !errors.As(err, &e) {
		return false
	}
	said := strings.ToLower(e.Message)
	return strings.Contains(said, "license") || strings.Contains(said, "not available")
}

// either is one of two words, by a switch that GitLab may not show.
func either(on *bool, yes, no string) string {
	switch {
	case on == nil:
		return "approvals: GitLab does not tell whether " + yes
	case *on:
		return "approvals: " + yes
	}
	return "approvals: " + no
}

// words put what the tier adds into the words that are signed.
func (t tier) words(branch string) []string {
	if !t.paid {
		return nil
	}
	var out []string
	if t.settingsErr != nil {
		out = append(out, "approvals: settings not read: "+why(t.settingsErr))
	} else {
		out = append(out,
			either(t.settings.Author, "authors may approve", "authors may not approve"),
			either(t.settings.NoCommitters, "committers may not approve", "committers may approve"),
			either(t.settings.ResetOnPush, "removed by a push", "kept after a push"),
			either(t.settings.NoOverwriting, "rules fixed for all merge requests", "rules may be overwritten in a merge request"))
	}
	for _, r := range t.rules {
		if r.covers(branch) && r.Required != nil {
			out = append(out, "approval_rule", fmt.Sprintf("approval rule %q: %d", r.Name, *r.Required))
		}
	}
	if t.placesErr != nil {
		out = append(out, "environments: not read: "+why(t.placesErr))
	}
	for _, e := range t.places {
		out = append(out, e.words())
	}
	return out
}

func (e environment) words() string {
	n := e.Required
	for _, r := range e.Approvals {
		n += r.Required
	}
	return fmt.Sprintf("environment %q: deployed to by %s, %d approvals", e.Name, strings.Join(admitted(e.Deploy), ", "), n)
}

// sources name where the words come from.
func (t tier) sources() []string {
	var out []string
	if t.paid {
		out = append(out, "approval-settings")
	}
	for _, e := range t.places {
		out = append(out, "protected-environment:"+e.Name)
	}
	slices.Sort(out)
	return out
}
