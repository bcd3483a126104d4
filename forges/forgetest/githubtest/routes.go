package githubtest

// routes is every REST endpoint that the double has. The permissions are those of
// GitHub's page "Permissions required for GitHub Apps".
func routes() []route {
	var all []route
	for _, part := range [][]route{appRoutes(), codeRoutes(), ruleRoutes(), threadRoutes(), reportRoutes(), peopleRoutes(), deployRoutes(), releaseRoutes()} {
		all = append(all, part...)
	}
	return all
}

func appRoutes() []route {
	return []route{
		{method: "GET", path: "/app", needs: "jwt", handle: getApp},
		{method: "GET", path: "/app/installations", needs: "jwt", handle: listInstallations},
		{method: "GET", path: "/app/installations/{installation_id}", needs: "jwt", handle: getInstallation},
		{method: "POST", path: "/app/installations/{installation_id}/access_tokens", needs: "jwt", handle: createToken},
		{method: "POST", path: "/app-manifests/{code}/conversions", needs: "nothing", handle: convertManifest},
		{method: "GET", path: "/app/hook/config", needs: "jwt", handle: getHookConfig},
		{method: "GET", path: "/app/hook/deliveries", needs: "jwt", handle: listDeliveries},
		{method: "GET", path: "/app/hook/deliveries/{delivery_id}", needs: "jwt", handle: getDelivery},
		{method: "POST", path: "/app/hook/deliveries/{delivery_id}/attempts", needs: "jwt", handle: redeliver},
		{method: "GET", path: "/repos/{owner}/{repo}/installation", needs: "jwt", handle: repositoryInstallation},
		{method: "GET", path: "/installation/repositories", needs: "metadata:read", handle: installationRepositories},
	}
}

func codeRoutes() []route {
	return []route{
		{method: "GET", path: "/repos/{owner}/{repo}", needs: "metadata:read", handle: getRepository},
		{method: "GET", path: "/repos/{owner}/{repo}/contents/{path*}", needs: "contents:read", handle: getContents},
		{method: "GET", path: "/repos/{owner}/{repo}/git/ref/{ref+}", needs: "contents:read", handle: getRef},
		{method: "GET", path: "/repos/{owner}/{repo}/git/tags/{tag_sha}", needs: "contents:read", handle: getTag},
		{method: "GET", path: "/repos/{owner}/{repo}/compare/{basehead+}", needs: "contents:read", handle: compare},
		{method: "GET", path: "/repos/{owner}/{repo}/commits", needs: "contents:read", handle: listCommits},
		{method: "GET", path: "/repos/{owner}/{repo}/commits/{commit_sha+}/pulls", needs: "pull_requests:read|contents:read", handle: commitPulls},
		{method: "GET", path: "/repos/{owner}/{repo}/commits/{ref+}/check-runs", needs: "checks:read", handle: listCheckRuns},
		{method: "GET", path: "/repos/{owner}/{repo}/commits/{ref+}/statuses", needs: "statuses:read", handle: listStatuses},
		{method: "GET", path: "/repos/{owner}/{repo}/commits/{ref+}/status", needs: "statuses:read", handle: combinedStatus},
		{method: "GET", path: "/repos/{owner}/{repo}/commits/{ref+}", needs: "contents:read", handle: getCommit},
		{method: "GET", path: "/repos/{owner}/{repo}/activity", needs: "contents:read", handle: listActivity},
	}
}

func ruleRoutes() []route {
	return []route{
		{method: "GET", path: "/repos/{owner}/{repo}/branches", needs: "contents:read", handle: listBranches},
		{method: "GET", path: "/repos/{owner}/{repo}/branches/{branch+}/protection", needs: "administration:read", handle: getProtection},
		{method: "GET", path: "/repos/{owner}/{repo}/branches/{branch+}", needs: "contents:read", handle: getBranch},
		{method: "GET", path: "/repos/{owner}/{repo}/rules/branches/{branch+}", needs: "metadata:read", handle: branchRules},
		{method: "GET", path: "/repos/{owner}/{repo}/rulesets", needs: "metadata:read", handle: listRulesets},
		{method: "GET", path: "/repos/{owner}/{repo}/rulesets/{ruleset_id}", needs: "metadata:read", handle: getRuleset},
	}
}

func threadRoutes() []route {
	const read, write = "issues:read|pull_requests:read", "issues:write|pull_requests:write"
	return []route{
		{method: "GET", path: "/repos/{owner}/{repo}/pulls", needs: "pull_requests:read", handle: listPulls},
		{method: "GET", path: "/repos/{owner}/{repo}/pulls/{pull_number}", needs: "pull_requests:read", handle: getPull},
		{method: "GET", path: "/repos/{owner}/{repo}/pulls/{pull_number}/commits", needs: "pull_requests:read", handle: pullCommits},
		{method: "GET", path: "/repos/{owner}/{repo}/pulls/{pull_number}/files", needs: "pull_requests:read", handle: pullFiles},
		{method: "GET", path: "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", needs: "pull_requests:read", handle: pullReviews},
		{method: "GET", path: "/repos/{owner}/{repo}/issues", needs: "issues:read", handle: listIssues},
		{method: "POST", path: "/repos/{owner}/{repo}/issues", needs: "issues:write", handle: createIssue},
		{method: "GET", path: "/repos/{owner}/{repo}/issues/{issue_number}", needs: read, handle: getIssue},
		{method: "GET", path: "/repos/{owner}/{repo}/issues/comments/{comment_id}", needs: read, handle: getComment},
		{method: "PATCH", path: "/repos/{owner}/{repo}/issues/comments/{comment_id}", needs: write, handle: updateComment},
		{method: "DELETE", path: "/repos/{owner}/{repo}/issues/comments/{comment_id}", needs: write, handle: deleteComment},
		{method: "GET", path: "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", needs: read, handle: listReactions},
		{method: "POST", path: "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", needs: write, handle: createReaction},
		{method: "GET", path: "/repos/{owner}/{repo}/issues/{issue_number}/comments", needs: read, handle: listComments},
		{method: "POST", path: "/repos/{owner}/{repo}/issues/{issue_number}/comments", needs: write, handle: createComment},
	}
}

func reportRoutes() []route {
	return []route{
		{method: "POST", path: "/repos/{owner}/{repo}/check-runs", needs: "checks:write", handle: createCheckRun},
		{method: "GET", path: "/repos/{owner}/{repo}/check-runs/{check_run_id}", needs: "checks:read", handle: getCheckRun},
		{method: "PATCH", path: "/repos/{owner}/{repo}/check-runs/{check_run_id}", needs: "checks:write", handle: updateCheckRun},
		{method: "POST", path: "/repos/{owner}/{repo}/statuses/{sha}", needs: "statuses:write", handle: createStatus},
		{method: "GET", path: "/repos/{owner}/{repo}/actions/runs/{run_id}", needs: "actions:read", handle: getRun},
		{method: "GET", path: "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}", needs: "actions:read", handle: getRunAttempt},
		{method: "GET", path: "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs", needs: "actions:read", handle: listAttemptJobs},
		{method: "GET", path: "/repos/{owner}/{repo}/actions/jobs/{job_id}", needs: "actions:read", handle: getJob},
	}
}

func peopleRoutes() []route {
	return []route{
		{method: "GET", path: "/repos/{owner}/{repo}/collaborators", needs: "metadata:read", handle: listCollaborators},
		{method: "GET", path: "/repos/{owner}/{repo}/collaborators/{username}/permission", needs: "metadata:read", handle: getPermission},
		{method: "GET", path: "/orgs/{org}/teams/{team_slug}", needs: "members:read", handle: getTeam},
		{method: "GET", path: "/orgs/{org}/teams/{team_slug}/members", needs: "members:read", handle: listTeamMembers},
		{method: "GET", path: "/orgs/{org}/teams/{team_slug}/memberships/{username}", needs: "members:read", handle: getMembership},
		{method: "GET", path: "/users/{username}", needs: "metadata:read", handle: getUser},
		{method: "GET", path: "/user/{account_id}", needs: "metadata:read", handle: getUserByID},
		{method: "GET", path: "/user", needs: "user", handle: getOwnUser},
		{method: "DELETE", path: "/applications/{client_id}/token", needs: "client", handle: revokeToken},
	}
}
