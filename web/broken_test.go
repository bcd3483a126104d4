package web_test

import (
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/countersign/countersign/web"
)

// brokenSessions are sessions in memory that fail when they are told to.
type brokenSessions struct {
	memstore.MemStore
	mem  *memstore.MemStore
	fail error
}

func withSessions(s *brokenSessions) func(*web.Config) {
	s.mem = memstore.NewWithCleanupInterval(0)
	return func(c *web.Config) { c.Sessions = s }
}

func (s *brokenSessions) Find(token string) ([]byte, bool, error) {
	if s.fail != nil {
		return nil, false, s.fail
	}
	return s.mem.Find(token)
}

func (s *brokenSessions) Commit(token string, b []byte, expiry time.Time) error {
	if s.fail != nil {
		return s.fail
	}
	return s.mem.Commit(token, b, expiry)
}

func (s *brokenSessions) Delete(token string) error {
	if s.fail != nil {
		return s.fail
	}
	return s.mem.Delete(token)
}
