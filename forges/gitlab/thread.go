package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/gate"
)

// graphNotes is the newest page of a thread's notes, oldest first.
type graphNotes struct {
	Nodes    []*graphNote `json:"nodes"`
	PageInfo *struct {
		HasPrevious *bool  `json:"hasPreviousPage"`
		Start       string `json:"startCursor"`
	} `json:"pageInfo"`
}

type graphThread struct {
	IID   string      `json:"iid"`
	Notes *graphNotes `json:"notes"`
}

const threadFields = "nodes { " + noteFields + " } pageInfo { hasPreviousPage startCursor }"

// threadField is where a thread is found in a project.
func threadField(t gate.Thread) string {
	if t.Issue {
		return fmt.Sprintf(`issue(iid: "%d")`, t.Number)
	}
	return fmt.Sprintf(`mergeRequest(iid: "%d")`, t.Number)
}

// askThread reads one page of notes, before a cursor.
func (s *session) askThread(ctx context.Context, t gate.Thread, before string) (graphNotes, error) {
	var answer struct {
		Projects struct {
			Nodes []struct {
				ID     string       `json:"id"`
				Thread *graphThread `json:"thread"`
			} `json:"nodes"`
		} `json:"projects"`
	}
	query := "query($project: [ID!], $before: String) { projects(ids: $project, first: 1) { nodes { id thread: " + threadField(t) +
		" { iid notes(last: 100, before: $before) { " + threadFields + " } } } } }"
	with := map[string]any{"project": []string{s.gid()}}
	if before != "" {
		with["before"] = before
	}
	if err := s.graphQL(ctx, query, with, &answer); err != nil {
		return graphNotes{}, err
	}
	if len(answer.Projects.Nodes) != 1 || answer.Projects.Nodes[0].ID != s.gid() {
		return graphNotes{}, fmt.Errorf("project %d in GraphQL: %w", s.repo.ID, errUnexpected)
	}
	return answer.Projects.Nodes[0].Thread.page(t)
}

// page is the thread's page where it came whole.
func (t *graphThread) page(want gate.Thread) (graphNotes, error) {
	if t == nil || t.IID != strconv.FormatInt(want.Number, 10) || t.Notes == nil || t.Notes.Nodes == nil ||
		t.Notes.PageInfo == nil || t.Notes.PageInfo.HasPrevious == nil {
		return graphNotes{}, fmt.Errorf("notes of %d in GraphQL: %w", want.Number, errUnexpected)
	}
	return *t.Notes, nil
}

// readThread is every note of the thread made since a time, oldest first, complete or
// unknown: GitLab tells nobody of a deleted note and sends no delivery again (attack
// 60). Of what GitLab itself noted, only what has a note's number is in it, hidden.
func (s *session) readThread(ctx context.Context, t gate.Thread, since time.Time) gate.Fact[[]gate.Comment] {
	if t.Number <= 0 {
		return gate.Unknown[[]gate.Comment]("it is no thread")
	}
	page, ok := s.look.thread(t)
	if !ok {
		var err error
		if page, err = s.askThread(ctx, t, ""); err != nil {
			return unknown[[]gate.Comment](err)
		}
	}
	newest := page
	whole := []gate.Comment{}
	for n := 1; ; n++ {
		part, err := s.comments(page, t)
		if err != nil {
			return unknown[[]gate.Comment](err)
		}
		whole = append(part, whole...)
		if page.reaches(since) {
			s.keepOwn(ctx, t, newest)
			return gate.Known(settle(whole, since))
		}
		if n == maxPages || page.PageInfo.Start == "" {
			return unknown[[]gate.Comment](errPartial)
		}
		if page, err = s.askThread(ctx, t, page.PageInfo.Start); err != nil {
			return unknown[[]gate.Comment](err)
		}
	}
}

func (p graphNotes) older() bool { return *p.PageInfo.HasPrevious }

// reaches reports whether nothing before the page is of since or later.
func (p graphNotes) reaches(since time.Time) bool {
	return !p.older() || (len(p.Nodes) > 0 && p.Nodes[0].CreatedAt.Before(since))
}

// settle sorts, takes what came on two pages once, and leaves out what is too old.
func settle(all []gate.Comment, since time.Time) []gate.Comment {
	slices.SortFunc(all, func(a, b gate.Comment) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return int(a.Ref.ID - b.Ref.ID)
	})
	all = slices.CompactFunc(all, func(a, b gate.Comment) bool { return a.Ref == b.Ref })
	return slices.DeleteFunc(all, func(c gate.Comment) bool { return c.Created.Before(since) })
}

func (s *session) comments(page graphNotes, t gate.Thread) ([]gate.Comment, error) {
	var out []gate.Comment
	for _, n := range page.Nodes {
		if n == nil { // GitLab leaves empty what the gate may not see
			return nil, errPartial
		}
		id, ok := n.number()
		if !ok && n.System != nil && *n.System { // a label was set, a milestone: no note of its own
			continue
		}
		c, err := s.comment(*n, gate.CommentRef{Repository: s.repo, Thread: t, ID: id})
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if page.older() && !slices.IsSortedFunc(page.Nodes, func(a, b *graphNote) int { return a.CreatedAt.Compare(b.CreatedAt) }) {
		return nil, errUnexpected // whether what lies before is older is then not known
	}
	return out, nil
}
