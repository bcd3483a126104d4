package probe

import (
	"context"
	"net/url"
)

func gitlabRules() []Fact {
	return []Fact{
		{
			ID: "gitlab.protected-branches", Area: areaRules, Needs: NeedsRead, check: gitlabProtectedBranches,
			Assumes: "Protected branches are listed, wildcards among them, with who may push and whether force pushes are allowed.",
			Used:    "the branch's protection", Follows: "protection stays unknown, and releases wait",
		},
		{
			ID: "gitlab.protected-tags", Area: areaRules, Needs: NeedsRead, check: gitlabProtectedTags,
			Assumes: "Protected tags are listed with who may create them.", Used: "the tag's protection",
			Follows: "tag protection stays unknown",
		},
		{
			ID: "gitlab.head-file", Area: areaRules, Needs: NeedsRead, check: gitlabHeadFile,
			Assumes: "A file can be read at HEAD, and GitLab names the commit, which is the default branch's.", Used: "the policy file",
			Follows: "the policy is not read, and releases wait",
		},
		{
			ID: "gitlab.blob-mode", Area: areaRules, Needs: NeedsRead, Copes: true, check: gitlabBlobMode,
			Assumes: "GraphQL tells the mode of files (Blob.mode).", Used: "telling whether a merge added anything of its own",
			Follows: "merge commits are compared one by one: more calls",
		},
	}
}

func gitlabProtectedBranches(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var all []struct {
		Name  string `json:"name"`
		Force *bool  `json:"allow_force_push"`
		Push  []struct {
			Level *int `json:"access_level"`
		} `json:"push_access_levels"`
	}
	if r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.project("protected_branches")...).read(&all); !ok {
		return r
	}
	for _, b := range all {
		if b.Name == "" || b.Force == nil || b.Push == nil {
			return fails("a rule lacks its name, its push levels, or whether force pushes are allowed")
		}
	}
	if len(all) == 0 {
		return untold("no branch is protected: protect one to find out")
	}
	return holds("%d rules", len(all))
}

func gitlabProtectedTags(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var all []struct {
		Name   string     `json:"name"`
		Create []struct{} `json:"create_access_levels"`
	}
	if r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.project("protected_tags")...).read(&all); !ok {
		return r
	}
	for _, t := range all {
		if t.Name == "" || t.Create == nil {
			return fails("a rule lacks its name or its levels")
		}
	}
	if len(all) == 0 {
		return untold("no tag is protected: protect v* to find out")
	}
	return holds("%d rules", len(all))
}

func gitlabHeadFile(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	var f struct {
		CommitID string `json:"commit_id"`
		Encoding string `json:"encoding"`
	}
	a := s.repo.get(ctx, url.Values{"ref": {"HEAD"}}, s.project("repository", "files", ".countersign.yaml")...)
	if a.err == nil && a.status == 404 {
		return untold("the project has no .countersign.yaml: add one to find out")
	}
	if r, ok := a.read(&f); !ok {
		return r
	}
	if f.CommitID != s.head || f.Encoding != "base64" {
		return fails("the file is not told with the default branch's head, or not in base64")
	}
	return holds("at the default branch's head")
}

func gitlabBlobMode(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	var data struct {
		Project *struct {
			Repository *struct {
				Tree *struct {
					Blobs struct {
						Nodes []struct {
							Mode string `json:"mode"`
						} `json:"nodes"`
					} `json:"blobs"`
				} `json:"tree"`
			} `json:"repository"`
		} `json:"project"`
	}
	const question = `query Blobs($path: ID!, $ref: String!) {
  project(fullPath: $path) { repository { tree(ref: $ref) { blobs(first: 20) { nodes { mode } } } } }
}`
	if r, ok := s.repo.query(ctx, question, map[string]any{"path": s.Repository, "ref": s.head}).data(&data); !ok {
		return r
	}
	if data.Project == nil || data.Project.Repository == nil || data.Project.Repository.Tree == nil {
		return fails("GraphQL does not know the project, or its files")
	}
	nodes := data.Project.Repository.Tree.Blobs.Nodes
	for _, b := range nodes {
		if b.Mode == "" {
			return fails("a file has no mode")
		}
	}
	if len(nodes) == 0 {
		return untold("the project's root holds no file: add one to find out")
	}
	s.modes = true
	return holds("%d files", len(nodes))
}
