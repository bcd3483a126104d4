package githubtest

import "github.com/countersign/countersign/forges/forgetest"

// Publish makes repo visible to everybody.
func (s *Server) Publish(repo forgetest.Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repository(repo).visibility = "public"
}
