package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
)

// written is the example with its secrets in a folder of the test, after edits ("old",
// "new", …).
func written(t *testing.T, edits ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"github-app.pem", "github-webhook", "github-client", "gitlab-token", "gitlab-webhook", "pin", "dsn"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("s3cret-of-"+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(config.Example(), "/etc/countersign", dir)
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the example lacks %q", edits[i])
		}
		text = strings.Replace(text, edits[i], strings.ReplaceAll(edits[i+1], "DIR", dir), 1)
	}
	path := filepath.Join(dir, "countersign.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExampleLoads(t *testing.T) {
	c, err := config.Load(written(t))
	if err != nil {
		t.Fatal(err)
	}
	gh, gl := c.Forges[0], c.Forges[1]
	for _, x := range []struct{ what, got, want string }{
		{"server host", c.Server.URL.Host, "countersign.example"},
		{"github API", gh.APIURL, "https://api.github.com"},
		{"github issuer", gh.Issuer, "https://token.actions.githubusercontent.com"},
		{"gitlab issuer", gl.Issuer, "https://gitlab.com"},
		{"secret without its line end", gl.Token.Reveal(), "s3cret-of-gitlab-token"},
		{"binding", fmt.Sprint(c.Keys[0].Repositories), "[github:1296269]"},
		{"administrators", fmt.Sprint(c.Administrators), "[github:583231]"},
		{"mode", fmt.Sprint(c.Policies.Audit), "false"},
		{"github client", gh.ClientID + " " + gh.ClientSecret.Reveal(), "Iv23liExample s3cret-of-github-client"},
		{"gitlab without one", gl.ClientID + gl.ClientSecret.Reveal(), ""},
		{"log", c.Log.Level + " " + c.Log.Format, "info json"},
	} {
		if x.got != x.want {
			t.Errorf("%s: expected %s, got %s", x.what, x.want, x.got)
		}
	}
}

func TestEnterpriseServerIsDerived(t *testing.T) {
	c, err := config.Load(written(t, "url: https://github.com", "url: https://github.example/"))
	if err != nil {
		t.Fatal(err)
	}
	if f := c.Forges[0]; f.APIURL != "https://github.example/api/v3" || f.Issuer != "https://github.example/_services/token" {
		t.Errorf("got %s and %s", f.APIURL, f.Issuer)
	}
}

func TestDataResidencyIsDerived(t *testing.T) {
	c, err := config.Load(written(t, "url: https://github.com", "url: https://acme.ghe.com"))
	if err != nil {
		t.Fatal(err)
	}
	if f := c.Forges[0]; f.APIURL != "https://api.acme.ghe.com" || f.Issuer != "https://token.actions.acme.ghe.com" {
		t.Errorf("got %s and %s", f.APIURL, f.Issuer)
	}
}

func TestPostgresReadsItsDSN(t *testing.T) {
	c, err := config.Load(written(t, "engine: sqlite", "engine: postgres", "# dsn_file", "dsn_file"))
	if err != nil || c.Database.DSN.Reveal() != "s3cret-of-dsn" {
		t.Fatalf("got %v", err)
	}
}

// What stands around a signature needs a key each, and the configuration says which is not
// there.
func TestMissing(t *testing.T) {
	for name, x := range map[string]struct {
		edits []string
		want  string
	}{
		"all there":              {nil, "[]"},
		"no verdict key":         {[]string{"  - {purpose: verdict", "  # - {purpose: verdict"}, "[verdict]"},
		"no log key":             {[]string{"  - {purpose: log", "  # - {purpose: log"}, "[log]"},
		"own stamps, no key":     {[]string{"  - {purpose: timestamp", "  # - {purpose: timestamp"}, "[timestamp]"},
		"outside stamps instead": {[]string{"  - {purpose: timestamp", "  # - {purpose: timestamp", "# timestamps:", "timestamps: {url: http://t.example, chain_file: DIR/pin}\n#"}, "[]"},
		"no certificates, no CT": {[]string{"  - {purpose: ct", "  # - {purpose: ct", "for: public", "for: none"}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := config.Load(written(t, x.edits...))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(c.Missing()); got != x.want {
				t.Errorf("expected %s, got %s", x.want, got)
			}
		})
	}
}

func TestLedgerDefaults(t *testing.T) {
	c, err := config.Load(written(t, "  guard_file", "  # guard_file"))
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Ledger; l.Origin != "countersign.example" || l.Guard != c.Database.Path+".published" || l.Every != time.Hour {
		t.Errorf("got %+v", l)
	}
	if c.Certificates.Organization != "countersign.example" || c.Certificates.Private || c.Certificates.Off {
		t.Errorf("got %+v", c.Certificates)
	}
}

func TestFloors(t *testing.T) {
	c, err := config.Load(written(t, "log:\n", "floors:\n  - {name: server, file: DIR/dsn}\n  - {name: acme, file: DIR/pin, owners: [\"github:100\"]}\nlog:\n"))
	if err != nil {
		t.Fatal(err)
	}
	acme, other := gate.AccountID{Forge: "github", ID: 100}, gate.AccountID{Forge: "gitlab", ID: 100}
	for _, x := range []struct {
		floor config.Floor
		owner gate.AccountID
		holds bool
	}{{c.Floors[0], acme, true}, {c.Floors[0], other, true}, {c.Floors[1], acme, true}, {c.Floors[1], other, false}} {
		if got := x.floor.Holds(x.owner); got != x.holds {
			t.Errorf("floor %s holds %s: %t, expected %t", x.floor.Name, x.owner, got, x.holds)
		}
	}
	if string(c.Floors[0].Content) != "s3cret-of-dsn\n" {
		t.Errorf("content %q", c.Floors[0].Content)
	}
}

// Each row is one mistake and the words that name it.
func TestRefusals(t *testing.T) {
	for name, x := range map[string]struct {
		edits []string
		want  string
	}{
		"unknown field":           {[]string{"listen:", "lisen:"}, "lisen"},
		"no https":                {[]string{"https://countersign.example", "http://countersign.example"}, "server.url: expected https"},
		"path in the public URL":  {[]string{"https://countersign.example", "https://countersign.example/gate"}, "server.url: expected no path"},
		"user in a URL":           {[]string{"https://gitlab.com", "https://me:pw@gitlab.com"}, "forges[1].url"},
		"upper-case host":         {[]string{"https://countersign.example", "https://Countersign.example"}, "lower-case"},
		"address without port":    {[]string{"127.0.0.1:8080", "127.0.0.1"}, "server.listen: expected host:port"},
		"odd port":                {[]string{"127.0.0.1:8080", "127.0.0.1:http"}, "server.listen: expected host:port"},
		"one address for both":    {[]string{"127.0.0.1:8081", "127.0.0.1:8080"}, "server.health_listen: expected an address of its own"},
		"one issuer for two":      {[]string{"url: https://gitlab.com", "url: https://gitlab.com\n    issuer: https://token.actions.githubusercontent.com"}, "forges[1].issuer: expected an issuer of its own"},
		"one key pair, two keys":  {[]string{"keys: ", "keys:\n  - {lineage: other, version: 1, token: releases, label: x, id: \"00\", spki: \"SHA256:0000000000000000000000000000000000000000000000000000000000000000\", owners: [\"github:1\"]}\n#"}, "keys[1].spki: expected a key pair of its own"},
		"unknown engine":          {[]string{"engine: sqlite", "engine: mysql"}, "database.engine: expected sqlite or postgres, got mysql"},
		"no database file":        {[]string{"  path:", "  # path:"}, "database.path"},
		"unknown kind":            {[]string{"kind: gitlab", "kind: gitea"}, "forges[1].kind"},
		"forge twice":             {[]string{"name: gitlab", "name: github"}, "a name of its own"},
		"odd forge name":          {[]string{"name: gitlab", "name: Git_Lab"}, "forges[1].name"},
		"no app":                  {[]string{"app_id: 12345", "app_id: 0"}, "forges[0].app_id"},
		"missing webhook secret":  {[]string{"/github-webhook", "/nowhere"}, "forges[0].webhook_secret_file: "},
		"missing PIN file":        {[]string{"/pin", "/nowhere"}, "hsm[0].pin_file: "},
		"no workers":              {[]string{"workers: 1", "workers: 65"}, "hsm[0].workers"},
		"key on no token":         {[]string{"    token: releases\n    label", "    token: other\n    label"}, "keys[0].token"},
		"key without id":          {[]string{`id: "6f`, `id: "xx`}, "keys[0].id"},
		"short fingerprint":       {[]string{"SHA256:00", "SHA256:0"}, "keys[0].spki"},
		"version 0":               {[]string{"version: 1", "version: 0"}, "keys[0].version"},
		"binding to no forge":     {[]string{"github:1296269", "gitea:1"}, "a configured forge, got gitea"},
		"binding by name":         {[]string{"github:1296269", "github:acme/widget"}, "forge:number"},
		"unbound key (attack 80)": {[]string{`["github:1296269"]`, "[]"}, "bound to nobody"},
		"unknown mode":            {[]string{"mode: enforce", "mode: warn"}, "policies.mode: expected enforce or audit, got warn"},
		"administrator by name":   {[]string{`["github:583231"]`, "[octocat]"}, "administrators: expected forge:number"},
		"administrator elsewhere": {[]string{`["github:583231"]`, `["gitea:583231"]`}, "administrators: expected a configured forge, got gitea"},
		"administrator twice":     {[]string{`["github:583231"]`, `["github:583231", "github:583231"]`}, "administrators[1]: expected every account once"},
		"client without secret":   {[]string{"    client_secret_file: ", "    # client_secret_file: "}, "forges[0].client_secret_file: expected the path"},
		"secret without client":   {[]string{"    client_id: ", "    # client_id: "}, "forges[0].client_id: expected the OAuth client"},
		"empty client secret":     {[]string{"/github-client", "/nowhere"}, "forges[0].client_secret_file: "},
		"clients that are none":   {[]string{"  # clients: /usr/share/countersign/clients", "  clients: DIR/pin"}, "server.clients: expected a folder"},
		"unknown log level":       {[]string{"level: info", "level: loud"}, "log.level"},
		"floor without a file":    {[]string{"log:\n", "floors: [{name: server}]\nlog:\n"}, "floors[0].file: nothing cannot be read"},
		"floor that is not there": {[]string{"log:\n", "floors: [{name: server, file: DIR/none}]\nlog:\n"}, "floors[0].file: "},
		"floor without a name":    {[]string{"log:\n", "floors: [{file: DIR/pin}]\nlog:\n"}, "floors[0].name: expected lower-case"},
		"floor twice":             {[]string{"log:\n", "floors: [{name: a, file: DIR/pin}, {name: a, file: DIR/pin}]\nlog:\n"}, "floors[1].name: expected a name of its own"},
		"floor of a name":         {[]string{"log:\n", "floors: [{name: a, file: DIR/pin, owners: [acme]}]\nlog:\n"}, "floors[0].owners: expected forge:number"},
		"floor of another forge":  {[]string{"log:\n", "floors: [{name: a, file: DIR/pin, owners: [\"gitea:1\"]}]\nlog:\n"}, "floors[0].owners: expected a configured forge"},
		"floor of nobody":         {[]string{"log:\n", "floors: [{name: a, file: DIR/pin, owners: []}]\nlog:\n"}, "floors[0].owners: expected owners"},
		"unknown purpose":         {[]string{"purpose: log", "purpose: logs"}, "keys[1].purpose: expected release or log"},
		"own key for others":      {[]string{"purpose: ct,", "purpose: ct, owners: [\"github:1\"],"}, "a ct key is the gate's own"},
		"origin with a path":      {[]string{"# origin: countersign.example", "origin: countersign.example/log"}, "ledger.origin: expected a lower-case host name"},
		"no guard on PostgreSQL":  {[]string{"engine: sqlite", "engine: postgres", "# dsn_file", "dsn_file", "  guard_file", "  # guard_file"}, "ledger.guard_file: expected the path"},
		"signers not there":       {[]string{"every: 1h", "signers_file: DIR/none"}, "ledger.signers_file: "},
		"witness without a key":   {[]string{"every: 1h", "witnesses: [{url: https://witness.example}]"}, "ledger.witnesses[0].key"},
		"witness over HTTP":       {[]string{"every: 1h", "witnesses: [{url: http://witness.example, key: k}]"}, "ledger.witnesses[0].url: expected https"},
		"checkpoints too rare":    {[]string{"every: 1h", "every: 48h"}, "ledger.every: expected a time"},
		"stamps without a chain":  {[]string{"# timestamps:", "timestamps: {url: http://t.example}\n#"}, "timestamps: expected both"},
		"stamps over FTP":         {[]string{"# timestamps:", "timestamps: {url: ftp://t.example, chain_file: DIR/pin}\n#"}, "timestamps.url: expected http(s)"},
		"certificates for some":   {[]string{"for: public", "for: some"}, "certificates.for: expected public or all or none"},
		"two documents":           {[]string{"log:\n", "---\nlog:\n"}, "more than one document"},
		"duplicate field":         {[]string{"log:\n", "server: {}\nlog:\n"}, "server"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(written(t, x.edits...))
			if gate.CodeOf(err) != gate.CodeConfig || !strings.Contains(err.Error(), x.want) {
				t.Errorf("expected CS-1801 that says %q, got %v", x.want, err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// An empty secret, or one that others may read, stops the start (attack 58).
func TestSecretFiles(t *testing.T) {
	for name, x := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"empty":          {"", 0o600, "empty secret"},
		"a line end":     {"\n", 0o600, "empty secret"},
		"group may read": {"x", 0o640, "chmod 600"},
		"huge":           {strings.Repeat("x", 65<<10), 0o600, "larger"},
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(x.content), x.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := config.ReadSecret(path); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: expected %q, got %v", name, x.want, err)
		}
	}
	if _, err := config.ReadSecret(t.TempDir()); err == nil {
		t.Error("a folder: expected a refusal")
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := config.Parse([]byte("server: {url: 'ftp://x'}\ndatabase: {engine: mysql}\n"))
	for _, want := range []string{"server.url", "database.engine", "forges", "keys"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected a line about %s, got %v", want, err)
		}
	}
	if _, err := config.Load(filepath.Join(t.TempDir(), "none")); gate.CodeOf(err) != gate.CodeConfig {
		t.Errorf("no file: got %v", err)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	c, err := config.Load(written(t))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	secret := c.Forges[0].WebhookSecret
	inside := struct{ secret config.Secret }{secret} // fmt asks no methods of unexported fields
	shown := []string{string(b)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t"} {
		shown = append(shown, fmt.Sprintf(verb, c), fmt.Sprintf(verb, secret), fmt.Sprintf(verb, inside))
	}
	for _, s := range shown {
		if strings.Contains(s, "s3cret") || strings.Contains(s, fmt.Sprintf("%x", "s3cret")) {
			t.Errorf("a secret is shown: %s", s)
		}
	}
}
