package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
)

func TestSecretsAreReadAgain(t *testing.T) {
	c, err := config.Load(written(t))
	if err != nil {
		t.Fatal(err)
	}
	f := c.Forges[0]
	if len(f.SecretFiles()) != 3 {
		t.Errorf("expected private key, webhook secret and client secret, got %v", f.SecretFiles())
	}
	for _, row := range []struct {
		what, content string
		mode          os.FileMode
		changed       bool
		says          string // of the refusal
	}{
		{"the same", "s3cret-of-github-webhook\n", 0o600, false, ""},
		{"another", "s3cret-two\n", 0o600, true, ""},
		{"a new one beside the old one", "s3cret-two\ns3cret-of-github-webhook\n", 0o600, true, ""},
		{"nothing", "\n", 0o600, false, "empty secret"},
		{"an empty line", "s3cret-two\n\ns3cret\n", 0o600, false, "3 lines"},
		{"an empty second line", "s3cret-two\n \n", 0o600, false, "one of its lines is empty"},
		{"readable by others", "s3cret-two\n", 0o644, false, "chmod 600"},
	} {
		path := f.WebhookSecret.File()
		if err := os.WriteFile(path, []byte(row.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, row.mode); err != nil {
			t.Fatal(err)
		}
		now, changed, err := f.Renewed()
		if row.says != "" {
			if gate.CodeOf(err) != gate.CodeConfig || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "s3cret-") {
				t.Errorf("%s: expected a refusal that says %q and no secret, got %v", row.what, row.says, err)
			}
			continue
		}
		if err != nil || changed != row.changed || now.WebhookSecret.Reveal() != strings.TrimSuffix(row.content, "\n") {
			t.Errorf("%s: changed %t, %v", row.what, changed, err)
		}
		if !now.SameCredential(f) {
			t.Errorf("%s: the credential did not change", row.what)
		}
	}
	if c.Forges[0].WebhookSecret.Reveal() != "s3cret-of-github-webhook" {
		t.Error("the old configuration changed")
	}
}

func TestWebhookSecretOfThreeLines(t *testing.T) {
	path := written(t)
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Forges[0].WebhookSecret.File(), []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), "forges[0].webhook_secret_file: ") || !strings.Contains(err.Error(), "3 lines") {
		t.Errorf("got %v", err)
	}
}
