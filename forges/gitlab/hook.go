package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hook is a project's or a group's webhook (source: lib/api/entities/hook.rb,
// project_hook.rb). GitLab never shows its token.
type hook struct {
	ID            int64      `json:"id"`
	URL           string     `json:"url"`
	SSL           *bool      `json:"enable_ssl_verification"`
	AlertStatus   string     `json:"alert_status"` // executable, temporarily_disabled or disabled
	DisabledUntil *time.Time `json:"disabled_until"`
	Filter        string     `json:"push_events_branch_filter"`
	Template      string     `json:"custom_webhook_template"`
	// TokenSet and SigningSet are absent on versions before them.
	TokenSet   *bool `json:"token_present"`
	SigningSet *bool `json:"signing_token_present"`

	Push     bool `json:"push_events"`
	Tags     bool `json:"tag_push_events"`
	Merges   bool `json:"merge_requests_events"`
	Notes    bool `json:"note_events"`
	Jobs     bool `json:"job_events"`
	Pipeline bool `json:"pipeline_events"`
	Releases bool `json:"releases_events"`
	Members  bool `json:"member_events"` // groups alone have it
}

// hookHome is where hooks are: "projects/21" or "groups/5001".
type hookHome struct {
	path, name string
	group      bool
}

func (h hookHome) hooks() string { return h.path + "/hooks" }

func (h hookHome) hook(id int64) string { return fmt.Sprintf("%s/hooks/%d", h.path, id) }

// hookEvents are those that Interpret rings for, by the API's names.
func (h hookHome) events() []string {
	all := []string{"push_events", "tag_push_events", "merge_requests_events", "note_events", "job_events", "pipeline_events", "releases_events"}
	if h.group {
		all = append(all, "member_events")
	}
	return all
}

// lacks are the events that the gate needs and the hook does not send.
func (k hook) lacks(at hookHome) []string {
	has := map[string]bool{
		"push_events": k.Push, "tag_push_events": k.Tags, "merge_requests_events": k.Merges, "note_events": k.Notes,
		"job_events": k.Jobs, "pipeline_events": k.Pipeline, "releases_events": k.Releases, "member_events": k.Members,
	}
	var out []string
	for _, name := range at.events() {
		if !has[name] {
			out = append(out, name)
		}
	}
	return out
}

// faults say in what a hook is not as the gate makes it; what cannot be seen, the secret, is
// not among them.
func (k hook) faults(at hookHome) []string {
	var out []string
	if lacks := k.lacks(at); len(lacks) > 0 {
		out = append(out, "it does not send "+strings.Join(lacks, ", "))
	}
	if k.SSL == nil || !*k.SSL {
		out = append(out, "it does not verify the server's certificate")
	}
	if k.Filter != "" {
		out = append(out, fmt.Sprintf("it sends pushes to %q alone", k.Filter))
	}
	if k.Template != "" {
		out = append(out, "a template of somebody's own writes what it sends")
	}
	if k.TokenSet != nil && !*k.TokenSet && (k.SigningSet == nil || !*k.SigningSet) {
		out = append(out, "it has no secret")
	}
	return out
}

// disabled says since when GitLab sends nothing through a hook that failed too often (docs:
// webhooks, auto-disabled webhooks).
func (k hook) disabled() (string, bool) {
	switch {
	case k.AlertStatus == "" || k.AlertStatus == "executable":
		return "", false
	case k.DisabledUntil != nil:
		return "GitLab sends nothing through it until " + k.DisabledUntil.UTC().Format(time.RFC3339) + ", because too many deliveries failed", true
	}
	return "GitLab sends nothing through it any more, because too many deliveries failed", true
}

// readHooks lists the hooks to an address, the oldest first.
func (s *session) readHooks(ctx context.Context, at hookHome, same func(string) bool) ([]hook, error) {
	all, err := fetchAll[hook](ctx, s, at.hooks(), nil)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(k hook) bool { return k.ID <= 0 || !same(k.URL) })
	slices.SortFunc(all, func(a, b hook) int { return int(a.ID - b.ID) })
	return all, nil
}

// hookSettings are what the gate sets of a hook.
func hookSettings(at hookHome, address string, secret []byte) url.Values {
	with := url.Values{
		"url": {address}, "enable_ssl_verification": {"true"}, "push_events_branch_filter": {""}, "custom_webhook_template": {""},
	}
	name := "token"
	if strings.HasPrefix(string(secret), "whsec_") {
		name = "signing_token"
	}
	with.Set(name, string(secret))
	for _, event := range at.events() {
		with.Set(event, "true")
	}
	return with
}

// hookEvent is what became of one delivery (API docs: project webhooks, list all events,
// since GitLab 17.3).
type hookEvent struct {
	ID      int64  `json:"id"`
	Trigger string `json:"trigger"`
	Status  string `json:"response_status"` // "200", or "internal error" where no answer came
}

func (e hookEvent) arrived() bool {
	n, err := strconv.Atoi(e.Status)
	return err == nil && n >= 200 && n <= 299
}

// readHookEvents are a hook's latest deliveries, the newest first; known is false where the
// instance keeps no list of them.
func (s *session) readHookEvents(ctx context.Context, at hookHome, id int64) (rows []hookEvent, known bool) {
	rows, _, _, err := fetchPage[hookEvent](ctx, s, at.hook(id)+"/events", nil, 1)
	return rows, err == nil
}

// wake has GitLab send a test delivery, which also ends that a hook is disabled (docs:
// webhooks, re-enable disabled webhooks).
func (s *session) wake(ctx context.Context, at hookHome, id int64) error {
	_, err := s.do(ctx, http.MethodPost, at.hook(id)+"/test/push_events", nil, nil)
	return err
}
