package gitlabtest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Server) webURL(p *project) string { return s.base + "/" + p.fullPath() }

// visibilityLevel is what webhooks say (source: lib/gitlab/visibility_level.rb).
func visibilityLevel(p *project) int {
	return map[string]int{"private": 0, "internal": 10, "public": 20}[p.visibility]
}

// namespaceOf is a project's namespace (API docs: projects).
func (s *Server) namespaceOf(g *group) obj {
	n := obj{
		"id": g.id, "name": last(g.path), "path": last(g.path), "kind": "group", "full_path": g.path,
		"parent_id": nil, "avatar_url": nil, "web_url": s.base + "/groups/" + g.path,
	}
	if g.owner != nil {
		n["kind"], n["web_url"] = "user", s.base+"/"+g.path
	}
	return n
}

func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// projectRow is one project (API docs: projects, get a single project).
func (s *Server) projectRow(p *project, me *account) obj {
	row := obj{
		"id": p.id, "description": nil, "name": p.path, "name_with_namespace": p.group.path + " / " + p.path,
		"path": p.path, "path_with_namespace": p.fullPath(), "created_at": stamp(p.created),
		"default_branch": p.defaultBranch, "tag_list": []string{}, "topics": []string{}, "visibility": p.visibility,
		"ssh_url_to_repo": s.sshURL(p), "http_url_to_repo": s.webURL(p) + ".git", "web_url": s.webURL(p),
		"readme_url": s.webURL(p) + "/-/blob/" + p.defaultBranch + "/README.md", "avatar_url": nil,
		"forks_count": 0, "star_count": 0, "last_activity_at": stamp(s.last), "namespace": s.namespaceOf(p.group),
		"archived": false, "empty_repo": false, "merge_method": p.mergeMethod, "squash_option": "default_off",
		"merge_requests_enabled": true, "issues_enabled": true, "jobs_enabled": true, "wiki_enabled": true,
		"snippets_enabled": true, "container_registry_enabled": true, "creator_id": s.bot.id, "import_status": "none",
		"open_issues_count": len(p.issues), "ci_config_path": "", "public_jobs": true, "build_timeout": int(s.opts.JobTimeout.Seconds()),
		"shared_with_groups": []obj{}, "only_allow_merge_if_pipeline_succeeds": false, "remove_source_branch_after_merge": true,
		"printing_merge_request_link_enabled": true, "lfs_enabled": true, "request_access_enabled": true,
		"ci_id_token_sub_claim_components": []string{"project_path", "ref_type", "ref"},
		"permissions":                      obj{"project_access": nil, "group_access": nil},
	}
	if p.forkOf != nil {
		row["forked_from_project"] = obj{
			"id": p.forkOf.id, "path_with_namespace": p.forkOf.fullPath(), "web_url": s.webURL(p.forkOf),
			"name": p.forkOf.path, "path": p.forkOf.path,
		}
	}
	if m := p.members[me.id]; m != nil {
		row["permissions"] = obj{"project_access": obj{"access_level": m.level, "notification_level": 3}, "group_access": nil}
	}
	if s.opts.Premium {
		row["approvals_before_merge"] = 0
	}
	return row
}

func (s *Server) sshURL(p *project) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(s.base, "http://"), ":")
	return "git@" + host + ":" + p.fullPath() + ".git"
}

// showProject also finds public projects for strangers.
func showProject(c *call) (any, error) {
	if err := c.findProject(); err != nil {
		return nil, err
	}
	if c.p.visibility == "private" && c.p.level(c.me, c.opts.Now()) < levelGuest {
		return nil, notFound("Project")
	}
	return c.projectRow(c.p, c.me), nil
}

// listProjects lists what the caller can see; membership=true, what it belongs to.
func listProjects(c *call) (any, error) {
	least, _ := strconv.Atoi(c.param("min_access_level")) // absent: none
	var found []*project
	for _, p := range c.projects {
		mine := p.level(c.me, c.opts.Now()) >= max(levelGuest, least)
		if !mine && (p.visibility == "private" || c.param("membership") == "true" || least > 0) {
			continue
		}
		if search := c.param("search"); search == "" || strings.Contains(p.path, search) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *project) int { return int(b.id - a.id) })
	rows := list(found, func(p *project) obj { return c.projectRow(p, c.me) })
	return rows, nil
}

// listEvents lists a project's visible events, newest first (API docs: events,
// list all visible events for a project; before and after are exclusive dates).
func listEvents(c *call) (any, error) {
	var found []*event
	for _, e := range c.p.events {
		if c.wantsEvent(e) {
			found = append(found, e)
		}
	}
	if c.param("sort") != "asc" {
		slices.Reverse(found)
	}
	return list(found, c.eventRow), nil
}

func (c *call) wantsEvent(e *event) bool {
	if action := c.param("action"); action != "" && action != e.action {
		return false
	}
	kind := ""
	if e.target != nil {
		kind = map[string]string{"MergeRequest": "merge_request", "Issue": "issue"}[e.target.kind]
	}
	if want := c.param("target_type"); want != "" && want != kind {
		return false
	}
	day := e.created.UTC().Truncate(24 * time.Hour)
	if before, err := time.Parse(time.DateOnly, c.param("before")); err == nil && !day.Before(before) {
		return false
	}
	if after, err := time.Parse(time.DateOnly, c.param("after")); err == nil && !day.After(after) {
		return false
	}
	return true
}

func (c *call) eventRow(e *event) obj {
	row := obj{
		"id": e.id, "project_id": c.p.id, "action_name": e.name, "target_id": nil, "target_iid": nil, "target_type": nil,
		"author_id": e.author.id, "target_title": nil, "created_at": stamp(e.created), "author": c.basicUser(e.author),
		"author_username": e.author.login, "imported": false, "imported_from": "none",
	}
	if e.target != nil {
		row["target_id"], row["target_iid"] = e.target.id, e.target.iid
		row["target_type"], row["target_title"] = e.target.kind, e.target.title
	}
	if e.push != nil {
		row["push_data"] = obj{
			"commit_count": e.push.count, "action": e.push.action, "ref_type": e.push.kind,
			"commit_from": orNil(e.push.from), "commit_to": orNil(e.push.to), "ref": orNil(e.push.ref),
			"commit_title": orNil(e.push.title), "ref_count": zeroNil(e.push.refCount),
		}
	}
	return row
}

func zeroNil(n int) any {
	if n == 0 {
		return nil
	}
	return n
}
