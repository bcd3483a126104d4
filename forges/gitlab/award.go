package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/countersign/countersign/gate"
)

// award is one emoji on a note (API docs: emoji reactions).
type award struct {
	ID   int64   `json:"id"`
	Name string  `json:"name"`
	User account `json:"user"`
}

// postReaction awards an emoji, once: GitLab refuses a second one, which then is
// looked for.
func (s *session) postReaction(ctx context.Context, p gate.Post) (string, error) {
	if !slices.Contains([]string{"eyes", "rocket", "confused"}, p.Reaction) || p.Comment.Repository != p.Repository {
		return "", fmt.Errorf("reaction %q: %w", p.Reaction, errUnexpected)
	}
	at := fmt.Sprintf("%s/%d/award_emoji", s.notesAt(p.Comment.Thread), p.Comment.ID)
	var made award
	_, err := s.do(ctx, http.MethodPost, at, url.Values{"name": {p.Reaction}}, &made)
	if err == nil && made.ID <= 0 {
		err = errUnexpected
	}
	if err == nil {
		return strconv.FormatInt(made.ID, 10), nil
	}
	// GitLab answers 404 to a second one and to a note that is gone.
	found, again := s.findAward(ctx, at, p.Reaction)
	switch {
	case again == nil && found.ID != 0:
		return strconv.FormatInt(found.ID, 10), nil
	case isNotFound(again):
		if err := s.stillSeen(ctx); err != nil {
			return "", err
		}
		return "", nil // the note was deleted: nobody is left to react to
	}
	return "", fmt.Errorf("award %s to note %d: %w", p.Reaction, p.Comment.ID, err)
}

func (s *session) findAward(ctx context.Context, at, name string) (award, error) {
	self, err := s.readSelf(ctx)
	if err != nil {
		return award{}, err
	}
	rows, err := fetchAll[award](ctx, s, at, nil)
	if err != nil {
		return award{}, fmt.Errorf("list the reactions: %w", err)
	}
	for _, a := range rows {
		if a.Name == name && a.User.ID == self.ID {
			return a, nil
		}
	}
	return award{}, nil
}
