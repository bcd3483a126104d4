package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// Defaults of a releases: entry.
const (
	defaultName    = "release"
	defaultTags    = "v*"
	defaultHotfix  = "release/*" // beside the default branch
	defaultExpires = 7 * 24 * time.Hour
	defaultSettle  = time.Hour
	maxSettle      = 7 * 24 * time.Hour
	minExpires     = time.Second
	maxExpires     = 90 * 24 * time.Hour
	maxText        = 200
	workflowFolder = ".github/workflows/"
)

func (r *reader) stream(n ast.Node, where Origin) gate.Stream {
	f := r.fields("a release", n,
		nil,
		"name", "description", "workflow", "uses", "job", "finish", "tags", "not_tags", "branches", "paths", "shared", "from", "identity", "branch",
		"checks", "codeowners", "separation", "reviews_count", "page_counts", "bind", "approvals", "rules", "window",
		"formats", "witnesses", "publish", "key", "expires")
	if r.err != nil {
		return gate.Stream{}
	}
	s := gate.Stream{
		Name: defaultName, Tags: globs(defaultTags), Events: defaultEvents(where.Kind), Bypass: gate.Report,
		Push: gate.Report, Settle: defaultSettle, Bind: gate.BindRequest,
		Separation: gate.EachChange, ReviewsCount: true, PageCounts: true, Expires: defaultExpires,
		Approvals: []gate.ApprovalGroup{{From: []gate.Role{gate.RoleWrite}, Count: 1}},
	}
	r.naming(f, &s)
	r.runs(f, n, where, &s)
	r.covers(f, n, where, &s)
	r.judging(f, where, &s)
	r.publishing(f, where, &s)
	r.signing(f, n, where, &s)
	return s
}

func (r *reader) naming(f map[string]field, s *gate.Stream) {
	if name, ok := f["name"]; ok {
		s.Name = r.text("name", name.value)
		if r.err == nil && canonical.CheckStream(s.Name) != nil {
			r.bad(name.value, "name "+quoted(s.Name)+" is not allowed",
				"1 to 63 of a-z, 0-9, dot, hyphen and underscore, starting with a letter or digit", quoted(s.Name), "choose a short name, such as stable")
		}
	}
	if d, ok := f["description"]; ok {
		s.Description = r.text("description", d.value)
		if len(s.Description) > maxText {
			r.bad(d.value, "the description is too long", fmt.Sprintf("at most %d bytes", maxText), fmt.Sprintf("%d bytes", len(s.Description)), "say it shorter")
		}
	}
}

// runs reads which job may ask. One file may serve both forges, so both fields may
// stand; the one of this forge must.
func (r *reader) runs(f map[string]field, n ast.Node, where Origin, s *gate.Stream) {
	if w, ok := f["workflow"]; ok {
		s.Workflow = r.workflow(w)
	}
	if u, ok := f["uses"]; ok {
		s.Uses = r.uses(u)
	}
	if w, ok := f["finish"]; ok {
		s.Finish = r.finish(w, where)
	}
	if j, ok := f["job"]; ok {
		s.Job = r.job(j)
	}
	switch {
	case where.Kind == gate.GitHub && s.Workflow == "" && s.Uses == nil:
		r.bad(n, "the release names no workflow", "workflow: release.yml", "nothing", "name the workflow that asks for signatures")
	case where.Kind == gate.GitLab && s.Job == "":
		r.bad(n, "the release names no job", "job: release", "nothing", "name the job of .gitlab-ci.yml that asks for signatures")
	case where.Kind == gate.GitLab && s.Finish == s.Job:
		r.bad(f["finish"].value, "the job that asks cannot be the one that finishes", "the manual job that collects", quoted(s.Finish), "name another job of .gitlab-ci.yml")
	}
	if from, ok := f["from"]; ok {
		r.from(from, where, s)
	}
	if id, ok := f["identity"]; ok {
		r.identity(id, where, s)
	}
}

// job reads the name of one job.
func (r *reader) job(f field) string {
	name := r.text(f.name, f.value)
	if r.err == nil && (len(name) > maxText || strings.ContainsAny(name, "*?\r\n")) {
		r.bad(f.value, f.name+" "+quoted(name)+" is no job's name", "the name of one job", quoted(name), "write the name as it stands in .gitlab-ci.yml, or as GitHub shows the job's check")
	}
	return name
}

// finish is where a release that was asked for is collected: on GitHub another workflow, on
// GitLab another job of the same pipeline.
func (r *reader) finish(f field, where Origin) string {
	if where.Kind == gate.GitLab {
		return r.job(f)
	}
	return r.workflow(f)
}

func (r *reader) workflow(f field) string {
	w := r.text(f.name, f.value)
	if !strings.Contains(w, "/") {
		w = workflowFolder + w
	}
	name, inFolder := strings.CutPrefix(w, workflowFolder)
	stem, isYML := strings.CutSuffix(name, ".yml")
	if !isYML {
		stem, isYML = strings.CutSuffix(name, ".yaml")
	}
	if r.err == nil && (!inFolder || !isYML || stem == "" || len(w) > maxText || strings.ContainsAny(name, "/@*?[]{}\\ \r\n\t")) {
		r.bad(f.value, f.name+" "+quoted(w)+" is no workflow file", "release.yml, or .github/workflows/release.yml", quoted(w),
			"name one file of .github/workflows")
	}
	return w
}

// covers reads what may be released, and which changes belong to it.
func (r *reader) covers(f map[string]field, n ast.Node, where Origin, s *gate.Stream) {
	for _, x := range []struct {
		name string
		into *[]gate.Matcher
	}{{"tags", &s.Tags}, {"not_tags", &s.NotTags}, {"branches", &s.Branches}, {"paths", &s.Paths}, {"shared", &s.Shared}} {
		if field, ok := f[x.name]; ok {
			*x.into = r.patterns(field)
		}
	}
	if _, ok := f["branches"]; !ok {
		if where.DefaultBranch == "" {
			r.bad(n, "the default branch is not known", "branches: [main]", "nothing", "name the branches")
		}
		s.Branches = append([]gate.Matcher{exact(where.DefaultBranch)}, globs(defaultHotfix)...)
	}
	if shared, ok := f["shared"]; ok && len(s.Paths) == 0 {
		r.bad(shared.key, "shared without paths", "paths beside it", "nothing", "add paths, or remove shared: without paths every change counts")
	}
}
