package browser

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate/api"
)

// History is what happened in a town before somebody looks at it.
type History struct {
	Waiting, Signed, Denied *Asked // on GitHub
	Elsewhere               *Asked // waiting on GitLab
	// Decision and Signature are the paths of entries of the signed one in the ledger.
	Decision, Signature string
}

// Populate lets the town release: signed, denied and waiting ones on GitHub, a waiting one
// on GitLab, and a policy that is changed and not in force yet.
func (t *Town) Populate(ctx context.Context) (History, error) {
	var h History
	var err error
	for i, title := range []string{"Teach the widget to count", "Count backwards too", "Fold long lines", "Speak UTF-8"} {
		if h.Signed, err = t.Released(ctx, "github", fmt.Sprintf("v1.%d.0", i), title); err != nil {
			return h, err
		}
	}
	if h.Denied, err = t.Ask(ctx, "github", "v1.4.0", t.Change("github", "ana", "bo", "Drop the old format")); err != nil {
		return h, err
	}
	if err := t.Await(ctx, h.Denied, "judged", Judged); err != nil {
		return h, err
	}
	t.Says(h.Denied, "cy", "/countersign deny The old format is still read by last year's clients")
	if err := t.Await(ctx, h.Denied, "denied", func(r api.Release) bool { return r.State == "denied" }); err != nil {
		return h, err
	}
	t.Change("github", "bo", "cy", "Keep the old format for a year")
	if h.Waiting, err = t.Ask(ctx, "github", "v1.4.1", t.Change("github", "ana", "bo", "Say which format was read")); err != nil {
		return h, err
	}
	if h.Elsewhere, err = t.Ask(ctx, "gitlab", "v2.0.0", t.Change("gitlab", "bo", "ana", "Rewrite the parser")); err != nil {
		return h, err
	}
	for _, a := range []*Asked{h.Waiting, h.Elsewhere} {
		if err := t.Await(ctx, a, "judged", Judged); err != nil {
			return h, err
		}
	}
	if h.Decision, err = t.Entry(ctx, h.Signed, "the gate decided"); err != nil {
		return h, err
	}
	h.Signature, err = t.Entry(ctx, h.Signed, "a signature, by its key")
	return h, err
}

// Entry is the path of the newest entry about a release that the ledger's page tells of in
// these words.
func (t *Town) Entry(ctx context.Context, a *Asked, words string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL+"/ledger?q="+a.ID, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "text/html")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	const most = 1 << 20
	page, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`href="(/ledger/[0-9]+)"><strong>[0-9]+</strong> ` + regexp.QuoteMeta(words) + "<").FindSubmatch(page)
	if found == nil {
		return "", fmt.Errorf("find %q in the ledger: expected an entry of release %s, got\n%s", words, a.Ref, page)
	}
	return string(found[1]), nil
}

// Released has ana's change released: cy approves it in a comment.
func (t *Town) Released(ctx context.Context, forge, tag, title string) (*Asked, error) {
	a, err := t.Ask(ctx, forge, tag, t.Change(forge, "ana", "bo", title))
	if err != nil {
		return nil, err
	}
	if err := t.Await(ctx, a, "judged", Judged); err != nil {
		return nil, err
	}
	t.Says(a, "cy", "/countersign approve")
	return a, t.Await(ctx, a, "signed", Signed)
}

// ProposePolicy merges a policy that nobody but its author saw: it is not in force.
func (t *Town) ProposePolicy(forge string) {
	team := t.Teams[forge]
	c := team.Open("ana", "two-approvals", "Ask two people to approve", map[string][]byte{
		".countersign.yaml": []byte("# Public downloads: two people look at every release.\nversion: 1\nreleases:\n  - name: stable\n    workflow: release.yml\n    tags: [\"v[0-9]*\"]\n    approvals:\n      - {from: [write], count: 2}\n    expires: 72h\n"),
	})
	team.World.Merge(c, team.People["ana"], forgetest.MergeCommit)
}
