package gitlabtest

import "github.com/countersign/countersign/forges/forgetest"

// Export writes r, with all its refs (tags peeled), as a bare git repository in dir.
func (s *Server) Export(r forgetest.Repository, dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.graph.Export(dir, s.project(r).refs)
}
