package githubtest

import "github.com/countersign/countersign/forges/forgetest"

// Export writes repo, with all its refs (tags peeled), as a bare git repository in dir.
func (s *Server) Export(repo forgetest.Repository, dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	refs := map[string]string{}
	for ref := range r.refs {
		refs[ref] = r.head(ref)
	}
	return r.net.graph.Export(dir, refs)
}
