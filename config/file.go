package config

// file is the YAML as it is written.
type file struct {
	Server struct {
		URL          string `yaml:"url"`
		Listen       string `yaml:"listen"`
		HealthListen string `yaml:"health_listen"`
		Clients      string `yaml:"clients"`
	} `yaml:"server"`
	Database struct {
		Engine  string `yaml:"engine"`
		Path    string `yaml:"path"`
		DSNFile string `yaml:"dsn_file"`
	} `yaml:"database"`
	Forges []forgeFile `yaml:"forges"`
	HSM    []tokenFile `yaml:"hsm"`
	Keys   []keyFile   `yaml:"keys"`
	Floors []floorFile `yaml:"floors"`

	Ledger struct {
		Origin    string        `yaml:"origin"`
		Guard     string        `yaml:"guard_file"`
		Signers   string        `yaml:"signers_file"`
		Witnesses []witnessFile `yaml:"witnesses"`
		Every     string        `yaml:"every"`
	} `yaml:"ledger"`
	Timestamps struct {
		URL   string `yaml:"url"`
		Chain string `yaml:"chain_file"`
	} `yaml:"timestamps"`
	Certificates struct {
		For          string `yaml:"for"`
		Organization string `yaml:"organization"`
	} `yaml:"certificates"`

	Policies struct {
		Mode     string `yaml:"mode"`
		Cooldown string `yaml:"cooldown"`
	} `yaml:"policies"`
	Administrators []string `yaml:"administrators"`

	Log struct {
		Level  string `yaml:"level"`
		Format string `yaml:"format"`
	} `yaml:"log"`
}

type forgeFile struct {
	Name              string `yaml:"name"`
	Kind              string `yaml:"kind"`
	URL               string `yaml:"url"`
	APIURL            string `yaml:"api_url"`
	Issuer            string `yaml:"issuer"`
	AppID             int64  `yaml:"app_id"`
	PrivateKeyFile    string `yaml:"private_key_file"`
	TokenFile         string `yaml:"token_file"`
	WebhookSecretFile string `yaml:"webhook_secret_file"`
	ClientID          string `yaml:"client_id"`
	ClientSecretFile  string `yaml:"client_secret_file"`
	GitLabAudience    bool   `yaml:"gitlab_audience"`
}

type tokenFile struct {
	Module  string `yaml:"module"`
	Token   string `yaml:"token"`
	PINFile string `yaml:"pin_file"`
	Workers int    `yaml:"workers"`
}

type witnessFile struct {
	URL string `yaml:"url"`
	Key string `yaml:"key"`
}

type keyFile struct {
	Purpose      string   `yaml:"purpose"`
	Lineage      string   `yaml:"lineage"`
	Version      int      `yaml:"version"`
	Token        string   `yaml:"token"`
	Label        string   `yaml:"label"`
	ID           string   `yaml:"id"`
	SPKI         string   `yaml:"spki"`
	Repositories []string `yaml:"repositories"`
	Owners       []string `yaml:"owners"`
}

type floorFile struct {
	Name   string   `yaml:"name"`
	File   string   `yaml:"file"`
	Owners []string `yaml:"owners"`
}

// Example is a complete configuration with every field, as a new operator starts from.
func Example() string { return example }

const example = `# Countersign's daemon. Secrets are files of mode 0600, never values.
server:
  url: https://countersign.example      # as CI jobs and people reach it
  listen: 127.0.0.1:8080                # behind your TLS-terminating proxy
  health_listen: 127.0.0.1:8081         # /livez and /readyz
  # clients: /usr/share/countersign/clients   # clients that CI jobs download from here

database:
  engine: sqlite                        # or postgres
  path: /var/lib/countersign/countersign.db
  # dsn_file: /etc/countersign/dsn      # postgres: a connection string

forges:
  - name: github                        # part of every stored identity: never rename it
    kind: github
    url: https://github.com
    app_id: 12345
    private_key_file: /etc/countersign/github-app.pem
    webhook_secret_file: /etc/countersign/github-webhook   # two lines while it is changed: either proves
    client_id: Iv23liExample            # people sign in through it
    client_secret_file: /etc/countersign/github-client
    # api_url: https://github.example/api/v3              # GitHub Enterprise Server
    # issuer: https://github.example/_services/token
    # issuer: https://token.actions.githubusercontent.com/acme   # an enterprise that has its slug in it
    # gitlab_audience: true             # where GitHub Enterprise refuses long audiences
  - name: gitlab
    kind: gitlab
    url: https://gitlab.com
    token_file: /etc/countersign/gitlab-token
    webhook_secret_file: /etc/countersign/gitlab-webhook
    # client_id: 5f1c…                  # an OAuth application with the scope read_user
    # client_secret_file: /etc/countersign/gitlab-client

hsm:
  - module: /usr/lib/softhsm/libsofthsm2.so
    token: releases                     # the token's label
    pin_file: /etc/countersign/pin
    workers: 1                          # what the device does in parallel

keys:                                   # countersignd keys create prints an entry
  - lineage: release                    # the name that policies use
    version: 1
    token: releases
    label: release-1
    id: "6f1d3c0a5b8e4f7291a0c3d4e5f60718"
    spki: "SHA256:0000000000000000000000000000000000000000000000000000000000000000"
    repositories: ["github:1296269"]    # who may use it, by number; nobody else may
    owners: []
  # The gate's own keys: countersignd keys create --authority makes all five and prints these.
  - {purpose: log, lineage: log, version: 1, token: releases, label: log-1, id: "01", spki: "SHA256:0000000000000000000000000000000000000000000000000000000000000001"}
  - {purpose: timestamp, lineage: timestamp, version: 1, token: releases, label: timestamp-1, id: "02", spki: "SHA256:0000000000000000000000000000000000000000000000000000000000000002"}
  - {purpose: ca, lineage: ca, version: 1, token: releases, label: ca-1, id: "03", spki: "SHA256:0000000000000000000000000000000000000000000000000000000000000003"}
  - {purpose: ct, lineage: ct, version: 1, token: releases, label: ct-1, id: "04", spki: "SHA256:0000000000000000000000000000000000000000000000000000000000000004"}
  - {purpose: verdict, lineage: verdict, version: 1, token: releases, label: verdict-1, id: "05", spki: "SHA256:0000000000000000000000000000000000000000000000000000000000000005"}

ledger:
  # origin: countersign.example         # the log's name, a host name; never change it within an epoch
  guard_file: /var/lib/countersign/published   # remembers, outside the database, what was published last
  # signers_file: /etc/countersign/signers     # administrators' SSH keys (OpenSSH allowed_signers): two begin a new epoch
  # witnesses:                          # C2SP witnesses that cosign the ledger
  #   - url: https://witness.example
  #     key: witness.example+1d2c3b4a+BAAA…
  every: 1h                             # at the latest; what is signed is published at once

# timestamps:                           # an outside RFC 3161 authority; without, the gate's own key stamps
#   url: https://timestamp.example/tsr
#   chain_file: /etc/countersign/timestamp-chain.pem

certificates:
  for: public                           # repositories: public, all, or none. Certificates name them in the public ledger
  # organization: Acme                  # the CA's

# floors:                               # what every policy is held to, whatever its file says
#   - name: server
#     file: /etc/countersign/floor.yaml # see the manual's page on the policy file
#     owners: ["github:9000"]           # whose repositories; everybody's where it is left out

administrators: ["github:583231"]       # who may put policies in force, by number: gh api users/LOGIN --jq .id

policies:
  mode: enforce                         # or audit: judge and report, sign nothing
  cooldown: 1h                          # how long a reviewed newer policy waits before it is in force

log:
  level: info
  format: json
`
