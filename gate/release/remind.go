package release

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/voice"
)

// When people are reminded: a day after the request, and a day before it expires.
const remindAfter = 24 * time.Hour

// reminders are the comments that call people who still can approve. Each has a key of
// its own, under which it is posted once, however often it is made.
func (g *Gate) reminders(rec gate.Record, d gate.Decision, to gate.State) []gate.Post {
	r, now := rec.Request, g.Now()
	if to != gate.StateWaiting || rec.Thread == (gate.Thread{}) {
		return nil
	}
	which := ""
	switch {
	case r.Expires.Sub(r.Created) > 2*remindAfter && now.After(r.Expires.Add(-remindAfter)):
		which = "last"
	case now.After(r.Created.Add(remindAfter)):
		which = "first"
	default:
		return nil
	}
	body := voice.Reminder(g.viewOf(rec, d, to, gate.Case{}))
	if body == "" {
		return nil
	}
	return []gate.Post{{
		ID: g.NewID(), Request: r.ID, Repository: r.Repository, Target: gate.PostReply, Thread: rec.Thread,
		Key: fmt.Sprintf("remind/%s/%s", r.ID, which), Body: body, Made: now,
	}}
}
