package stage

import (
	"fmt"
	"os"
	"path/filepath"
)

// WebhookSecret is what both forges prove their deliveries with.
func (s *Stage) WebhookSecret() string { return secret }

// Secrets are the texts that the daemon is given and nobody else may read: what its secret
// files hold, by their names, and the token's PIN as "pin".
func (s *Stage) Secrets() (map[string][]byte, error) {
	pin, err := os.ReadFile(s.Token.PINFile)
	if err != nil {
		return nil, fmt.Errorf("read the token's PIN: %w", err)
	}
	out := s.secrets()
	out["pin"] = pin
	return out, nil
}

// secrets are the secret files of the stage's folder.
func (s *Stage) secrets() map[string][]byte {
	return map[string][]byte{
		"webhook-secret": []byte(secret), "dsn": []byte(s.Postgres), "gitlab-token": []byte(s.GitLab.BotToken()),
		"github-client-secret": []byte(s.GitHub.ClientSecret()), "gitlab-client-secret": []byte(s.GitLab.ClientSecret()),
		"github-app.pem": s.GitHub.AppPrivateKey(),
	}
}

// ReleaseKey is the label of the release key that [Stage.CreateKey] makes.
const ReleaseKey = lineage + "-1"

// Config is the path of the daemon's configuration.
func (s *Stage) Config() string { return s.config }

// Database is the path of SQLite's file, also before it exists.
func (s *Stage) Database() string { return filepath.Join(s.Dir, "countersign.db") }

// Running reports whether the daemon was started and not ended.
func (s *Stage) Running() bool { return s.daemon != nil }
