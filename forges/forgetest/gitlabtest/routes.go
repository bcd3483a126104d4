package gitlabtest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// routes is every URL that the double answers.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.public(s.discovery))
	mux.HandleFunc("GET /oauth/discovery/keys", s.public(s.jwks))
	mux.HandleFunc("GET /-/jwks", s.public(s.jwks))
	mux.HandleFunc("POST /api/graphql", s.graphQL)
	for pattern, h := range s.webRoutes() {
		mux.HandleFunc(pattern, h)
	}
	for pattern, h := range s.instanceRoutes() {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/v4"+path, s.instance(h))
	}
	for pattern, h := range hookEndpoints() {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/v4/groups/{group}"+path, s.instance(h))
	}
	for _, routes := range []map[string]route{s.repositoryRoutes(), s.projectRoutes(), s.changeRoutes(), s.hookRoutes(), s.releaseRoutes()} {
		for pattern, r := range routes {
			method, path, _ := strings.Cut(pattern, " ")
			mux.HandleFunc(method+" /api/v4/projects/{id}"+path, s.inProject(r.level, r.serve))
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":"404 Not Found"}`)) // source: lib/api/api.rb, route :any, '*path'
	})
	return http.StripPrefix(s.opts.SubPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			s.requests.Add(1)
		}
		if f := s.faults.take(r); f != nil {
			f.serve(w)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// route is an endpoint of a project with the access level it asks for.
type route struct {
	level int
	serve endpoint
}

func (s *Server) public(document func() obj) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(document())
	}
}

func (s *Server) instanceRoutes() map[string]endpoint {
	return map[string]endpoint{
		"GET /version":                           version4,
		"GET /metadata":                          metadata,
		"GET /user":                              currentUser,
		"GET /personal_access_tokens/self":       showOwnToken,
		"GET /users":                             searchUsers,
		"GET /users/{user}":                      showUser,
		"GET /projects":                          listProjects,
		"GET /projects/{id}":                     showProject,
		"GET /groups":                            listGroups,
		"GET /groups/{group}":                    showGroup,
		"GET /groups/{group}/members/all":        listGroupMembers,
		"GET /groups/{group}/members/all/{user}": showGroupMember,
	}
}

func (s *Server) repositoryRoutes() map[string]route {
	return map[string]route{
		"GET /repository/files/{path}":                 {levelReporter, showFile},
		"GET /repository/files/{path}/raw":             {levelReporter, rawFile},
		"GET /repository/branches":                     {levelReporter, listBranches},
		"GET /repository/branches/{ref}":               {levelReporter, showBranch},
		"GET /repository/tags":                         {levelReporter, listTags},
		"GET /repository/tags/{ref}":                   {levelReporter, showTag},
		"GET /repository/commits":                      {levelReporter, listCommits},
		"GET /repository/commits/{sha}":                {levelReporter, showCommit},
		"GET /repository/commits/{sha}/signature":      {levelReporter, commitSignature},
		"GET /repository/commits/{sha}/refs":           {levelReporter, commitRefs},
		"GET /repository/commits/{sha}/merge_requests": {levelReporter, commitMergeRequests},
		"GET /repository/commits/{sha}/statuses":       {levelReporter, listStatuses},
		"GET /repository/compare":                      {levelReporter, compare},
		"GET /repository/merge_base":                   {levelReporter, mergeBase},
		"POST /statuses/{sha}":                         {levelDeveloper, createStatus},
		"GET /protected_branches":                      {levelDeveloper, listProtectedBranches},
		"GET /protected_branches/{ref}":                {levelDeveloper, showProtectedBranch},
		"GET /protected_tags":                          {levelDeveloper, listProtectedTags},
		"GET /protected_tags/{ref}":                    {levelDeveloper, showProtectedTag},
	}
}

func (s *Server) projectRoutes() map[string]route {
	return map[string]route{
		"GET /events":                         {levelGuest, listEvents},
		"GET /members":                        {levelGuest, listMembers},
		"GET /members/all":                    {levelGuest, listMembers},
		"GET /members/{user}":                 {levelGuest, showMember},
		"GET /members/all/{user}":             {levelGuest, showMember},
		"GET /jobs":                           {levelReporter, listJobs},
		"GET /jobs/{job}":                     {levelReporter, showJob},
		"GET /pipelines":                      {levelReporter, listPipelines},
		"GET /pipelines/{pipeline}":           {levelReporter, showPipeline},
		"GET /pipelines/{pipeline}/variables": {levelMaintainer, pipelineVariables},
		"GET /pipelines/{pipeline}/jobs":      {levelReporter, pipelineJobs},
		"POST /jobs/{job}/play":               {levelReporter, playJob},
		"GET /ci/lint":                        {levelReporter, lintCI},
		"GET /environments":                   {levelReporter, listEnvironments},
		"GET /approvals":                      {levelReporter, projectApprovals},
		"GET /protected_environments":         {levelMaintainer, listProtectedEnvironments},
		"GET /approval_rules":                 {levelReporter, projectApprovalRules},
	}
}

func (s *Server) changeRoutes() map[string]route {
	routes := map[string]route{
		"GET /merge_requests":                      {levelReporter, listMergeRequests},
		"GET /merge_requests/{iid}":                {levelReporter, showMergeRequest},
		"GET /merge_requests/{iid}/commits":        {levelReporter, mergeRequestCommits},
		"GET /merge_requests/{iid}/versions":       {levelReporter, listVersions},
		"GET /merge_requests/{iid}/versions/{v}":   {levelReporter, showVersion},
		"GET /merge_requests/{iid}/diffs":          {levelReporter, mergeRequestDiffs},
		"GET /merge_requests/{iid}/changes":        {levelReporter, mergeRequestChanges},
		"GET /merge_requests/{iid}/approvals":      {levelReporter, mergeRequestApprovals},
		"GET /merge_requests/{iid}/approval_state": {levelReporter, approvalState},
		"GET /merge_requests/{iid}/approval_rules": {levelReporter, approvalRules},
		"GET /issues":       {levelGuest, listIssues},
		"POST /issues":      {levelGuest, createIssue},
		"GET /issues/{iid}": {levelGuest, showIssue},
	}
	for _, kind := range []string{"issues", "merge_requests"} {
		under := " /" + kind + "/{iid}/notes"
		routes["GET"+under] = route{levelGuest, listNotes}
		routes["POST"+under] = route{levelGuest, createNote}
		routes["GET"+under+"/{note}"] = route{levelGuest, showNote}
		routes["PUT"+under+"/{note}"] = route{levelGuest, updateNote}
		routes["DELETE"+under+"/{note}"] = route{levelGuest, deleteNote}
		routes["GET"+under+"/{note}/award_emoji"] = route{levelGuest, listAwards}
		routes["POST"+under+"/{note}/award_emoji"] = route{levelGuest, createAward}
		routes["DELETE"+under+"/{note}/award_emoji/{award}"] = route{levelGuest, deleteAward}
	}
	return routes
}

func (s *Server) hookRoutes() map[string]route {
	routes := map[string]route{}
	for pattern, h := range hookEndpoints() {
		routes[pattern] = route{levelMaintainer, h}
	}
	return routes
}

// hookEndpoints are the same below a project and below a group.
func hookEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"GET /hooks":                        listHooks,
		"POST /hooks":                       createHook,
		"GET /hooks/{hook}":                 showHook,
		"PUT /hooks/{hook}":                 updateHook,
		"DELETE /hooks/{hook}":              deleteHook,
		"GET /hooks/{hook}/events":          listHookEvents,
		"POST /hooks/{hook}/test/{trigger}": testHook,
	}
}
