package stage

import "path/filepath"

// WebhookSecret is what both forges prove their deliveries with.
func (s *Stage) WebhookSecret() string { return secret }

// Config is the path of the daemon's configuration.
func (s *Stage) Config() string { return s.config }

// Database is the path of SQLite's file, also before it exists.
func (s *Stage) Database() string { return filepath.Join(s.Dir, "countersign.db") }
