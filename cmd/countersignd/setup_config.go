package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/setup"
)

// draftConfig is the configuration that a setup writes. Every value is quoted as JSON, which
// YAML reads.
const draftConfig = `# Written by countersignd setup. What else there is: countersignd config example.
server:
  url: {{q .URL}}
  listen: {{q .Listen}}
  health_listen: {{q .HealthListen}}
{{- with .Clients}}
  clients: {{q .}}
{{- end}}

database:
  engine: sqlite
  path: {{q .Database}}

ledger:
  guard_file: {{q .Guard}}   # remembers what was published; leave it out of backups of the database
{{with .Forge}}
forges:
  - name: {{q .Kind}}
    kind: {{q .Kind}}
    url: {{q .URL}}
{{- if .AppID}}
    app_id: {{.AppID}}
    private_key_file: {{q .PrivateKeyFile}}
{{- else}}
    token_file: {{q .TokenFile}}
{{- end}}
    webhook_secret_file: {{q .WebhookSecretFile}}
    client_id: {{q .ClientID}}
    client_secret_file: {{q .ClientSecretFile}}
{{end}}
hsm:
  - module: {{q .Module}}
    token: {{q .Token}}
    pin_file: {{q .PINFile}}
{{with .Key}}
keys:
  - lineage: {{q .Lineage}}
    version: 1
    token: {{q $.Token}}
    label: {{q .Label}}
    id: {{q .ID}}
    spki: {{q .Fingerprint}}
    repositories: {{$.Repositories}}
    owners: {{$.Owners}}
{{- end}}
{{- range .Own}}
  - lineage: {{q .Purpose}}
    purpose: {{q .Purpose}}
    version: 1
    token: {{q $.Token}}
    label: {{q .Label}}
    id: {{q .ID}}
    spki: {{q .Fingerprint}}
{{- end}}

administrators: [{{q .Administrator.ID}}]

policies:
  mode: audit   # judges and reports, and signs nothing; once its reports are right: enforce
`

// configText is the configuration of a whole draft.
func (d draft) configText() ([]byte, error) {
	quote := func(v any) (string, error) {
		if s, ok := v.(interface{ String() string }); ok {
			v = s.String()
		}
		b, err := json.Marshal(v)
		return string(b), err
	}
	t, err := template.New("config").Funcs(template.FuncMap{"q": quote}).Parse(draftConfig)
	if err != nil {
		return nil, err
	}
	list := func(owners bool) string {
		out := []string{}
		for _, h := range d.Holders {
			if h.Owner == owners {
				out = append(out, `"`+h.ID+`"`)
			}
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		draft
		Database, Guard, Repositories, Owners string
	}{d, d.database(), d.database() + ".published", list(false), list(true)})
	return b.Bytes(), err
}

func (d draft) database() string { return filepath.Join(d.Data, "countersign.db") }

// configForge is the draft's forge with its secrets, as the configuration will have it.
func (d draft) configForge() (config.Forge, error) {
	c, err := d.config()
	if err != nil {
		return config.Forge{}, err
	}
	return c.Forges[0], nil
}

// config is the draft as the configuration would read now.
func (d draft) config() (config.Config, error) {
	text, err := d.partial().configText()
	if err != nil {
		return config.Config{}, err
	}
	return config.Parse(text)
}

// partial is the draft with a stand-in for what later steps find out, so that what is there
// can be checked as the whole will be.
func (d draft) partial() draft {
	if d.Key == nil {
		d.Key = &draftKey{Lineage: "none", keyOutput: keyOutput{Label: "none", ID: "00", Fingerprint: "SHA256:" + strings.Repeat("0", 64)}}
	}
	kind := "github"
	if d.Forge != nil {
		kind = string(d.Forge.Kind)
	}
	if len(d.Holders) == 0 {
		d.Holders = []setup.Holder{{ID: kind + ":1", Owner: true}}
	}
	if d.Administrator == nil {
		d.Administrator = &gate.Account{ID: gate.AccountID{Forge: gate.ForgeID(kind), ID: 1}}
	}
	return d
}
