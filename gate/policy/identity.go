package policy

import (
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/countersign/countersign/gate"
)

func defaultEvents(kind gate.ForgeKind) []string {
	if kind == gate.GitLab {
		return []string{"push", "web"}
	}
	return []string{"push", "workflow_dispatch"}
}

// events are those that run what the repository's own branches and tags hold. Events
// that a fork, a comment or another pipeline can set off are never allowed
// (attacks 12 and 19).
func events(kind gate.ForgeKind) []string {
	if kind == gate.GitLab {
		return []string{"push", "web", "schedule", "api"}
	}
	return []string{"push", "workflow_dispatch", "release", "schedule"}
}

// from reads which runs may ask.
func (r *reader) from(f field, where Origin, s *gate.Stream) {
	sub := r.fields("from", f.value, nil, "events", "refs")
	if len(sub) == 0 {
		r.bad(f.value, "from names neither events nor refs", "from: {events: [push]}", "nothing", "leave from out to have "+strings.Join(defaultEvents(where.Kind), " and "))
		return
	}
	if list, ok := sub["events"]; ok {
		s.Events = r.events(list, where.Kind)
	}
	if list, ok := sub["refs"]; ok {
		s.Refs = r.refs(list)
	}
}

func (r *reader) events(f field, kind gate.ForgeKind) []string {
	var out []string
	for _, n := range r.list(f) {
		e := r.text("an event", n)
		if !slices.Contains(events(kind), e) {
			r.bad(n, "event "+quoted(e)+" is not allowed", strings.Join(events(kind), ", "), quoted(e),
				"only events that run what the repository's own branches and tags hold may release")
		}
		if slices.Contains(out, e) {
			r.bad(n, "event "+quoted(e)+" stands twice", "every event once", quoted(e), "keep one of them")
		}
		out = append(out, e)
	}
	return out
}

// refs are globs of full refs: a tag may be named like a branch (attack 22).
func (r *reader) refs(f field) []gate.Matcher {
	var out []gate.Matcher
	for _, n := range r.list(f) {
		p := r.text("a pattern of "+f.name, n)
		short, found := strings.CutPrefix(p, "refs/tags/")
		if !found {
			short, found = strings.CutPrefix(p, "refs/heads/")
		}
		why, fix := "is not of a full ref", "start it with refs/tags/ or refs/heads/"
		if found {
			why, fix = misfit(short)
		}
		if why == "" && (short == "" || !doublestar.ValidatePattern(p)) {
			why, fix = "names no ref", "end it with a name, or with *"
		}
		if why != "" {
			r.bad(n, "pattern "+quoted(p)+" "+why, `a glob of full refs, such as "refs/tags/v*" or refs/heads/main`, quoted(p), fix)
		}
		if r.err != nil {
			return nil
		}
		out = append(out, glob(p))
	}
	return out
}

// identity reads what else the ID token must say of its job.
func (r *reader) identity(f field, where Origin, s *gate.Stream) {
	sub := r.fields("identity", f.value, nil, "runner", "environment")
	if len(sub) == 0 {
		r.bad(f.value, "identity names neither runner nor environment", "identity: {runner: "+hosted(where.Kind)+"}", "nothing", "leave identity out to allow any")
		return
	}
	if x, ok := sub["runner"]; ok {
		s.Runner = r.word("runner", x.value, hosted(where.Kind), "self-hosted")
	}
	if x, ok := sub["environment"]; ok {
		s.Environment = r.text("environment", x.value)
		if r.err == nil && (len(s.Environment) > maxText || strings.ContainsAny(s.Environment, "*?\r\n")) {
			r.bad(x.value, "environment "+quoted(s.Environment)+" is no environment's name", "the name of one environment", quoted(s.Environment), "write the name as the job has it")
		}
	}
}

// hosted is what the forge's own runners are called in its ID tokens.
func hosted(kind gate.ForgeKind) string {
	if kind == gate.GitLab {
		return "gitlab-hosted"
	}
	return "github-hosted"
}
