package probe

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// Audience is the longest audience that the gate asks ID tokens for: on GitHub one that
// names what is asked by its hash, on GitLab the server's public URL.
func Audience(kind gate.ForgeKind, server string) string {
	if kind == gate.GitLab {
		return server
	}
	_, host, _ := strings.Cut(server, "://")
	return "countersign:" + host + ":ask:" + strings.Repeat("0", 64)
}

// Workflow is the CI file that tells what only a job can: where it goes, and its text. It
// prints claims, never an ID token, and no e-mail address.
func Workflow(kind gate.ForgeKind, server string) (path, text string) {
	if kind == gate.GitLab {
		return ".gitlab-ci.yml", fmt.Sprintf(gitlabWorkflow, Audience(kind, server))
	}
	return ".github/workflows/countersign-probe.yml", fmt.Sprintf(githubWorkflow, Audience(kind, server))
}

const githubWorkflow = `name: countersign-probe
on: workflow_dispatch
permissions:
  id-token: write
jobs:
  probe:
    runs-on: ubuntu-latest
    steps:
      - name: Print the claims of two ID tokens, without the ID tokens
        env:
          AUDIENCE: "%s"
        run: |
          set -eo pipefail
          claims() {
            curl -sSf -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \
              "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$AUDIENCE" |
              jq -c '.value | split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | @base64d | fromjson'
          }
          first=$(claims)
          second=$(claims)
          echo "[$first,$second]"
`

const gitlabWorkflow = `countersign-probe:
  image: python:3-alpine
  id_tokens:
    FIRST: {aud: "%[1]s"}
    SECOND: {aud: "%[1]s"}
  script:
    - |
      python3 - <<'END'
      import base64, json, os
      def claims(name):
          part = os.environ[name].split(".")[1]
          all = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) %% 4)))
          return {k: v for k, v in all.items() if k not in ("user_email", "user_identities", "groups_direct")}
      print(json.dumps([claims("FIRST"), claims("SECOND")], separators=(",", ":")))
      END
`
