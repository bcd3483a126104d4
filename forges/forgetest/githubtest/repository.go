package githubtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// network is what a repository shares with its forks: objects by SHA. GitHub serves
// any object of the network through any of its repositories.
type network struct {
	graph *forgetest.Graph
	tags  map[string]*tagObject
}

type repository struct {
	id, owner    int64
	name         string
	visibility   string
	branch       string // the default branch
	net          *network
	parent       *repository
	created      time.Time
	refs         map[string]string // full ref to a commit or tag object
	roles        map[int64]grant
	protections  map[string]*protection // by branch name or pattern
	rulesets     []*ruleset
	lastThread   int64
	threads      map[int64]*thread
	comments     map[int64]*comment
	statuses     []*status
	checks       []*checkRun
	activity     []*activity
	runs         map[int64]*run
	jobs         map[int64]*job
	runNumber    int64
	environments []*environment
	// immutable is whether published releases stay as they are.
	immutable    bool
	releases     []*releasePage
	attestations []*attestation
}

// AddRepository makes a private repository with one root commit on main, and
// installs the App on it, unless Options.NotInstalled. A new owner becomes an organisation.
func (s *Server) AddRepository(fullName string) forgetest.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	ownerName, name, valid := strings.Cut(fullName, "/")
	if !valid || s.find(fullName) != nil {
		panic(fmt.Sprintf("add repository %q: expected a free name of the form owner/name", fullName))
	}
	owner := s.account(ownerName)
	if owner == nil {
		owner = s.newAccount(ownerName, "Organization")
	}
	repo := s.newRepository(owner, name, &network{graph: forgetest.NewGraph(), tags: map[string]*tagObject{}})
	root := repo.net.graph.Add(forgetest.CommitSpec{
		Author:  forgetest.Person{Email: "root@nobody.invalid"},
		Message: "Begin " + fullName, When: s.now(), Files: map[string][]byte{"README.md": []byte("# " + name + "\n")},
	}, false)
	repo.refs["refs/heads/main"] = root.SHA
	if !s.opts.NotInstalled {
		s.install(repo)
	}
	return s.reference(repo)
}

func (s *Server) newRepository(owner *account, name string, net *network) *repository {
	repo := &repository{
		id: s.next("repository"), owner: owner.id, name: name, visibility: "private", branch: "main", net: net,
		created: s.now(), refs: map[string]string{}, roles: map[int64]grant{}, protections: map[string]*protection{},
		threads: map[int64]*thread{}, comments: map[int64]*comment{}, runs: map[int64]*run{}, jobs: map[int64]*job{},
	}
	if owner.kind == "User" {
		repo.roles[owner.id] = grant{role: forgetest.RoleAdmin, name: "admin"}
	}
	s.repositories[repo.id] = repo
	delete(s.redirects, strings.ToLower(owner.login+"/"+name))
	return repo
}

// Fork forks repo as by into fullName, whose owner is by or an organisation, with its
// branches. The App is not installed there.
func (s *Server) Fork(repo forgetest.Repository, by forgetest.Person, fullName string) forgetest.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	source := s.repository(repo)
	ownerName, name, valid := strings.Cut(fullName, "/")
	if !valid || s.find(fullName) != nil {
		panic(fmt.Sprintf("fork into %q: expected a free name of the form owner/name", fullName))
	}
	owner := s.account(ownerName)
	if owner == nil {
		owner = s.newAccount(ownerName, "Organization")
	}
	fork := s.newRepository(owner, name, source.net)
	fork.parent, fork.branch, fork.visibility = source, source.branch, source.visibility
	fork.roles[s.who(by).id] = grant{role: forgetest.RoleAdmin, name: "admin"}
	for ref, sha := range source.refs {
		if strings.HasPrefix(ref, "refs/heads/") {
			fork.refs[ref] = sha
		}
	}
	return s.reference(fork)
}

// DeleteRepository deletes a repository. Pull requests from a deleted fork are closed and
// their head has no repository any more.
func (s *Server) DeleteRepository(repo forgetest.Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	if in := s.installationOf(r); in != nil {
		s.emit(r, "repository", "deleted", s.accounts[r.owner], obj{})
		delete(in.repositories, r.id)
	}
	for ref := range r.refs {
		s.closePullsOf(r, ref, s.accounts[r.owner])
	}
	delete(s.repositories, r.id)
}

// SetVisibility makes repo "public", "private" or "internal".
func (s *Server) SetVisibility(repo forgetest.Repository, visibility string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repository(repo).visibility = visibility
}

// RenameRepository gives repo another name in place; the old one redirects.
func (s *Server) RenameRepository(repo forgetest.Repository, name string) forgetest.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	s.redirects[strings.ToLower(s.fullName(r))] = r.id
	old := r.name
	r.name = name
	s.emit(r, "repository", "renamed", s.accounts[r.owner], obj{"changes": obj{"repository": obj{"name": obj{"from": old}}}})
	return s.reference(r)
}

// TransferRepository gives repo to another owner, made an organisation where new.
// The App stays behind unless it is installed there.
func (s *Server) TransferRepository(repo forgetest.Repository, owner string) forgetest.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	to := s.account(owner)
	if to == nil {
		to = s.newAccount(owner, "Organization")
	}
	from := s.accounts[r.owner]
	s.redirects[strings.ToLower(s.fullName(r))] = r.id
	s.emit(r, "repository", "transferred", to, obj{"changes": obj{"owner": obj{"from": obj{"organization": s.organizationJSON(from)}}}})
	if in := s.installationOf(r); in != nil {
		delete(in.repositories, r.id)
	}
	r.owner = to.id
	return s.reference(r)
}

// reference is the neutral name of a repository.
func (s *Server) reference(repo *repository) forgetest.Repository {
	return forgetest.Repository{ID: repo.id, OwnerID: repo.owner, FullName: s.fullName(repo)}
}

// repository returns the state behind a neutral name: by ID, which survives renames.
func (s *Server) repository(repo forgetest.Repository) *repository {
	r := s.repositories[repo.ID]
	if r == nil {
		panic(fmt.Sprintf("use repository %q (ID %d): expected one of this forge", repo.FullName, repo.ID))
	}
	return r
}

func (s *Server) fullName(repo *repository) string {
	return s.accounts[repo.owner].login + "/" + repo.name
}

// find looks a repository up by its present full name, in any case of letters.
func (s *Server) find(fullName string) *repository {
	for _, repo := range s.repositories {
		if strings.EqualFold(s.fullName(repo), fullName) {
			return repo
		}
	}
	return nil
}

func getRepository(c *call) reply {
	out := c.repositoryJSON(c.repo)
	out["subscribers_count"], out["network_count"] = 0, 0
	if c.repo.parent != nil {
		out["parent"] = c.repositoryJSON(c.repo.parent)
		out["source"] = c.repositoryJSON(c.repo.parent)
	}
	if owner := c.accounts[c.repo.owner]; owner.kind == "Organization" {
		out["organization"] = c.userJSON(owner)
	}
	return ok(out)
}

// repositoryJSON is `components.schemas.repository`, which is minimal-repository too.
func (s *Server) repositoryJSON(repo *repository) obj {
	api, page := s.repoAPI(repo, ""), s.repoWeb(repo, "")
	full := s.fullName(repo)
	out := obj{
		"id": repo.id, "node_id": nodeID("R", repo.id), "name": repo.name, "full_name": full,
		"owner": s.userJSON(s.accounts[repo.owner]), "private": repo.visibility != "public", "visibility": repo.visibility,
		"html_url": page, "description": nil, "fork": repo.parent != nil, "url": api,
		"git_url": "git://" + strings.TrimPrefix(page, "http://") + ".git", "ssh_url": "git@127.0.0.1:" + full + ".git",
		"clone_url": page + ".git", "svn_url": page, "mirror_url": nil, "homepage": nil, "language": nil,
		"forks_count": 0, "forks": 0, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "size": 1,
		"default_branch": repo.branch, "open_issues_count": 0, "open_issues": 0, "topics": []string{}, "is_template": false,
		"has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false,
		"has_discussions": false, "archived": false, "disabled": false, "license": nil, "allow_forking": true,
		"pushed_at": stamp(repo.created), "created_at": stamp(repo.created), "updated_at": stamp(repo.created),
		"web_commit_signoff_required": false,
	}
	for name, suffix := range repositoryLinks() {
		out[name] = api + suffix
	}
	return out
}

// briefRepository is the form of `installation_repositories` payloads.
func (s *Server) briefRepository(repo *repository) obj {
	return obj{
		"id": repo.id, "node_id": nodeID("R", repo.id), "name": repo.name, "full_name": s.fullName(repo),
		"private": repo.visibility != "public",
	}
}

// repositoryLinks are the URL templates of a repository, below its API URL.
func repositoryLinks() map[string]string {
	return map[string]string{
		"archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
		"branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
		"comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
		"contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
		"downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks", "git_commits_url": "/git/commits{/sha}",
		"git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks",
		"issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
		"issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
		"languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
		"notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
		"releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
		"subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags",
		"teams_url": "/teams", "trees_url": "/git/trees{/sha}",
	}
}
