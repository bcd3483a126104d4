package policy

import "github.com/countersign/countersign/gate"

// Fields of the format that this version does not read yet; it refuses them.
func laterInFile() later { return later{"break_glass"} }

func text(name, doc, def, example string) shape {
	return shape{name: name, kind: aText, doc: doc, def: def, example: example}
}

func word(name, doc, def string, words ...string) shape {
	return shape{name: name, kind: aText, doc: doc, def: def, words: words}
}

func list(name, doc, def, example string, item shape) shape {
	return shape{name: name, kind: aList, doc: doc, def: def, example: example, item: &item}
}

func group(name, doc string, fields ...shape) shape {
	return shape{name: name, kind: aGroup, doc: doc, fields: fields}
}

func must(s shape) shape { s.required = true; return s }

// atMost bounds a list or a text.
func atMost(n int, s shape) shape { s.high = n; return s }

func matching(pattern string, s shape) shape { s.pattern = pattern; return s }

func pattern() shape { return atMost(maxGlob, shape{kind: aText}) }

func fileShape() shape {
	release := group("", "What may be released, by which job, with whose approval.",
		append(append(namingShapes(), identityShapes()...), append(judgingShapes(), signingShapes()...)...)...)
	release.anyOf = []string{"workflow", "uses", "job"}
	return group("", "What a repository may release, and whose approval it takes.",
		must(shape{name: "version", kind: aNumber, doc: "The version of the file's format.", low: Version, high: Version}),
		word("mode", "enforce signs what is granted; audit judges and reports, and signs nothing.", "enforce", string(gate.Enforce), string(gate.Audit)),
		must(atMost(maxStreams, list("releases", "The streams of releases. Each has its own name.", "", "", release))),
		group("chatops", "How people speak to the gate.",
			must(atMost(maxAliases, list("aliases", "Other spellings of /countersign approve in comments.", "", "", matching("^/[a-z0-9-]{2,40}$", atMost(maxAlias+1, shape{kind: aText}))))),
		),
	)
}

func namingShapes() []shape {
	return []shape{
		matching("^[a-z0-9][a-z0-9._-]{0,62}$", text("name", "What the stream is called; part of what is signed.", defaultName, "name: stable")),
		atMost(maxText, text("description", "What people read about it.", "", "description: Public downloads")),
		text("workflow", "GitHub: the workflow file that may ask, of .github/workflows. It must run from the very commit that is released.", "", "workflow: release.yml"),
		matching(usesPattern, text("uses", "GitHub: the reusable workflow in which the job that asks has to run, pinned to a full commit. With workflow, that one has to call it; without, any workflow of the repository may.", "", "uses: acme/ci/.github/workflows/sign.yml@3f2c1e9a5b8e4f7291a0c3d4e5f607180a1b2c3d")),
		text("job", "GitLab: the job of .gitlab-ci.yml that may ask. GitHub: the one job of the workflow that may, by the name that its check has; any job where it is left out. One file may serve both forges.", "", "job: release"),
		text("finish", "Where a release that was asked for is collected once it is signed. GitHub: the workflow file that may, in a run of its own. GitLab: the manual job of the same pipeline, which the gate plays where its bot may.", "", "finish: finish.yml"),
		list("tags", "Globs of tags that may be released.", defaultTags, `tags: ["v[0-9]*"]`, pattern()),
		list("not_tags", "Globs of tags that may not, though tags fits.", "", `not_tags: ["*-rc*"]`, pattern()),
		list("branches", "Globs of branches: what is released must lie on one of them, and that one is judged for its protection.", "the default branch and "+defaultHotfix, `branches: [main, "release/*"]`, pattern()),
		list("paths", "For one of several products in one repository: only changes to these files count.", "all files", `paths: ["server/**"]`, pattern()),
		list("shared", "With paths: files that count too.", "", `shared: [".github/**", go.mod]`, pattern()),
	}
}

func identityShapes() []shape {
	both := []string{"push", "workflow_dispatch", "release", "schedule", "web", "api"}
	return []shape{
		group("from", "Which runs may ask. Events that a fork, a comment or another pipeline can set off are never allowed.",
			list("events", "GitHub: push, workflow_dispatch, release, schedule. GitLab: push, web, schedule, api.", "push and workflow_dispatch; on GitLab push and web", "from: {events: [push]}", shape{kind: aText, words: both}),
			list("refs", "Globs of the full refs for which the job may run.", "any that tags or branches fit", `from: {refs: ["refs/tags/v*", refs/heads/main]}`, matching("^refs/(tags|heads)/.+$", pattern())),
		),
		group("identity", "What else the ID token must say of the job; another job is denied.",
			word("runner", "github-hosted or gitlab-hosted for the forge's own machines, as its ID tokens call them; self-hosted for others.", "any", "github-hosted", "gitlab-hosted", "self-hosted"),
			atMost(maxText, text("environment", "The deployment environment of the job, spelled as the job has it.", "any", "identity: {environment: release}")),
		),
	}
}

func judgingShapes() []shape {
	return []shape{
		group("branch", "What the branch's protection must hold. That force pushes and deletion are forbidden, and that administrators are bound, is always asked for.",
			shape{name: "min_reviews", kind: aNumber, high: maxReviews, doc: "How many approving reviews the protection must ask for.", def: "0"},
			word("force_push", "Always in force; a file may say so.", "deny", "deny"),
			word("admins", "Always in force; a file may say so.", "enforced", "enforced"),
			word("bypass", "Whether actors that may bypass the protection are reported, or keep a release waiting.", "report", string(gate.Report), string(gate.Deny)),
			word("push", "Whether accounts that may push to the branch without a review are reported, or keep a release waiting.", "report", string(gate.Report), string(gate.Deny)),
			text("settle", "How long the protection has to have held after it was seen weaker, in hours, minutes and seconds, at most 168h.", "1h", "branch: {settle: 24h}"),
		),
		atMost(maxChecks, list("checks", "CI checks that must have passed on the commit that is released: names of check runs, statuses, or GitLab jobs. The gate's own, countersign/…, are none.", "", "checks: [build, test]", atMost(maxText, shape{kind: aText}))),
		{name: "codeowners", kind: aBoolean, doc: "Whether every changed file that has code owners needs an approval or review by one of them who did not write the change. The file that names them is the one from before the changes.", def: "false"},
		word("separation", "each-change: nobody covers a change of their own. outsider: the approver wrote nothing of all that is released.", "each-change", string(gate.EachChange), string(gate.Outsider)),
		{name: "reviews_count", kind: aBoolean, doc: "Whether a review before the merge covers its change.", def: "true"},
		{name: "page_counts", kind: aBoolean, doc: "Whether an approval given on the release's page counts as one in a comment does. A comment is read again at the forge before anything is signed; the page's approval counts on the server's word. Denials and holds count from either.", def: "true"},
		word("bind", "request: approvals are of one request, given in a comment. commit: an approving review of the release's own pull or merge request, at its final head, counts as one too.", "request", string(gate.BindRequest), string(gate.BindCommit)),
		atMost(maxGroups, list("approvals", "Groups of approvers. One person fills one group.", "one person with write", "approvals: [{from: [write], count: 1}]", group("", "",
			must(list("from", "What an approver must have, one of these: a right in the repository, write, maintain or admin (on GitLab Developer, Maintainer, Owner), or a place in a team: team:security of the owner's organisation, team:acme/security, or on GitLab a group's full path.", "", "approvals: [{from: [maintain, \"team:security\"]}]", matching(fromPattern, shape{kind: aText}))),
			shape{name: "count", kind: aNumber, low: 1, high: maxCount, doc: "How many people.", def: "1"},
		))),
		atMost(MaxRules, list("rules", "Expressions in CEL that must all be true; see below.", "", `rules: [{expr: 'subjects.all(s, s.name.startsWith("acme_"))', message: Only acme_* files may be signed}]`, group("", "",
			must(atMost(MaxExpr, text("expr", "An expression that is true or false.", "", ""))),
			atMost(maxText, text("message", "What people read where it is not true.", "", "")),
		))),
		group("window", "When releases are signed. Outside it a granted release waits, and goes on by itself; days or hours must be named.",
			list("days", "The days of the week.", "all", "", shape{kind: aText, words: weekdays()}),
			matching("^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", text("hours", "From when, up to but without when, within one day: a window does not cross midnight.", "the whole day", `window: {days: [mon, tue], hours: "08:00-17:00", tz: Europe/Berlin}`)),
			must(text("tz", "The zone by whose clocks days and hours are meant: a name of the IANA time zone database, or UTC.", "", "")),
		),
	}
}

func signingShapes() []shape {
	return []shape{
		list("formats", "Forms in which the release's SHA256SUMS is signed too: openpgp for gpg, ssh for ssh-keygen, raw for openssl. Sigstore bundles and DSSE envelopes are always made, whether they are named or not.", "sigstore and dsse", "formats: [sigstore, dsse, openpgp, ssh, raw]", shape{kind: aText, words: append(alwaysMade(), overSums()...)}),
		{name: "witnesses", kind: aNumber, high: MaxWitnesses, doc: "How many witnesses have to have cosigned the ledger before signatures are handed out. A file that asks for more than the server has is refused.", def: "0"},
		list("publish", "Where the gate itself puts the evidence, beside handing it to the job. assets: files of the forge's release, on GitHub while that is a draft. attestations: GitHub's attestations, which gh verifies.", "none", "publish: [assets, attestations]", shape{kind: aText, words: publications()}),
		matching("^[a-z0-9-]{1,63}$", text("key", "The key lineage that signs, never a version of it.", "the one bound to the repository", "key: acme-release")),
		text("expires", "How long a request stays open, in hours, minutes and seconds, at most 2160h.", "168h", "expires: 24h"),
	}
}
