package gitlabtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// GitLab's access levels (API docs: members, roles).
const (
	levelNone       = 0
	levelGuest      = 10
	levelReporter   = 20
	levelDeveloper  = 30
	levelMaintainer = 40
	levelOwner      = 50
)

// group is a namespace: a group, or the personal one of a user.
type group struct {
	id    int64
	path  string
	owner *account // of a personal namespace
	// members are direct ones; the gate sees the group where seen.
	members map[int64]*member
	seen    bool
	hooks   []*hook
}

type project struct {
	id            int64
	group         *group
	path          string
	defaultBranch string
	visibility    string
	mergeMethod   string // merge, rebase_merge or ff
	created       time.Time
	forkOf        *project

	refs    map[string]string     // full ref to commit
	tags    map[string]*tagObject // annotated tags by full ref
	objects map[string]bool       // commits that a ref or merge request of it reached
	members map[int64]*member

	protectedBranches []*protectedRef
	protectedTags     []*protectedRef
	approvals         ApprovalSettings
	environments      []ProtectedEnvironment

	mergeRequests []*mergeRequest
	issues        []*issue
	events        []*event
	pipelines     []*pipeline
	statuses      []*status
	hooks         []*hook
	releases      []*releasePage
	packages      []*genericPackage
}

// member is a direct membership.
type member struct {
	account *account
	level   int
	created time.Time
	expires time.Time // a date; zero: never
	state   string    // membership_state: active or awaiting
}

func (p *project) fullPath() string { return p.group.path + "/" + p.path }

func (p *project) repository() forgetest.Repository {
	return forgetest.Repository{ID: p.id, OwnerID: p.group.id, FullName: p.fullPath()}
}

// level is what a may do, as GitLab computes it: an expired or pending
// membership counts for nothing.
func (p *project) level(a *account, now time.Time) int {
	if a == nil || a.state != "active" {
		return levelNone
	}
	if p.group.owner == a {
		return levelOwner
	}
	m := p.members[a.id]
	if m == nil || m.state != "active" || (!m.expires.IsZero() && !now.Before(m.expires)) {
		return levelNone
	}
	return m.level
}

// threads are all places where notes can hang.
func (p *project) threads() []*thread {
	var out []*thread
	for _, mr := range p.mergeRequests {
		out = append(out, &mr.thread)
	}
	for _, i := range p.issues {
		out = append(out, &i.thread)
	}
	return out
}

func (s *Server) project(r forgetest.Repository) *project {
	p := s.projects[r.ID]
	if p == nil {
		panic(fmt.Sprintf("repository %d %q: expected a project of this GitLab", r.ID, r.FullName))
	}
	return p
}

func (s *Server) byPath(fullPath string) *project {
	for _, p := range s.projects {
		if strings.EqualFold(p.fullPath(), fullPath) {
			return p
		}
	}
	return nil
}

func (s *Server) namespace(namespace string) *group {
	if g := s.groups[namespace]; g != nil {
		return g
	}
	g := &group{id: s.id("group"), path: namespace, seen: true}
	for _, a := range s.accounts {
		if a.login == namespace {
			g.owner = a
		}
	}
	s.groups[namespace] = g
	return g
}

func (s *Server) newProject(fullName string) *project {
	namespace, name := path.Split(fullName)
	namespace = strings.TrimSuffix(namespace, "/")
	if namespace == "" || name == "" {
		panic(fmt.Sprintf("add repository %q: expected group/project", fullName))
	}
	if s.byPath(fullName) != nil {
		panic(fmt.Sprintf("add repository %q: expected a new path, this one is taken", fullName))
	}
	p := &project{
		id: s.id("project"), group: s.namespace(namespace), path: name, defaultBranch: "main",
		visibility: "private", mergeMethod: "merge", created: s.tick(),
		refs: map[string]string{}, tags: map[string]*tagObject{}, objects: map[string]bool{},
		members: map[int64]*member{}, approvals: defaultApprovalSettings(),
	}
	s.projects[p.id] = p
	return p
}

// AddRepository makes a private project. The gate's bot is its Maintainer.
func (s *Server) AddRepository(fullName string) forgetest.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.newProject(fullName)
	root := s.graph.Add(forgetest.CommitSpec{
		Author:  forgetest.Person{Login: "Initial Importer", Email: "importer@invalid.example"},
		Message: "Initial commit of " + fullName, When: s.tick(),
		Files: map[string][]byte{"README.md": []byte("# " + fullName + "\n")},
	}, false)
	p.refs["refs/heads/main"] = root.SHA
	s.setLevel(p, s.bot, levelMaintainer)
	s.adopt(p, root.SHA)
	return p.repository()
}

// Fork copies a project's branches and tags into "namespace/name" for by, its
// Owner. It is as visible as its upstream; the gate is no member of it.
func (s *Server) Fork(of forgetest.Repository, by forgetest.Person, fullName string) forgetest.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	upstream := s.project(of)
	p := s.newProject(fullName)
	p.forkOf, p.visibility = upstream, upstream.visibility
	for ref, sha := range upstream.refs {
		p.refs[ref] = sha
		s.adopt(p, sha)
	}
	s.setLevel(p, s.account(by), levelOwner)
	return p.repository()
}

// Rename moves a project to another path; the old one redirects
// (API docs: redirects; source: lib/api/helpers.rb redirect!).
func (s *Server) Rename(r forgetest.Repository, fullName string) forgetest.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(r)
	s.moved[strings.ToLower(p.fullPath())] = p
	namespace, name := path.Split(fullName)
	p.group, p.path = s.namespace(strings.TrimSuffix(namespace, "/")), name
	return p.repository()
}

// DeleteRepository removes a project and everything in it. Its ID is not used again.
func (s *Server) DeleteRepository(r forgetest.Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.projects, s.project(r).id)
}

// SetVisibility makes a project "private", "internal" or "public".
func (s *Server) SetVisibility(r forgetest.Repository, visibility string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(r).visibility = visibility
}

// SetMergeMethod sets a project's merge method: "merge", "rebase_merge" or "ff".
// It decides whether a squash is followed by a merge commit.
func (s *Server) SetMergeMethod(r forgetest.Repository, method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(r).mergeMethod = method
}

// SetRole gives p a role: Reporter, Developer, Maintainer or Owner.
func (s *Server) SetRole(r forgetest.Repository, p forgetest.Person, role forgetest.Role) {
	levels := map[forgetest.Role]int{
		forgetest.RoleNone: levelNone, forgetest.RoleRead: levelReporter, forgetest.RoleWrite: levelDeveloper,
		forgetest.RoleMaintain: levelMaintainer, forgetest.RoleAdmin: levelOwner,
	}
	level, ok := levels[role]
	if !ok {
		panic(fmt.Sprintf("set role %d of %q: expected one of forgetest's roles", role, p.Login))
	}
	s.SetLevel(r, p, level)
}

// SetLevel gives p any of GitLab's access levels, 10 (Guest) included; 0 removes p.
func (s *Server) SetLevel(r forgetest.Repository, p forgetest.Person, level int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	project, account := s.project(r), s.account(p)
	old := project.members[account.id]
	s.setLevel(project, account, level)
	s.sendMember(project, account, old, level)
}

func (s *Server) setLevel(p *project, a *account, level int) {
	if level == levelNone {
		delete(p.members, a.id)
		return
	}
	if m := p.members[a.id]; m != nil {
		m.level = level
		return
	}
	p.members[a.id] = &member{account: a, level: level, created: s.tick(), state: "active"}
}

// SetExpiry ends p's membership at the start of the day of at; zero: never.
func (s *Server) SetExpiry(r forgetest.Repository, p forgetest.Person, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memberOf(r, p).expires = at.UTC().Truncate(24 * time.Hour)
	if at.IsZero() {
		s.memberOf(r, p).expires = time.Time{}
	}
}

// SetMembershipState sets "active" or "awaiting" (API docs: members, membership_state).
func (s *Server) SetMembershipState(r forgetest.Repository, p forgetest.Person, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memberOf(r, p).state = state
}

func (s *Server) memberOf(r forgetest.Repository, p forgetest.Person) *member {
	m := s.project(r).members[p.ID]
	if m == nil {
		panic(fmt.Sprintf("member %q of %q: expected a role there first", p.Login, r.FullName))
	}
	return m
}

func (p *project) sortedMembers() []*member {
	var out []*member
	for _, m := range p.members {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *member) int { return int(a.account.id - b.account.id) })
	return out
}
