package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// issue is one issue (API docs: issues).
type issue struct {
	IID         int64   `json:"iid"`
	Description string  `json:"description"`
	Author      account `json:"author"`
}

// postThread finds the release's open issue or opens it, and answers its number.
func (s *session) postThread(ctx context.Context, p gate.Post) (string, error) {
	self, err := s.readSelf(ctx)
	if err != nil {
		return "", err
	}
	mark := marker("thread", p.Key)
	open, err := fetchAll[issue](ctx, s, s.path("/issues"), url.Values{
		"state": {"opened"}, "author_id": {strconv.FormatInt(self.ID, 10)}, "scope": {"all"},
	})
	if err != nil {
		return "", fmt.Errorf("list the issues: %w", err)
	}
	for _, i := range open {
		if i.Author.ID == self.ID && strings.Contains(i.Description, mark) {
			return strconv.FormatInt(i.IID, 10), nil
		}
	}
	var made issue
	_, err = s.do(ctx, http.MethodPost, s.path("/issues"), url.Values{
		"title": {shorten(p.Title)}, "description": {body(p, mark)},
	}, &made)
	if err == nil && made.IID <= 0 {
		err = errUnexpected
	}
	if err != nil {
		return "", fmt.Errorf("open an issue: %w", err)
	}
	return strconv.FormatInt(made.IID, 10), nil
}
