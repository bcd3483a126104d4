// Package githubschema holds the GitHub double against GitHub's own OpenAPI
// description (npm @octokit/openapi 23.0.2), for tests.
package githubschema

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

const version = "23.0.2"

// load reads the description once per test binary: it takes seconds.
var load = sync.OnceValues(func() (*openapi3.T, error) { return read() })

// read loads what the double serves out of the description: the whole of it has 811
// paths and takes kin-openapi 4 to 9 seconds. It is not validated as a document: the
// real one does not pass (conflicting attestation paths).
func read() (*openapi3.T, error) {
	cache := os.Getenv("XDG_CACHE_HOME") // as scripts/fetch-openapi.sh has it, on macOS too
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find the cache folder: %w", err)
		}
		cache = filepath.Join(home, ".cache")
	}
	name := filepath.Join(cache, "countersign", "openapi-"+version, "api.github.com.json")
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("GitHub's OpenAPI description is not at %s: run scripts/fetch-openapi.sh once", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read GitHub's OpenAPI description: %w", err)
	}
	cut, err := prune(raw)
	if err != nil {
		return nil, fmt.Errorf("cut %s: %w", name, err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(cut)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	correct(doc)
	return doc, nil
}

// correct mends what the description says wrong, or leaves out: the account of a listed installation is
// described as a user AND an enterprise (allOf); of a single one as either (anyOf).
func correct(doc *openapi3.T) {
	list := doc.Paths.Value("/app/installations").Get.Responses.Status(http.StatusOK).Value
	account := list.Content.Get("application/json").Schema.Value.Items.Value.Properties["account"].Value
	account.AnyOf, account.AllOf = account.AllOf, nil
	// The head of a pull request has no repository once its fork is deleted.
	pull := doc.Components.Schemas["pull-request"].Value
	gone := openapi3.NewOneOfSchema()
	gone.OneOf = openapi3.SchemaRefs{pull.Properties["head"].Value.Properties["repo"]}
	gone.Nullable = true
	pull.Properties["head"].Value.Properties["repo"] = openapi3.NewSchemaRef("", gone)
	// suspended_at is of GitHub Enterprise Server; go-github's User has it.
	for _, path := range []string{"/users/{username}", "/user/{account_id}"} {
		user := doc.Paths.Value(path).Get.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value
		for _, kind := range user.OneOf {
			kind.Value.Properties["suspended_at"] = openapi3.NewSchemaRef("", openapi3.NewDateTimeSchema())
		}
	}
}

// prune keeps the double's paths and the components that they reach. Examples go:
// nothing here reads them.
func prune(raw []byte) ([]byte, error) {
	var doc struct {
		OpenAPI    string                                `json:"openapi"`
		Info       json.RawMessage                       `json:"info"`
		Paths      map[string]json.RawMessage            `json:"paths"`
		Components map[string]map[string]json.RawMessage `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	paths := map[string]json.RawMessage{}
	var todo []json.RawMessage
	for _, e := range githubtest.Endpoints() {
		if item, has := doc.Paths[e.Template]; has && paths[e.Template] == nil {
			paths[e.Template] = item
			todo = append(todo, item)
		}
	}
	reference := regexp.MustCompile(`"\$ref":\s*"#/components/([^/"]+)/([^"]+)"`)
	kept := map[string]map[string]json.RawMessage{}
	for len(todo) > 0 {
		item := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, m := range reference.FindAllSubmatch(item, -1) {
			kind, name := string(m[1]), string(m[2])
			if kept[kind] == nil {
				kept[kind] = map[string]json.RawMessage{}
			}
			if _, done := kept[kind][name]; done {
				continue
			}
			kept[kind][name] = doc.Components[kind][name]
			if kind != "examples" {
				todo = append(todo, doc.Components[kind][name])
			}
		}
	}
	return json.Marshal(map[string]any{"openapi": doc.OpenAPI, "info": doc.Info, "paths": paths, "components": kept})
}

// exempt names what is not held against the description, and why. The one undocumented
// form of URL, /repositories/{id}/..., to which GitHub's redirects and Link headers
// lead, is not exempt: it is checked as the endpoint by name that it stands for.
func exempt(e githubtest.Exchange) (reason string, is bool) {
	if strings.HasPrefix(e.Header.Get("Content-Type"), "application/vnd.github.") {
		return "raw media types have no schema", true
	}
	return "", false
}
