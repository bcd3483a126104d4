package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// marker is a hidden line by which the gate knows its own note or issue again.
func marker(kind, key string) string {
	if !plainKey.MatchString(key) {
		key = gate.SHA256([]byte(key)).String()
	}
	return "<!-- countersign:" + kind + ":" + key + " -->"
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_./:@#]+(-[A-Za-z0-9_./:@#]+)*$`)

// quickAction is a line that GitLab could take for a command to itself: "/merge",
// "/approve". Text of others, such as a commit's title, may begin so.
var quickAction = regexp.MustCompile(`(?m)^([ \t]*)/`)

// body is Markdown that commands nothing, with its marker.
func body(p gate.Post, mark string) string {
	return quickAction.ReplaceAllString(p.Body, `$1\/`) + "\n\n" + mark
}

// postSticky edits the request's note in place, or makes it.
func (s *session) postSticky(ctx context.Context, p gate.Post) (string, error) {
	at := s.notesAt(p.Thread)
	mark := marker("request", p.Key)
	text := url.Values{"body": {body(p, mark)}}
	if known, err := strconv.ParseInt(p.Known, 10, 64); err == nil {
		_, err := s.do(ctx, http.MethodPut, fmt.Sprintf("%s/%d", at, known), text, nil)
		if err == nil || !isNotFound(err) {
			return p.Known, err
		}
	}
	found, err := s.findNote(ctx, p.Thread, mark)
	if err != nil {
		return "", err
	}
	if found.ID != 0 {
		_, err := s.do(ctx, http.MethodPut, fmt.Sprintf("%s/%d", at, found.ID), text, nil)
		return strconv.FormatInt(found.ID, 10), err
	}
	return s.makeNote(ctx, p.Thread, text)
}

// postReply makes a note, once.
func (s *session) postReply(ctx context.Context, p gate.Post) (string, error) {
	mark := marker("reply", p.Key)
	found, err := s.findNote(ctx, p.Thread, mark)
	if err != nil {
		return "", err
	}
	if found.ID != 0 {
		return strconv.FormatInt(found.ID, 10), nil
	}
	return s.makeNote(ctx, p.Thread, url.Values{"body": {body(p, mark)}})
}

func (s *session) makeNote(ctx context.Context, t gate.Thread, text url.Values) (string, error) {
	at := s.notesAt(t)
	s.forgetOwn(t)
	var made note
	if _, err := s.do(ctx, http.MethodPost, at, text, &made); err != nil {
		return "", err
	}
	if made.ID <= 0 {
		return "", fmt.Errorf("make a note at %s: %w", at, errUnexpected)
	}
	return strconv.FormatInt(made.ID, 10), nil
}

// findNote finds the gate's own note with the marker: others can copy a marker.
func (s *session) findNote(ctx context.Context, t gate.Thread, mark string) (note, error) {
	if n, ok := s.recall(t, mark); ok {
		return n, nil
	}
	at := s.notesAt(t)
	self, err := s.readSelf(ctx)
	if err != nil {
		return note{}, err
	}
	notes, err := fetchAll[note](ctx, s, at, url.Values{"sort": {"asc"}, "order_by": {"created_at"}})
	if err != nil {
		return note{}, fmt.Errorf("list the notes at %s: %w", at, err)
	}
	for _, n := range notes {
		if n.Author.ID == self.ID && strings.Contains(n.Body, mark) {
			return n, nil
		}
	}
	return note{}, nil
}
