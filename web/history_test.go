package web_test

import (
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// The page tells everything that happened, who did it, and where the ledger has it.
func TestHistory(t *testing.T) {
	w := newWorld(t)
	rec := record(t, gate.StateSigned)
	w.put(rec)
	said := func(verb gate.Verb, page bool) gate.Happening {
		return gate.Happening{
			At: noon(), What: gate.HappenedSaid, Leaf: 7, By: gatetest.Bo(),
			Statement: &gate.Approval{Verb: verb, By: gatetest.Bo(), Page: page, Reason: "because of " + string(verb)},
		}
	}
	w.history = map[string][]gate.Happening{rec.Request.ID: {
		{At: noon(), What: gate.HappenedAsked, Leaf: 3, By: gatetest.Ana()},
		{At: noon(), What: gate.HappenedJudged, Leaf: 4, State: gate.StateWaiting, Outcome: gate.Waiting, Why: "1 change not yet covered"},
		said(gate.VerbApprove, true), said(gate.VerbApprove, false), said(gate.VerbDeny, true), said(gate.VerbHold, false), said(gate.VerbUnhold, true), said(gate.VerbWithdraw, true),
		{At: noon(), What: gate.HappenedJudged, Leaf: 8, State: gate.StateGranted, Outcome: gate.Granted},
		{At: noon(), What: gate.HappenedJudged, Leaf: 8, State: gate.StateVoid, Outcome: gate.Denied, Why: "tag v1.4.0 moved"},
		{At: noon(), What: gate.HappenedSigning, Leaf: 9, Count: 2, Attempt: 1, Key: gate.KeyVersion{Lineage: "acme-release", Version: 3}},
		{At: noon(), What: gate.HappenedOrphaned, Leaf: 10, Count: 1, Attempt: 1},
		{At: noon(), What: gate.HappenedLate, Leaf: 11, Count: 1, Attempt: 1},
		{At: noon(), What: gate.HappenedSigned, Leaf: 12, Count: 2, Attempt: 2},
		{At: noon(), What: gate.HappenedFailed, Leaf: 13, Why: "the token is gone"},
		{At: noon(), What: gate.HappenedPublished, Leaf: 14},
		{At: noon(), What: "something new", Leaf: 15, Why: "of later"},
	}}
	says(t, w.look(t, page).Body.String(),
		"@ana</bdi> <bdi>asked for it", "judged: waiting", "1 change not yet covered", "approved it on this page", "approved it in a comment",
		"denied it on this page", "because of deny", "put it on hold in a comment", "lifted the hold", "took the approval back", "judged: every check passed",
		"judged: void", "tag v1.4.0 moved", "asked for 2 signatures, with key acme-release version 3", "may have made 1 signature that nobody has",
		"came too late", "2 signatures made and verified", "the token is gone", "the forge was told", "something new", "entry 12",
	)
}

// What a page offers is what its visitor can do.
func TestSeats(t *testing.T) {
	const (
		approve = `/approve"><input`
		deny    = `/deny"><input`
		hold    = `/hold"><input`
		unhold  = `/unhold"><input`
		back    = `/withdraw"><input`
	)
	held := gatetest.Edit(func(c *gate.Case) {
		h := c.Approvals[0]
		h.Verb = gate.VerbHold
		c.Holds, c.Approvals = []gate.Approval{h}, nil
	})
	comments := gatetest.Edit(func(c *gate.Case) { c.Policy.Streams[0].PageCounts = false })
	rows := []struct {
		name      string
		who       gate.Account
		role      gate.Role
		silent    bool
		rec       gate.Record
		has, lack []string
	}{
		{name: "signed out", rec: record(t, gate.StateWaiting, unapproved()),
			has: []string{"Sign in with <bdi>GitHub</bdi> to approve", "@bo"}, lack: []string{approve, deny, hold, "GitLab</bdi> to approve"}},
		{name: "who can approve", who: gatetest.Bo(), role: gate.RoleWrite, rec: record(t, gate.StateWaiting, unapproved()),
			has: []string{"Yours to approve", approve, deny, hold, "Approve <bdi>v1.4.0</bdi>"}, lack: []string{unhold, back, "to approve</button>"}},
		{name: "who can approve, in comments alone", who: gatetest.Bo(), role: gate.RoleWrite, rec: record(t, gate.StateWaiting, unapproved(), comments),
			has: []string{"counts approvals in comments alone", "Approve with a new comment in", deny, hold}, lack: []string{approve, "Or write"}},
		{name: "signed out, in comments alone", rec: record(t, gate.StateWaiting, unapproved(), comments),
			has: []string{"Approve with a new comment in"}, lack: []string{approve, "to approve</button>", "one press here"}},
		{name: "the author", who: gatetest.Ana(), role: gate.RoleAdmin, rec: record(t, gate.StateWaiting, unapproved()),
			has: []string{"You cannot approve this release: <bdi>author of #412</bdi>", hold, deny}, lack: []string{approve}},
		{name: "somebody with read only", who: eve(), role: gate.RoleRead, rec: record(t, gate.StateWaiting, unapproved()),
			has: []string{"You cannot approve this release", "read"}, lack: []string{approve, deny, hold}},
		{name: "somebody without a right", who: eve(), rec: record(t, gate.StateWaiting, unapproved()),
			has: []string{"no right in acme/app"}, lack: []string{approve, deny, hold}},
		{name: "a writer of whom the judgement knows nothing", who: eve(), role: gate.RoleWrite, rec: record(t, gate.StateWaiting, unapproved()),
			has: []string{"Whether your approval counts is judged when you give it", approve, deny, hold}},
		{name: "while the forge is silent", who: gatetest.Bo(), silent: true, rec: record(t, gate.StateWaiting, unapproved()),
			has: []string{"Whether your approval counts is judged", approve}, lack: []string{hold}},
		{name: "who approved", who: gatetest.Bo(), role: gate.RoleWrite, rec: record(t, gate.StateWaiting),
			has: []string{"You approved this", back, hold, deny}, lack: []string{approve}},
		{name: "of a held release", who: gatetest.Bo(), role: gate.RoleWrite, rec: record(t, gate.StateWaiting, held),
			has: []string{unhold, approve}, lack: []string{hold}},
		{name: "at another forge", who: gate.Account{ID: gate.AccountID{Forge: "gitlab", ID: 5}, Login: "bo", Human: true}, rec: record(t, gate.StateWaiting, unapproved()),
			has: []string{"signed in with GitLab, and this release is on GitHub", "Sign in with <bdi>GitHub</bdi> to approve"}, lack: []string{approve, deny, hold}},
		{name: "of a signed release", who: gatetest.Bo(), role: gate.RoleWrite, rec: record(t, gate.StateSigned), lack: []string{approve, deny, hold, back}},
		{name: "of an ended release", who: gatetest.Bo(), role: gate.RoleWrite, rec: record(t, gate.StateDenied, unapproved()), lack: []string{approve, deny, hold, back}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newTown(t)
			w.put(row.rec)
			c := w.chrome(t)
			if row.who.Login != "" {
				c = w.signedIn(t, row.who)
			}
			w.github.set(row.who.ID, row.role)
			w.github.silent = row.silent
			body := c.open(page).Body.String()
			says(t, body, row.has...)
			for _, text := range row.lack {
				if contains(body, text) {
					t.Errorf("the page offers %q", text)
				}
			}
		})
	}
}

// The inbox puts first what waits for its reader.
func TestInbox(t *testing.T) {
	w := newTown(t)
	ids := map[string]gate.Record{}
	for i, row := range []struct {
		tag   string
		state gate.State
		opts  []gatetest.Option
	}{
		{"v1", gate.StateWaiting, []gatetest.Option{unapproved()}}, {"v2", gate.StateWaiting, nil},
		{"v3", gate.StateSigned, nil}, {"v4", gate.StateDenied, []gatetest.Option{unapproved()}},
	} {
		rec := record(t, row.state, row.opts...)
		rec.Request.ID = "0197f3a0-0000-7000-8000-00000000000" + string(rune('1'+i))
		rec.Request.Ref = "refs/tags/" + row.tag
		ids[row.tag] = rec
		w.put(rec)
	}
	w.github.set(gatetest.Bo().ID, gate.RoleWrite)
	body := w.signedIn(t, gatetest.Bo()).open("/").Body.String()
	inOrder(t, body, "Needs you", "v1</bdi>", "Waits for others", "v2</bdi>", "Recent", "v4</bdi>", "v3</bdi>")
	says(t, body, `role="img" aria-label="`, "checks passed. Not yet: ", `data-left`, "GitHub · ")
	body = w.chrome(t).open("/").Body.String()
	inOrder(t, body, "Waiting", "v2</bdi>", "v1</bdi>", "Recent", "v4</bdi>")
	if contains(body, "Needs you") {
		t.Error("something needs nobody")
	}
}

// What is behind a page is reached by its link, and nothing twice.
func TestInboxPages(t *testing.T) {
	w := newTown(t)
	for i := range 45 {
		rec := record(t, gate.StateSigned)
		rec.Request.ID = "0197f3a0-0000-7000-8000-0000000000" + twoDigits(i+10)
		rec.Request.Ref = "refs/tags/v" + twoDigits(i+10)
		rec.Request.Private = i%2 == 1
		w.put(rec)
	}
	seen := 0
	for path := "/"; path != ""; {
		body := w.chrome(t).open(path).Body.String()
		seen += count(body, `class="what"`)
		path = older(body)
	}
	if seen != 23 {
		t.Errorf("saw %d of 23 public releases", seen)
	}
	if body := w.chrome(t).open("/?repository=github:999").Body.String(); count(body, `class="what"`) != 0 || !contains(body, "Nothing of this repository") {
		t.Errorf("another repository has releases: %s", body)
	}
}
