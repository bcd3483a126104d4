package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/countersign/countersign/gate"
)

// The probe's own texts. They hold no name, so that a transcript may keep them.
const (
	probeKey     = "probe"
	probeContext = "countersign/probe"
	probeTitle   = "Countersign probe: nothing is asked of anybody"
	probeBody    = "This is what `countersignd probe` left here to find out how this forge behaves. It may be deleted."
	probeEdited  = probeBody + "\n\nIt was changed once, to see whether that is told."
)

// OwnTexts are the texts that the probe itself sends.
func OwnTexts() []string {
	return []string{probeKey, probeContext, probeTitle, probeBody, probeEdited}
}

func writeFacts(kind gate.ForgeKind) []Fact {
	row := func(id, assumes, follows string, check func(context.Context, *session) result) Fact {
		return Fact{
			ID: "write." + id, Area: areaPosts, Needs: NeedsWrite, check: check,
			Assumes: assumes, Used: "telling the forge where a release is", Follows: follows,
		}
	}
	out := []Fact{
		row("status", "A commit status can be set, moved on, and set again.", "people do not see the state at the commit", writeStatus),
	}
	if kind == gate.GitHub {
		out = append(out, row("check", "A check run can be made, and found and ended afterwards.", "people do not see the state at the commit", writeCheck))
	}
	return append(out,
		row("thread", "A release issue can be opened, and is found again.", "a release without a PR or MR has no place for approvals", writeThread),
		row("comment", "A comment can be made, and is found and edited in place afterwards.", "each change of state becomes a comment of its own, or none", writeComment),
		row("heard", "All that was said in a thread is read at once, that comment in it.", "a denial whose delivery was lost is not heard until somebody repeats it", writeHeard),
		row("edited", "A comment that was edited is told to be.", "no approval counts, since none can be told from an edited one", writeEdited),
		row("machine", "The gate's own account is told to be no person's.", "the gate's own comments could be taken for approvals: they are refused by their marker alone", writeMachine),
		row("reaction", "A comment can be given a reaction, twice without harm.", "people do not see that their comment was read", writeReaction),
	)
}

// post posts and gives the forge's id of it.
func (s *session) post(ctx context.Context, p gate.Post) (string, result, bool) {
	p.ID, p.Request, p.Key, p.Repository, p.Made = "probe", probeKey, probeKey, s.repositoryID(), s.Now()
	id, err := s.Adapter.Post(ctx, p)
	if err == nil {
		return id, result{}, true
	}
	said := clip(err.Error())
	if e := new(gate.Error); errors.As(err, &e) {
		said = clip(e.Text)
		if e.Kind == gate.Unavailable {
			return "", untold("%s", said), false
		}
	}
	return "", fails("%s", said), false
}

func (s *session) leave(format string, args ...any) {
	s.left = append(s.left, fmt.Sprintf(format, args...))
}

func writeStatus(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	for i, state := range []gate.PostState{gate.PostPending, gate.PostSuccess, gate.PostSuccess} {
		_, r, ok := s.post(ctx, gate.Post{Target: gate.PostStatus, Commit: s.head, Context: probeContext, State: state, Title: probeTitle})
		if !ok {
			return r
		}
		if i == 0 {
			s.leave("status %s on commit %s", probeContext, gate.ShortCommit(s.head))
		}
	}
	return holds("pending, then success twice")
}

func writeCheck(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	p := gate.Post{Target: gate.PostCheck, Commit: s.head, Context: probeContext, State: gate.PostPending, Title: probeTitle, Body: probeBody}
	first, r, ok := s.post(ctx, p)
	if !ok {
		return r
	}
	s.leave("check run %s on commit %s", probeContext, gate.ShortCommit(s.head))
	p.State = gate.PostSuccess
	second, r, ok := s.post(ctx, p)
	switch {
	case !ok:
		return r
	case first != second:
		return fails("check run %s was not found again: %s was made", first, second)
	}
	return holds("check run %s", first)
}

func writeThread(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	p := gate.Post{Target: gate.PostThread, Commit: s.head, Title: probeTitle, Body: probeBody}
	first, r, ok := s.post(ctx, p)
	if !ok {
		return r
	}
	number, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return fails("the issue has no number")
	}
	s.thread = number
	s.leave("issue #%d, with a comment; the next probe finds it again while it is open", number)
	second, r, ok := s.post(ctx, p)
	switch {
	case !ok:
		return r
	case first != second:
		return fails("issue %s was not found again: %s was opened", first, second)
	}
	return holds("issue %s", first)
}

func (s *session) openThread() (gate.Thread, result, bool) {
	if s.thread == 0 {
		return gate.Thread{}, untold("there is no issue to write in"), false
	}
	return gate.Thread{Number: s.thread, Issue: true}, result{}, true
}

func writeComment(ctx context.Context, s *session) result {
	t, r, ok := s.openThread()
	if !ok {
		return r
	}
	p := gate.Post{Target: gate.PostComment, Thread: t, Body: probeBody}
	first, r, ok := s.post(ctx, p)
	if !ok {
		return r
	}
	p.Body = probeEdited
	second, r, ok := s.post(ctx, p)
	switch {
	case !ok:
		return r
	case first != second:
		return fails("comment %s was not found again: %s was made", first, second)
	}
	number, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return fails("the comment has no number")
	}
	s.comment = number
	return holds("comment %s", first)
}

// said reads the probe's comment again.
func (s *session) said(ctx context.Context) (gate.Comment, result, bool) {
	if s.comment == 0 {
		return gate.Comment{}, untold("there is no comment to read"), false
	}
	f := s.Adapter.Comment(ctx, s.commentRef())
	c, ok := f.Get()
	if !ok {
		return c, fails("the comment could not be read again: %s", clip(f.Why())), false
	}
	return c, result{}, true
}

func (s *session) commentRef() gate.CommentRef {
	return gate.CommentRef{Repository: s.repositoryID(), ID: s.comment, Thread: gate.Thread{Number: s.thread, Issue: true}}
}

// writeHeard reads the thread as an evidence does that looks for lost deliveries.
func writeHeard(ctx context.Context, s *session) result {
	if s.comment == 0 {
		return untold("there is no comment to read")
	}
	if _, r, ok := s.read(ctx); !ok {
		return r
	}
	ref := s.commentRef()
	e := s.Adapter.Evidence(ctx, s.request, gate.Needs{
		Branches: []gate.Matcher{everything{}}, Since: []string{s.request.Commit}, Thread: ref.Thread, NoReviews: true,
	})
	all, ok := e.Thread.Get()
	switch {
	case !ok:
		return fails("%s", clip(e.Thread.Why()))
	case !slices.ContainsFunc(all, func(c gate.Comment) bool { return c.Ref.ID == ref.ID }):
		return fails("the comment is not among the %d of its thread", len(all))
	}
	return holds("the comment is among them")
}

func writeEdited(ctx context.Context, s *session) result {
	c, r, ok := s.said(ctx)
	switch {
	case !ok:
		return r
	case !c.Edited:
		return fails("the comment was edited, and the forge does not tell")
	}
	return holds("the edit is told")
}

func writeMachine(ctx context.Context, s *session) result {
	c, r, ok := s.said(ctx)
	switch {
	case !ok:
		return r
	case !c.ByMachine && c.Author.Human:
		return fails("the forge shows the gate's account as a person's")
	}
	return holds("a machine's")
}

func writeReaction(ctx context.Context, s *session) result {
	if s.comment == 0 {
		return untold("there is no comment to react to")
	}
	p := gate.Post{Target: gate.PostReaction, Comment: s.commentRef(), Reaction: "eyes"}
	first, r, ok := s.post(ctx, p)
	if !ok {
		return r
	}
	second, r, ok := s.post(ctx, p)
	switch {
	case !ok:
		return r
	case first == "" || first != second:
		return fails("the second reaction is not the first")
	}
	return holds("the same reaction twice")
}
