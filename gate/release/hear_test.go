package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// direct makes the release commit a push that no pull request made.
func direct(e *gate.Evidence) {
	changes, _ := e.Changes.Get()
	changes[0].Number, changes[0].Opener, changes[0].MergeCommit = 0, gate.Absent[gate.Account]("direct push"), ""
}

func TestCommandBeforeTheThreadIsKnownIsParked(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() { w.forge.unread = "HTTP 502" })
	id := w.opened(1).Request.ID
	w.settle()
	w.clock.pass(time.Second)
	approval := w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.reacted(approval)
	if all, err := w.store.Approvals(w.ctx, id); err != nil || len(all) != 0 {
		t.Fatalf("approvals %v, %v, expected none yet", all, err)
	}
	w.forge.with(func() { w.forge.unread = "" })
	w.later(15 * time.Second)
	w.later(15 * time.Second)
	w.reacted(approval, "rocket")
	w.in(id, gate.StatePublished)
}

// What nobody can say yet is asked ever more rarely.
func TestParkingGrows(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() { w.forge.unread = "HTTP 502" })
	w.opened(1)
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	tries := 0
	for range 720 {
		found, err := w.gate.HearNext(w.ctx)
		w.must(err)
		if found {
			tries++
		}
		w.clock.pass(5 * time.Second)
	}
	if tries < 55 || tries > 70 {
		t.Errorf("%d tries in an hour, expected about one a minute", tries)
	}
}

// A request that never gets a thread (a repository without issues) must not keep people
// from approving others.
func TestRequestWithoutThreadDoesNotParkOthers(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() {
		w.forge.edit = func(r gate.Request, e *gate.Evidence) {
			if len(r.Manifest.Subjects) == 2 {
				direct(e)
			}
		}
		w.forge.postErr = func(p gate.Post) error {
			if p.Target == gate.PostThread {
				return &gate.Error{Kind: gate.Refused, Code: gate.CodeForgeRefused, Text: "issues are disabled"}
			}
			return nil
		}
	})
	threaded, lost := w.opened(1).Request, w.opened(2).Request
	w.settle()
	if rec := w.record(lost.ID); rec.Thread != (gate.Thread{}) {
		t.Fatalf("thread %v, expected none", rec.Thread)
	}
	wrong := w.says(gatetest.Bo(), "/countersign approve 0000")
	w.settle()
	w.reacted(wrong, "confused")
	approval := w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.reacted(approval, "rocket")
	w.in(threaded.ID, gate.StatePublished)
	w.in(lost.ID, gate.StateWaiting)

	parked := w.says(gatetest.Bo(), "/countersign approve "+lost.Code)
	w.settle()
	w.reacted(parked)
}

func TestReleaseIssue(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() { w.forge.edit = func(_ gate.Request, e *gate.Evidence) { direct(e) } })
	id := w.opened(1).Request.ID
	w.settle()
	issue := gate.Thread{Number: 900, Issue: true}
	if rec := w.record(id); rec.Thread != issue {
		t.Fatalf("thread %v, expected the issue that was opened", rec.Thread)
	}
	comment, ok := w.forge.latest(gate.PostComment)
	if !ok || comment.Thread != issue {
		t.Errorf("expected the sticky comment in the issue, got %+v", comment.Thread)
	}
	w.saysIn(issue, gate.Comment{Author: gatetest.Bo(), Body: "/countersign approve"})
	w.settle()
	w.in(id, gate.StatePublished)
}

// attack 50: what is written in another thread is no word on this release.
func TestOtherThread(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	for _, elsewhere := range []gate.Thread{{Number: 411}, {Number: 412, Issue: true}} {
		ref := w.saysIn(elsewhere, gate.Comment{Author: gatetest.Bo(), Body: "/countersign approve"})
		w.settle()
		w.reacted(ref, "confused")
		if got := w.forge.replies(ref); !strings.Contains(got, "no release of this thread was waiting") {
			t.Errorf("answer %q", got)
		}
	}
	w.in(id, gate.StateWaiting)
}

// attack 54
func TestCommentBeforeTheRequestDoesNotCount(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	early := w.saysIn(thread(), gate.Comment{
		Author: gatetest.Bo(), Body: "/countersign approve", Created: w.now().Add(-time.Second).Truncate(time.Second),
	})
	w.settle()
	w.reacted(early, "confused")
	w.in(id, gate.StateWaiting)
	if all, err := w.store.Approvals(w.ctx, id); err != nil || len(all) != 0 {
		t.Errorf("approvals %v, %v, expected none", all, err)
	}
	// In the same second is not before: forges tell no fractions.
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StatePublished)
}

func TestCodes(t *testing.T) {
	w := newWorld(t)
	a, b := w.opened(1).Request, w.opened(2).Request
	w.settle()
	bare := w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.reacted(bare, "confused")
	if got := w.forge.replies(bare); !strings.Contains(got, a.Code) || !strings.Contains(got, b.Code) {
		t.Errorf("answer %q, expected both codes %s and %s", got, a.Code, b.Code)
	}
	w.in(a.ID, gate.StateWaiting)
	w.in(b.ID, gate.StateWaiting)

	wrong := w.says(gatetest.Bo(), "/countersign approve 0000")
	w.settle()
	w.reacted(wrong, "confused")

	named := w.says(gatetest.Bo(), "/countersign approve "+strings.ToUpper(b.Code))
	w.settle()
	w.reacted(named, "rocket")
	w.in(a.ID, gate.StateWaiting)
	w.in(b.ID, gate.StatePublished)

	w.clock.pass(time.Second)
	w.says(gatetest.Bo(), "/countersign approve") // only one is left
	w.settle()
	w.in(a.ID, gate.StatePublished)

	w.clock.pass(time.Second)
	late := w.says(gatetest.Bo(), "/countersign approve "+a.Code)
	w.settle()
	w.reacted(late, "confused")
}

// Which of two releases a bare word meant cannot be told once one of them ended: the
// time of the comment counts, not that of its work.
func TestBareCommandWrittenWhileTwoWaited(t *testing.T) {
	w := newWorld(t)
	a, b := w.opened(1).Request, w.opened(2).Request
	w.settle()
	written := w.now().Truncate(time.Second)
	w.clock.pass(10 * time.Second)
	w.says(gatetest.Bo(), "/countersign deny "+a.Code+" wrong files")
	w.settle()
	w.in(a.ID, gate.StateDenied)
	late := w.saysIn(thread(), gate.Comment{Author: gatetest.Bo(), Body: "/countersign approve", Created: written})
	w.settle()
	w.reacted(late, "confused")
	if got := w.forge.replies(late); !strings.Contains(got, b.Code) || strings.Contains(got, a.Code) {
		t.Errorf("answer %q, expected the one code that is still good", got)
	}
	w.in(b.ID, gate.StateWaiting)
	// Afterwards only one can be meant.
	w.clock.pass(time.Second)
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(b.ID, gate.StatePublished)
}

func TestDenialNeedsAReason(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	bare := w.says(gatetest.Bo(), "/countersign deny")
	w.settle()
	w.reacted(bare, "confused")
	if got := w.forge.replies(bare); !strings.Contains(got, "needs a reason") {
		t.Errorf("answer %q", got)
	}
	w.in(id, gate.StateWaiting)
	w.says(gatetest.Bo(), "/countersign deny the tag is a typo")
	w.settle()
	rec := w.in(id, gate.StateDenied)
	if c, _ := w.decision(rec).Check(gate.CheckHold); !strings.Contains(c.Reason, "denied by @bo: the tag is a typo") {
		t.Errorf("reason %q", c.Reason)
	}
	// An approval that comes later changes nothing.
	late := w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.reacted(late, "confused")
	w.in(id, gate.StateDenied)
}

// Deliveries of one thread are worked off in order: an approval does not overtake a
// denial that waits.
func TestApprovalDoesNotOvertakeADenial(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.forge.with(func() { w.forge.silent = "HTTP 502" })
	w.says(gatetest.Bo(), "/countersign deny not now")
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StateWaiting)
	w.forge.with(func() { w.forge.silent = "" })
	w.later(2 * time.Second)
	w.in(id, gate.StateDenied)
}

func TestWhatIsNoCommandIsAnswered(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	for _, row := range []struct{ body, answer string }{
		{"/countersign deny", "a denial needs a reason"},
		{"/countersign aprove", "approve"},
		{"/countersign frobnicate", "after `/countersign` comes one of"},
		{"`/countersign approve`", "without them"},
		{"/countersign approve\n\n/countersign deny because", "one per comment"},
	} {
		ref := w.says(gatetest.Bo(), row.body)
		w.settle()
		if got := w.forge.replies(ref); !strings.Contains(got, row.answer) {
			t.Errorf("%q: answer %q, expected %q in it", row.body, got, row.answer)
		}
		if !w.forge.reactions(ref)["confused"] {
			t.Errorf("%q: expected it confused", row.body)
		}
	}
	ref := w.says(gatetest.Bo(), "looks good to me")
	read := w.forge.read
	w.settle()
	w.reacted(ref)
	if w.forge.replies(ref) != "" || w.forge.read != read {
		t.Error("expected that plain talk leads to nothing, not even to reading the forge")
	}
	w.in(id, gate.StateWaiting)
}

func TestCommentsThatAreIgnored(t *testing.T) {
	bot := gate.Account{ID: gate.AccountID{Forge: gatetest.Forge, ID: 300}, Login: "helper[bot]"}
	for name, c := range map[string]gate.Comment{
		"attack 88: a bot's":      {Author: bot},
		"attack 45: edited":       {Author: gatetest.Bo(), Edited: true},
		"attack 46: hidden":       {Author: gatetest.Bo(), Hidden: true},
		"attack 88: by a machine": {Author: gatetest.Bo(), ByMachine: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.forge.member(bot, gate.RoleAdmin)
			id := w.opened(1).Request.ID
			w.settle()
			told := w.forge.count()
			c.Body = "/countersign approve"
			w.saysIn(thread(), c)
			w.settle()
			if all, err := w.store.Approvals(w.ctx, id); err != nil || len(all) != 0 {
				t.Errorf("approvals %v, %v", all, err)
			}
			if got := w.forge.count(); got != told {
				t.Errorf("%d posts, expected silence", got-told)
			}
			w.in(id, gate.StateWaiting)
		})
	}
}

func TestDeletedCommentSaysNothing(t *testing.T) {
	w := newWorld(t)
	w.opened(1)
	w.settle()
	ref := w.says(gatetest.Bo(), "/countersign approve")
	w.forge.with(func() { delete(w.forge.comments, ref) })
	w.settle()
	w.reacted(ref)
}

func TestReaderCannotApprove(t *testing.T) {
	w := newWorld(t)
	w.forge.member(cy(), gate.RoleRead)
	id := w.opened(1).Request.ID
	w.settle()
	ref := w.says(cy(), "/countersign approve")
	w.settle()
	w.reacted(ref, "confused")
	w.in(id, gate.StateWaiting)
	comment, _ := w.forge.latest(gate.PostComment)
	if !strings.Contains(comment.Body, "cy has read, approving needs write") {
		t.Errorf("expected the comment to say why, got\n%s", comment.Body)
	}
	// Who may not approve may not deny either.
	w.says(cy(), "/countersign deny I do not like it")
	w.settle()
	w.in(id, gate.StateWaiting)
}

// attacks 45 and 46: what was approved is read again whenever it is judged.
func TestApprovalThatIsTakenBack(t *testing.T) {
	for name, change := range map[string]func(*gate.Comment){
		"edited":                                 func(c *gate.Comment) { c.Edited = true },
		"hidden":                                 func(c *gate.Comment) { c.Hidden = true },
		"other text without the forge saying so": func(c *gate.Comment) { c.Body += " not" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			open := true // something else is missing
			w.forge.with(func() {
				w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
					if open {
						e.Branch = gate.Absent[gate.BranchFacts]("on no branch")
					}
				}
			})
			id := w.opened(1).Request.ID
			w.settle()
			ref := w.says(gatetest.Bo(), "/countersign approve")
			w.settle()
			w.reacted(ref, "rocket")
			w.edited(ref, change)
			w.settle()
			w.reacted(ref, "rocket", "confused")
			w.forge.with(func() { open = false })
			w.later(5 * time.Minute)
			w.in(id, gate.StateWaiting)
		})
	}
}

// Whoever has a say is told why their word does not count; outsiders get the reaction
// alone, or anybody could have the gate fill a thread.
func TestWhoIsAnsweredInWords(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	own := w.says(gatetest.Ana(), "/countersign approve")
	w.settle()
	w.reacted(own, "confused")
	if got := w.forge.replies(own); !strings.Contains(got, "is an author of") {
		t.Errorf("answer %q, expected why Ana's approval does not count", got)
	}
	for _, body := range []string{"/countersign approve", "/countersign deny", "/countersign aprove", "/countersign hold"} {
		ref := w.says(cy(), body)
		w.settle()
		if got := w.forge.reactions(ref); !got["confused"] {
			t.Errorf("%q: reactions %v", body, got)
		}
		if got := w.forge.replies(ref); got != "" {
			t.Errorf("%q: an outsider is answered %q", body, got)
		}
	}
	w.in(id, gate.StateWaiting)
}

// An approval that could not be judged at first is answered once it was.
func TestAnswerComesOnceItWasRead(t *testing.T) {
	w := newWorld(t)
	unread := true
	w.forge.with(func() {
		w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
			if unread {
				e.Roles = nil
			}
		}
	})
	w.opened(1)
	w.settle()
	own := w.says(gatetest.Ana(), "/countersign approve")
	w.settle()
	w.reacted(own, "eyes")
	w.forge.with(func() { unread = false })
	w.later(15 * time.Second)
	w.reacted(own, "eyes", "confused")
	if got := w.forge.replies(own); !strings.Contains(got, "is an author of") {
		t.Errorf("answer %q", got)
	}
}

// One comment is one statement, however often the forge delivers it.
func TestRedelivery(t *testing.T) {
	w := newWorld(t)
	w.forge.member(cy(), gate.RoleRead)
	id := w.opened(1).Request.ID
	w.settle()
	ref := w.says(cy(), "/countersign approve")
	w.settle()
	told := w.forge.count()
	w.ring(gate.Ring{Repository: gatetest.Repository(), Comment: &ref})
	w.settle()
	if all, err := w.store.Approvals(w.ctx, id); err != nil || len(all) != 1 {
		t.Errorf("approvals %v, %v, expected one", all, err)
	}
	if got := w.forge.count() - told; got > 1 {
		t.Errorf("%d posts, expected the eyes at most", got)
	}
}

// An approval binds to the tag object that was read: where none was, it has to wait.
func TestApprovalWaitsForTheTag(t *testing.T) {
	w := newWorld(t)
	unread := true
	w.forge.with(func() {
		w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
			ref, _ := e.Ref.Get()
			ref.TagObject = "4444444444444444444444444444444444444444"
			if e.Ref = gate.Known(ref); unread {
				e.Ref = gate.Unknown[gate.RefFacts]("HTTP 502")
			}
		}
	})
	id := w.opened(1).Request.ID
	w.settle()
	approval := w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.reacted(approval)
	w.forge.with(func() { unread = false })
	w.later(15 * time.Second)
	w.later(15 * time.Second)
	w.reacted(approval, "rocket")
	w.in(id, gate.StatePublished)
}

func TestUnreadableDeliveries(t *testing.T) {
	w := newWorld(t)
	_, err := w.store.Accept(w.ctx, gate.Delivery{Forge: gatetest.Forge, ID: "1", Event: "ring", Body: []byte("{"), Received: w.now()})
	w.must(err)
	w.settle() // it is logged and done with
	_, err = w.store.Accept(w.ctx, gate.Delivery{Forge: "elsewhere", ID: "2", Event: "ring", Body: []byte("[]"), Received: w.now()})
	w.must(err)
	found, err := w.gate.HearNext(w.ctx)
	if !found || gate.CodeOf(err) != gate.CodeForgeUnknown {
		t.Errorf("expected %s, got %t, %v", gate.CodeForgeUnknown, found, err)
	}
	if found, err := w.gate.HearNext(w.ctx); found || err != nil {
		t.Errorf("expected it leased, not tried again at once: %t, %v", found, err)
	}
}
