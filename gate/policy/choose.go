package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// Choose finds the stream that a workload asks for: the one it names, or the one
// that its ref and its workflow (GitHub) or job (GitLab) fit. That the rest of
// the stream's rules hold is for [gate.Decide] to say. Errors: CodeStreamUnknown.
func Choose(p gate.Policy, w gate.Workload, run gate.RunFacts, stream string) (gate.Stream, error) {
	if stream != "" {
		if s, ok := p.StreamByName(stream); ok {
			return s, nil
		}
		return gate.Stream{}, unknown("the policy has no stream of this name", names(p.Streams), fmt.Sprintf("%q", stream),
			"name one of the policy in force, or none to have it found")
	}
	var fit []gate.Stream
	for _, s := range p.Streams {
		if fitsRef(s, w.Ref) && fitsJob(s, w, run) {
			fit = append(fit, s)
		}
	}
	// A stream that pins a reusable workflow, or names the job, says more than one that does not.
	for _, vague := range []func(gate.Stream) bool{
		func(s gate.Stream) bool { return s.Uses == nil }, func(s gate.Stream) bool { return s.Job == "" },
	} {
		if precise := slices.DeleteFunc(slices.Clone(fit), vague); len(precise) > 0 {
			fit = precise
		}
	}
	got := gate.ShortRef(w.Ref) + " by " + who(w, run)
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		return gate.Stream{}, noneFits(p, w, run, got)
	}
	return gate.Stream{}, unknown("several streams of the policy fit what asks", "one of "+names(fit), got,
		"name the stream: "+names(fit))
}

// noneFits names the claims that no stream takes.
func noneFits(p gate.Policy, w gate.Workload, run gate.RunFacts, got string) error {
	err := unknown("no stream of the policy fits what asks", describe(p.Streams, w.Kind), got,
		"release a ref that a stream names, from the workflow or job that it names")
	if !slices.ContainsFunc(p.Streams, func(s gate.Stream) bool { return fitsRef(s, w.Ref) }) {
		err.Claims = append(err.Claims, gate.ClaimCheck{Claim: "ref", Expected: "a tag or branch that a stream names"})
	}
	if w.Kind == gate.GitHub && !slices.ContainsFunc(p.Streams, func(s gate.Stream) bool { return fitsJob(s, w, run) }) {
		err.Claims = append(err.Claims, gate.ClaimCheck{Claim: "workflow_ref", Expected: "a workflow, and its job, that a stream names"})
	}
	return err
}

func unknown(text, expected, got, fix string) *gate.Error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeStreamUnknown, Text: text, Expected: expected, Got: got, Fix: fix,
	}
}

func fitsRef(s gate.Stream, ref string) bool {
	short := gate.ShortRef(ref)
	if strings.HasPrefix(ref, "refs/tags/") {
		return matches(s.Tags, short) && !matches(s.NotTags, short)
	}
	return strings.HasPrefix(ref, "refs/heads/") && matches(s.Branches, short)
}

func fitsJob(s gate.Stream, w gate.Workload, run gate.RunFacts) bool {
	if w.Kind == gate.GitLab {
		return s.Job != "" && s.Job == run.Job
	}
	switch {
	case s.Workflow == "" && s.Uses == nil, s.Workflow != "" && w.Workflow != w.RepositoryName+"/"+s.Workflow:
		return false
	case s.Uses != nil && !fitsReusable(*s.Uses, w):
		return false
	}
	// GitHub calls a job of a reusable workflow "caller / job".
	return s.Job == "" || run.Job == s.Job || s.Uses != nil && strings.HasSuffix(run.Job, " / "+s.Job)
}

// fitsReusable compares the file and its commit with what the job runs in.
func fitsReusable(u gate.ReusableWorkflow, w gate.Workload) bool {
	path, ref, _ := strings.Cut(w.JobWorkflow, "@")
	return path == u.Path && (w.JobWorkflowCommit == u.Commit || w.JobWorkflowCommit == "" && ref == u.Commit)
}

func matches(ms []gate.Matcher, s string) bool {
	for _, m := range ms {
		if m.Match(s) {
			return true
		}
	}
	return false
}

func who(w gate.Workload, run gate.RunFacts) string {
	if w.Kind == gate.GitLab {
		return "job " + run.Job
	}
	out := strings.TrimPrefix(w.Workflow, w.RepositoryName+"/")
	if path, _, _ := strings.Cut(w.JobWorkflow, "@"); path != "" && path != w.Workflow {
		out += " with " + path + "@" + orElse(w.JobWorkflowCommit, "an unknown commit")
	}
	if run.Job != "" {
		out = "job " + run.Job + " of " + out
	}
	return out
}

func names(streams []gate.Stream) string {
	var out []string
	for _, s := range streams {
		out = append(out, s.Name)
	}
	return strings.Join(out, ", ")
}

// describe lists what each stream takes.
func describe(streams []gate.Stream, kind gate.ForgeKind) string {
	var out []string
	for _, s := range streams {
		by := "job " + s.Job
		if kind == gate.GitHub {
			by = byWorkflow(s)
		}
		out = append(out, fmt.Sprintf("%s (tags %s, branches %s, by %s)", s.Name, spelled(s.Tags), spelled(s.Branches), by))
	}
	return strings.Join(out, "; ")
}

func byWorkflow(s gate.Stream) string {
	by := s.Workflow
	if s.Uses != nil {
		by = strings.TrimPrefix(by+" with "+s.Uses.Path+"@"+s.Uses.Commit, " with ")
	}
	if s.Job != "" {
		by = "job " + s.Job + " of " + by
	}
	return by
}

func spelled(ms []gate.Matcher) string {
	var out []string
	for _, m := range ms {
		out = append(out, m.String())
	}
	return strings.Join(out, " ")
}
