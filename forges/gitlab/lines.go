package gitlab

import "sync"

// lines are the commits of the histories that a session read, by which it answers
// what leads to what without asking: a commit names its parents, and its name is
// made from them. Its zero value knows none. It is safe for concurrent use.
type lines struct {
	mu     sync.Mutex
	commit map[string]commit
}

func (l *lines) learn(h history) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.commit == nil {
		l.commit = map[string]commit{}
	}
	for sha, c := range h.commit {
		l.commit[sha] = c
	}
}

// leads reports whether a way from one commit back to the other is known. Where it
// is not, there may still be one.
func (l *lines) leads(from, to string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.from(from)[to]
}

// from is whatever a commit leads to, itself included, as far as it is known.
func (l *lines) from(top string) map[string]bool {
	seen := map[string]bool{}
	for todo := []string{top}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[at] {
			seen[at] = true
			todo = append(todo, l.commit[at].ParentIDs...)
		}
	}
	return seen
}

// between are the commits that head leads to and base does not, newest first. The
// second result is false where a way leads out of what is known, so that only the forge
// can tell what belongs in between.
func (l *lines) between(base, head string) ([]commit, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []commit
	seen := l.from(base)
	for todo := []string{head}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		c, in := l.commit[at]
		if !in {
			return nil, false
		}
		out = append(out, c)
		todo = append(todo, c.ParentIDs...)
	}
	return out, len(out) > 0
}
