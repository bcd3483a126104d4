package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// Post tells GitLab p and returns GitLab's id of what it made or changed. GitLab
// has no idempotency of its own for any of it: what is there is looked for first.
func (f *Forge) Post(ctx context.Context, p gate.Post) (string, error) {
	if p.Repository.Forge != f.forge {
		return "", failure("the post", fmt.Errorf("post to %s at forge %s: %w", p.Repository, f.forge, errUnexpected))
	}
	s := f.session(p.Repository)
	var id string
	var err error
	switch p.Target {
	case gate.PostStatus:
		id, err = s.postStatus(ctx, p)
	case gate.PostCheck: // GitLab has no check runs
		return "", nil
	case gate.PostComment:
		id, err = s.postSticky(ctx, p)
	case gate.PostReply:
		id, err = s.postReply(ctx, p)
	case gate.PostReaction:
		id, err = s.postReaction(ctx, p)
	case gate.PostThread:
		id, err = s.postThread(ctx, p)
	default:
		err = fmt.Errorf("post target %q: %w", p.Target, errUnexpected)
	}
	if err != nil {
		return "", failure("the "+string(p.Target), err)
	}
	return id, nil
}

// status is one commit status (API docs: commits, list statuses).
type status struct {
	ID          int64   `json:"id"`
	Name        string  `json:"name"`
	Status      string  `json:"status"`
	Description string  `json:"description"`
	TargetURL   string  `json:"target_url"`
	Author      account `json:"author"`
}

const maxDescription = 140

func stateOf(s gate.PostState) (string, bool) {
	switch s {
	case gate.PostPending:
		return "pending", true
	case gate.PostSuccess:
		return "success", true
	case gate.PostFailure:
		return "failed", true
	}
	return "", false
}

// postStatus sets a commit status. GitLab refuses to set a state again, also to
// change its description only, so that a pending status keeps its first one.
func (s *session) postStatus(ctx context.Context, p gate.Post) (string, error) {
	state, ok := stateOf(p.State)
	if !ok || !isSHA(p.Commit) || p.Context == "" {
		return "", fmt.Errorf("status %q %q of %q: %w", p.Context, p.State, p.Commit, errUnexpected)
	}
	now, found, err := s.readStatus(ctx, p)
	if err != nil {
		return "", err
	}
	if found && now.Status == state && (state == "pending" || now.Description == shorten(p.Title)) {
		return strconv.FormatInt(now.ID, 10), nil
	}
	var made status
	_, err = s.do(ctx, http.MethodPost, s.path("/statuses/%s", p.Commit), url.Values{
		"state": {state}, "name": {p.Context}, "description": {shorten(p.Title)}, "target_url": {p.URL},
	}, &made)
	if statusOf(err) == http.StatusBadRequest {
		// Somebody may have set it meanwhile: then all is as it should be.
		if now, found, again := s.readStatus(ctx, p); again == nil && found && now.Status == state {
			return strconv.FormatInt(now.ID, 10), nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("set status %q of %s to %s: %w", p.Context, p.Commit, state, err)
	}
	return strconv.FormatInt(made.ID, 10), nil
}

// readStatus is the newest status of the post's name that the gate itself set.
func (s *session) readStatus(ctx context.Context, p gate.Post) (status, bool, error) {
	self, err := s.readSelf(ctx)
	if err != nil {
		return status{}, false, err
	}
	rows, err := fetchAll[status](ctx, s, s.path("/repository/commits/%s/statuses", p.Commit), url.Values{"name": {p.Context}})
	if err != nil {
		return status{}, false, fmt.Errorf("list the statuses of %s: %w", p.Commit, err)
	}
	var newest status
	for _, row := range rows {
		if row.Name == p.Context && row.Author.ID == self.ID && row.ID > newest.ID {
			newest = row
		}
	}
	return newest, newest.ID != 0, nil
}

func shorten(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	runes := []rune(line)
	if len(runes) <= maxDescription {
		return line
	}
	return string(runes[:maxDescription-1]) + "…"
}

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
	found, err := s.findNote(ctx, at, mark)
	if err != nil {
		return "", err
	}
	if found.ID != 0 {
		_, err := s.do(ctx, http.MethodPut, fmt.Sprintf("%s/%d", at, found.ID), text, nil)
		return strconv.FormatInt(found.ID, 10), err
	}
	return s.makeNote(ctx, at, text)
}

// postReply makes a note, once.
func (s *session) postReply(ctx context.Context, p gate.Post) (string, error) {
	at := s.notesAt(p.Thread)
	mark := marker("reply", p.Key)
	found, err := s.findNote(ctx, at, mark)
	if err != nil {
		return "", err
	}
	if found.ID != 0 {
		return strconv.FormatInt(found.ID, 10), nil
	}
	return s.makeNote(ctx, at, url.Values{"body": {body(p, mark)}})
}

func (s *session) makeNote(ctx context.Context, at string, text url.Values) (string, error) {
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
func (s *session) findNote(ctx context.Context, at, mark string) (note, error) {
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

// award is one emoji on a note (API docs: emoji reactions).
type award struct {
	ID   int64   `json:"id"`
	Name string  `json:"name"`
	User account `json:"user"`
}

// postReaction awards an emoji, once: GitLab refuses a second one.
func (s *session) postReaction(ctx context.Context, p gate.Post) (string, error) {
	if !slices.Contains([]string{"eyes", "rocket", "confused"}, p.Reaction) || p.Comment.Repository != p.Repository {
		return "", fmt.Errorf("reaction %q: %w", p.Reaction, errUnexpected)
	}
	at := fmt.Sprintf("%s/%d/award_emoji", s.notesAt(p.Comment.Thread), p.Comment.ID)
	found, err := s.findAward(ctx, at, p.Reaction)
	if isNotFound(err) {
		if _, err := s.readProject(ctx); err != nil {
			return "", err
		}
		return "", nil // the note was deleted: nobody is left to react to
	}
	if err != nil || found.ID != 0 {
		return strconv.FormatInt(found.ID, 10), err
	}
	var made award
	_, err = s.do(ctx, http.MethodPost, at, url.Values{"name": {p.Reaction}}, &made)
	if err != nil {
		if found, again := s.findAward(ctx, at, p.Reaction); again == nil && found.ID != 0 {
			return strconv.FormatInt(found.ID, 10), nil
		}
		return "", fmt.Errorf("award %s to note %d: %w", p.Reaction, p.Comment.ID, err)
	}
	return strconv.FormatInt(made.ID, 10), nil
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
