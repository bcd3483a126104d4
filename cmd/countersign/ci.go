package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// job is the CI job that the program runs in.
type job struct {
	kind       gate.ForgeKind
	forgeURL   string
	repository int64
	ref        string // full ref
	commit     string
	// token makes an ID token for an audience. On GitHub each is fresh and used once;
	// GitLab gives a job one.
	token func(ctx context.Context, audience string) (string, error)
}

// currentJob reads the job from the CI's environment. Ref and commit, where given,
// stand in for the environment's.
func currentJob(env map[string]string, ref, commit string, srv *server) (job, error) {
	var j job
	var err error
	switch {
	case env["GITHUB_ACTIONS"] == "true":
		j, err = githubJob(env, srv.client)
	case env["GITLAB_CI"] == "true":
		j, err = gitlabJob(env, srv.base.String())
	default:
		return job{}, usage("this is no CI job", "GitHub Actions (GITHUB_ACTIONS=true) or GitLab CI (GITLAB_CI=true)", "neither",
			"run it in a release workflow; only countersign verify works anywhere")
	}
	if err != nil {
		return job{}, err
	}
	if ref != "" {
		j.ref = ref
	}
	if commit != "" {
		j.commit = commit
	}
	return j, nil
}

func githubJob(env map[string]string, client *http.Client) (job, error) {
	repository, err := number(env, "GITHUB_REPOSITORY_ID")
	if err != nil {
		return job{}, err
	}
	endpoint, secret := env["ACTIONS_ID_TOKEN_REQUEST_URL"], env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
	if endpoint == "" || secret == "" {
		return job{}, failed(ExitIdentity, "the job may not ask GitHub for an ID token",
			"ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN", "none",
			"give the job the permission (a pull request from a fork never gets it):\n\n"+
				"    permissions:\n      contents: read\n      id-token: write")
	}
	source, err := newActionsTokens(endpoint, secret, client)
	if err != nil {
		return job{}, err
	}
	return job{
		kind: gate.GitHub, forgeURL: env["GITHUB_SERVER_URL"], repository: repository,
		ref: env["GITHUB_REF"], commit: env["GITHUB_SHA"], token: source.token,
	}, nil
}

func gitlabJob(env map[string]string, gateURL string) (job, error) {
	repository, err := number(env, "CI_PROJECT_ID")
	if err != nil {
		return job{}, err
	}
	idToken := env["COUNTERSIGN_ID_TOKEN"]
	if idToken == "" {
		return job{}, failed(ExitIdentity, "the job has no ID token", "the variable COUNTERSIGN_ID_TOKEN", "none",
			"give the job one, made for your gate's URL:\n\n    id_tokens:\n      COUNTERSIGN_ID_TOKEN:\n        aud: "+gateURL)
	}
	j := job{
		kind: gate.GitLab, forgeURL: env["CI_SERVER_URL"], repository: repository, commit: env["CI_COMMIT_SHA"],
		token: func(context.Context, string) (string, error) { return idToken, nil },
	}
	switch {
	case env["CI_COMMIT_TAG"] != "":
		j.ref = "refs/tags/" + env["CI_COMMIT_TAG"]
	case env["CI_COMMIT_BRANCH"] != "":
		j.ref = "refs/heads/" + env["CI_COMMIT_BRANCH"]
	}
	return j, nil
}

// number reads a repository's numeric id.
func number(env map[string]string, name string) (int64, error) {
	n, err := strconv.ParseInt(env[name], 10, 64)
	if err != nil || n <= 0 {
		return 0, usage("the CI does not say which repository this is", name+" with the repository's numeric id",
			strconv.Quote(env[name]), "run it in a job of the forge itself, which sets it")
	}
	return n, nil
}

// sameForge reports whether two forge URLs are one server: scheme, host and path, but
// for case of the host and a trailing slash.
func sameForge(a, b string) bool {
	norm := func(s string) string {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return ""
		}
		return strings.ToLower(u.Scheme) + "://" + hostOf(u) + strings.TrimRight(u.Path, "/")
	}
	return norm(a) != "" && norm(a) == norm(b)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
