package workload

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/countersign/countersign/gate"
)

// nothing is what a claim that is not there is shown as.
const nothing = "nothing"

// shown is what came as a claim, on one line, bounded, and without what acts on a
// terminal or looks like what it is not. Times are shown as times.
func (c *claims) shown(name string) string {
	if !c.has(name) {
		return nothing
	}
	raw := string(c.members[name])
	if name == "iat" || name == "nbf" || name == "exp" {
		if n, err := strconv.ParseInt(raw, 10, 64); err == nil && n > 0 && n <= maxExact {
			return stamp(time.Unix(n, 0))
		}
	}
	var text string
	if json.Unmarshal(c.members[name], &text) != nil || text == "" {
		text = raw
	}
	return clean(text)
}

// clean is a text as it stands, where it is short and of plain letters.
func clean(text string) string {
	if len(text) <= maxQuoted && strconv.QuoteToASCII(text) == `"`+text+`"` {
		return text
	}
	return quoted(text)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// told is the refusal with the table of all claims that were read.
func (c *claims) told(err error) error {
	var e *gate.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Claims = c.rows
	return &out
}

// compare holds the claims against the ask that the ID token came with.
func (c *claims) compare(w gate.Workload, ask gate.Ask) {
	if ask.Repository == (gate.RepositoryID{}) {
		return
	}
	match := func(name, want string, same bool) {
		if same {
			c.pin(name, want+", as asked")
		} else {
			c.doubt(name, want+", as asked")
		}
	}
	repository, number := "repository_id", strconv.FormatInt(ask.Repository.ID, 10)
	if w.Kind == gate.GitLab {
		repository = "project_id"
	}
	if ask.Repository.Forge != w.Forge {
		number = ask.Repository.String()
	}
	match(repository, number, ask.Repository == w.Repository)
	match("sha", ask.Commit, ask.Commit == w.Commit)
	if w.Kind != gate.GitLab {
		match("ref", ask.Ref, ask.Ref == w.Ref)
		return
	}
	kind := "branch"
	if (gate.Request{Ref: ask.Ref}).IsTag() {
		kind = "tag"
	}
	// GitLab's ref is the short name; its kind stands beside it.
	short := gate.ShortRef(ask.Ref)
	match("ref", short, short == gate.ShortRef(w.Ref))
	match("ref_type", kind, (gate.Request{Ref: ask.Ref}).IsTag() == (gate.Request{Ref: w.Ref}).IsTag())
}
