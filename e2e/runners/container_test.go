package runners_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// nothing stands in for actions that set up what is there already.
const nothing = `{name: nothing, description: does nothing, runs: {using: composite, steps: [{shell: bash, run: "true"}]}}`

// buildPush stands in for docker/build-push-action: it pushes an image without layers of
// its own and says its digest.
const buildPush = `{name: build, description: builds and pushes, inputs: {push: {}, tags: {}},
  outputs: {digest: {value: "${{ steps.push.outputs.digest }}"}},
  runs: {using: composite, steps: [{id: push, shell: bash, env: {TAG: "${{ inputs.tags }}"},
  run: 'oras push "$TAG" --artifact-type application/vnd.acme.widget widget.sh && echo "digest=$(oras resolve "$TAG")" >>"$GITHUB_OUTPUT"'}]}}`

// tools are of the user's cache, where scripts/fetch-runners.sh puts them.
func tools(t *testing.T, folder string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "countersign", "tools", folder)
}

// The image's bundles are its referrers, and stock cosign finds and accepts them.
func TestContainerRecipe(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	image := "localhost:" + server.URL[strings.LastIndex(server.URL, ":")+1:] + "/acme/widget"
	a := onActions(begin(t, "github", "", func(url string) map[string][]byte {
		files := recipe(t, "container")(url)
		const path = ".github/workflows/release.yml"
		files[path] = []byte(strings.ReplaceAll(string(files[path]), "ghcr.io/acme/widget", image))
		return files
	}))
	a.env = append(a.env, "PATH="+tools(t, "oras-v1.3.2")+":"+strings.TrimPrefix(a.env[0], "PATH="))
	a.stand("docker/setup-buildx-action@v3", nothing)
	a.stand("docker/login-action@v3", nothing)
	a.stand("oras-project/setup-oras@v1", nothing)
	a.stand("docker/build-push-action@v6", buildPush)
	job := a.tagged()
	approved := a.approveLater()
	out, err := a.act(job, "push", "release.yml", pushed(job, false))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	approved()

	tree := a.clone(job)
	digest := strings.TrimSpace(a.run(tree, filepath.Join(tools(t, "oras-v1.3.2"), "oras"), "resolve", image+":v1.0.0"))
	referrers := a.run(tree, filepath.Join(tools(t, "oras-v1.3.2"), "oras"), "discover", "--format", "json", image+"@"+digest)
	// The registry of the test tells the configuration's type for artifactType; what each is
	// stands in the annotations too.
	for _, content := range []string{"dsse-envelope", "message-signature"} {
		if !strings.Contains(referrers, `"dev.sigstore.bundle.content": "`+content+`"`) {
			t.Errorf("expected a bundle with a %s:\n%s", content, referrers)
		}
	}
	key := filepath.Join(tree, "release.pem")
	a.must(os.WriteFile(key, a.served("/v1/keys/acme-release.pem"), 0o600))
	root := filepath.Join(tree, "trusted_root.json")
	a.must(os.WriteFile(root, a.served("/v1/trusted_root.json"), 0o600))
	verify := func(image string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "verify.sh", image, key, root)
		cmd.Dir = tree
		cmd.Env = append(os.Environ(), "PATH="+tools(t, "cosign-v3.1.3")+":"+os.Getenv("PATH"))
		return cmd.CombinedOutput()
	}
	if out, err := verify(image + "@" + digest); err != nil {
		t.Errorf("cosign refuses the image: %v\n%s", err, out)
	}
	a.run(tree, filepath.Join(tools(t, "oras-v1.3.2"), "oras"), "push", image+":evil", "--artifact-type", "application/vnd.acme.widget", "Makefile")
	if out, err := verify(image + ":evil"); err == nil {
		t.Errorf("cosign accepts an image that nobody signed:\n%s", out)
	}
}

// stand puts a composite action in the place of one that is not here.
func (a *actions) stand(action, metadata string) {
	a.t.Helper()
	dir := a.t.TempDir()
	a.must(os.WriteFile(filepath.Join(dir, "action.yml"), []byte(metadata), 0o600))
	a.flags = append(a.flags, "--local-repository", action+"="+dir)
}

// served is what the gate publishes at a path.
func (w *world) served(path string) []byte {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.URL+path, nil)
	w.must(err)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	w.must(err)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: %s", path, resp.Status)
	}
	return body
}
