package gitlabtest

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// lintCI answers GET /ci/lint: what the project's CI file comes to (API docs: CI lint,
// validate a project's CI/CD configuration). The double resolves no includes.
func lintCI(c *call) (any, error) {
	ref := "refs/heads/" + c.p.defaultBranch
	if named := c.param("content_ref"); named != "" {
		ref = c.p.fullRef(named)
	}
	commit := c.graph.Get(c.p.refs[ref])
	if commit == nil {
		return nil, notFound("Reference")
	}
	content, has := commit.Tree[".gitlab-ci.yml"]
	answer := obj{"valid": true, "errors": []string{}, "warnings": []string{}, "merged_yaml": string(content), "includes": []obj{}}
	if !has {
		answer["valid"], answer["errors"], answer["merged_yaml"] = false, []string{"Please provide content of .gitlab-ci.yml"}, nil
		return answer, nil
	}
	var file map[string]any
	if err := yaml.Unmarshal(content, &file); err != nil {
		answer["valid"], answer["errors"] = false, []string{"Invalid configuration format"}
		return answer, nil //nolint:nilerr // the answer says what is wrong with the file
	}
	if c.param("include_jobs") == "true" {
		answer["jobs"] = lintedJobs(file)
	}
	return answer, nil
}

func lintedJobs(file map[string]any) []obj {
	reserved := []string{"stages", "default", "variables", "workflow", "include", "image", "services", "cache", "before_script", "after_script", "spec"}
	jobs := []obj{}
	for name, body := range file {
		fields, ok := body.(map[string]any)
		if !ok || strings.HasPrefix(name, ".") || slices.Contains(reserved, name) {
			continue
		}
		when, ok := fields["when"].(string)
		if !ok {
			when = "on_success"
		}
		jobs = append(jobs, obj{
			"name": name, "stage": "test", "before_script": []string{}, "script": []string{}, "after_script": []string{}, "tag_list": []string{},
			"only": nil, "except": nil, "environment": nil, "when": when, "allow_failure": when == "manual", "needs": nil,
		})
	}
	slices.SortFunc(jobs, func(a, b obj) int {
		x, _ := a["name"].(string)
		y, _ := b["name"].(string)
		return strings.Compare(x, y)
	})
	return jobs
}
