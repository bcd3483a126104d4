package githubtest

import (
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// What GraphQL objects of the code are made of.
type (
	commitNode struct {
		repo   *repository
		commit *forgetest.Commit
	}
	tagNode struct {
		repo *repository
		tag  *tagObject
	}
	refNode struct {
		repo *repository
		ref  string
	}
	identity struct {
		signature
		commit *forgetest.Commit
	}
)

// refNode finds a ref by its full name, or by a branch's name.
func (r *repository) refNode(name any) any {
	ref, _ := name.(string)
	for _, full := range []string{ref, "refs/heads/" + ref, "refs/tags/" + ref} {
		if strings.HasPrefix(full, "refs/") && r.refs[full] != "" {
			return node{"Ref", refNode{r, full}}
		}
	}
	return nil
}

// objectNode is `Repository.object`: by oid, or by an expression that names a commit or
// tag. A tag object by its name is the Tag, not the commit.
func (r *repository) objectNode(args map[string]any) any {
	oid, _ := args["oid"].(string)
	expression, _ := args["expression"].(string)
	name := oid
	if name == "" {
		name = expression
	}
	for _, candidate := range []string{name, r.refs[name], r.refs["refs/tags/"+name]} {
		if tag := r.net.tags[candidate]; tag != nil {
			return node{"Tag", tagNode{r, tag}}
		}
	}
	if oid != "" {
		return r.commitNode(r.net.graph.Get(oid))
	}
	return r.commitNode(r.resolve(name))
}

func (r *repository) commitNode(c *forgetest.Commit) any {
	if c == nil {
		return nil
	}
	return node{"Commit", commitNode{r, c}}
}

func codeFields() map[string]resolver {
	out := map[string]resolver{
		"Ref.id":         func(_ *call, of any, _ map[string]any) any { return "REF_" + of.(refNode).ref },
		"Ref.repository": func(_ *call, of any, _ map[string]any) any { return node{"Repository", of.(refNode).repo} },
		"Ref.name": func(_ *call, of any, _ map[string]any) any {
			_, short := refKind(of.(refNode).ref)
			return short
		},
		"Ref.prefix": func(_ *call, of any, _ map[string]any) any {
			x := of.(refNode)
			_, short := refKind(x.ref)
			return strings.TrimSuffix(x.ref, short)
		},
		"Ref.target": func(_ *call, of any, _ map[string]any) any {
			x := of.(refNode)
			return x.repo.objectNode(map[string]any{"oid": x.repo.refs[x.ref]})
		},
	}
	for name, f := range commitFields() {
		out["Commit."+name] = func(c *call, of any, args map[string]any) any { return f(c, of.(commitNode), args) }
	}
	for name, f := range tagFields() {
		out["Tag."+name] = func(c *call, of any, _ map[string]any) any { return f(c, of.(tagNode)) }
	}
	for name, f := range identityFields() {
		out["GitActor."+name] = func(c *call, of any, _ map[string]any) any { return f(c, of.(identity)) }
	}
	for name, f := range signatureFields() {
		out["GpgSignature."+name] = func(c *call, of any, _ map[string]any) any { return f(c, of.(commitNode)) }
	}
	return out
}

func commitFields() map[string]func(*call, commitNode, map[string]any) any {
	plain := func(f func(c *call, x commitNode) any) func(*call, commitNode, map[string]any) any {
		return func(c *call, x commitNode, _ map[string]any) any { return f(c, x) }
	}
	headline := func(x commitNode) (string, string) {
		first, rest, _ := strings.Cut(x.commit.Message, "\n")
		return first, strings.TrimLeft(rest, "\n")
	}
	person := func(x commitNode, p forgetest.Person) any {
		return node{"GitActor", identity{signature{gitName(p), p.Email}, x.commit}}
	}
	return map[string]func(*call, commitNode, map[string]any) any{
		"id":              plain(func(_ *call, x commitNode) any { return "C_kwDO" + x.commit.SHA }),
		"oid":             plain(func(_ *call, x commitNode) any { return x.commit.SHA }),
		"abbreviatedOid":  plain(func(_ *call, x commitNode) any { return x.commit.SHA[:7] }),
		"repository":      plain(func(_ *call, x commitNode) any { return node{"Repository", x.repo} }),
		"message":         plain(func(_ *call, x commitNode) any { return x.commit.Message }),
		"messageHeadline": plain(func(_ *call, x commitNode) any { first, _ := headline(x); return first }),
		"messageBody":     plain(func(_ *call, x commitNode) any { _, rest := headline(x); return rest }),
		"authoredDate":    plain(func(_ *call, x commitNode) any { return stamp(x.commit.When) }),
		"committedDate":   plain(func(_ *call, x commitNode) any { return stamp(x.commit.When) }),
		"url":             plain(func(c *call, x commitNode) any { return c.repoWeb(x.repo, "/commit/%s", x.commit.SHA) }),
		"commitUrl":       plain(func(c *call, x commitNode) any { return c.repoWeb(x.repo, "/commit/%s", x.commit.SHA) }),
		"author":          plain(func(_ *call, x commitNode) any { return person(x, x.commit.Author) }),
		"committer":       plain(func(_ *call, x commitNode) any { return person(x, x.commit.Committer) }),
		"authoredByCommitter": plain(func(_ *call, x commitNode) any {
			return strings.EqualFold(x.commit.Author.Email, x.commit.Committer.Email)
		}),
		// committedViaWeb is true for what the web side made, which is also signed.
		"committedViaWeb": plain(func(_ *call, x commitNode) any { return x.commit.Signed && x.commit.Committer.Email == webEmail }),
		"signature": plain(func(_ *call, x commitNode) any {
			if !x.commit.Signed {
				return nil
			}
			return node{"GpgSignature", x}
		}),
		"file":                   commitFile,
		"authors":                commitAuthors,
		"parents":                commitParents,
		"history":                commitHistory,
		"associatedPullRequests": commitPullRequests,
		"checkSuites":            commitSuites,
	}
}

func commitAuthors(_ *call, x commitNode, args map[string]any) any {
	var all []any
	for _, a := range authors(x.commit) {
		all = append(all, node{"GitActor", identity{a, x.commit}})
	}
	return connect("GitActorConnection", "authors", all, args)
}

func commitParents(_ *call, x commitNode, args map[string]any) any {
	var all []any
	for _, p := range x.commit.Parents {
		all = append(all, x.repo.commitNode(x.repo.net.graph.Get(p)))
	}
	return connect("CommitConnection", "parents", all, args)
}

func commitHistory(_ *call, x commitNode, args map[string]any) any {
	list := x.repo.net.graph.Between("", x.commit.SHA)
	slices.Reverse(list)
	var all []any
	for _, commit := range list {
		if path, given := args["path"].(string); !given || x.repo.touches(commit, path) {
			all = append(all, x.repo.commitNode(commit))
		}
	}
	return connect("CommitHistoryConnection", "history", all, args)
}

func commitPullRequests(_ *call, x commitNode, args map[string]any) any {
	var all []any
	for _, t := range x.repo.pullsWith(x.commit.SHA) {
		all = append(all, thread2node(x.repo, t))
	}
	return connect("PullRequestConnection", "associatedPullRequests", all, args)
}

// commitSuites has one suite per push that made the commit a head; Apps with checks get
// one each on GitHub, the double keeps one.
func commitSuites(_ *call, x commitNode, args map[string]any) any {
	var all []any
	if filter, _ := args["filterBy"].(map[string]any); filter != nil {
		app, _ := number(filter["appId"])
		if runs := slices.DeleteFunc(x.repo.checksOf(x.commit.SHA), func(c *checkRun) bool { return c.app != int64(app) }); len(runs) > 0 {
			push := &activity{id: runs[0].suite, after: x.commit.SHA}
			all = append(all, node{"CheckSuite", pushed{x.repo, push, runs}})
		}
		return connect("CheckSuiteConnection", "checkSuites", all, args)
	}
	for _, a := range x.repo.activity {
		if a.after == x.commit.SHA {
			all = append(all, node{"CheckSuite", pushed{x.repo, a, nil}})
		}
	}
	return connect("CheckSuiteConnection", "checkSuites", all, args)
}

func tagFields() map[string]func(*call, tagNode) any {
	return map[string]func(*call, tagNode) any{
		"id":             func(_ *call, x tagNode) any { return "TA_kwDO" + x.tag.sha },
		"oid":            func(_ *call, x tagNode) any { return x.tag.sha },
		"abbreviatedOid": func(_ *call, x tagNode) any { return x.tag.sha[:7] },
		"repository":     func(_ *call, x tagNode) any { return node{"Repository", x.repo} },
		"commitUrl":      func(c *call, x tagNode) any { return c.repoWeb(x.repo, "/commit/%s", x.tag.target) },
		"name":           func(_ *call, x tagNode) any { return x.tag.name },
		"message":        func(_ *call, x tagNode) any { return x.tag.message },
		"target":         func(_ *call, x tagNode) any { return x.repo.commitNode(x.repo.net.graph.Get(x.tag.target)) },
		"tagger": func(_ *call, x tagNode) any {
			return node{"GitActor", identity{signature{gitName(x.tag.tagger), x.tag.tagger.Email}, x.repo.net.graph.Get(x.tag.target)}}
		},
	}
}

// identityFields: user is null where the e-mail is nobody's; of bots see Switches.
func identityFields() map[string]func(*call, identity) any {
	return map[string]func(*call, identity) any{
		"name":  func(_ *call, x identity) any { return x.name },
		"email": func(_ *call, x identity) any { return x.email },
		"date":  func(_ *call, x identity) any { return stamp(x.commit.When) },
		"user": func(c *call, x identity) any {
			if a := c.byEmail(x.email); a != nil && (a.kind == "User" || !c.opts.Switches.NoUserForBotCommits) {
				if a.kind == "Bot" && c.opts.Switches.BareBotLogins {
					bare := *a
					bare.login = strings.TrimSuffix(a.login, "[bot]")
					a = &bare
				}
				return node{"User", a}
			}
			return nil
		},
	}
}

func signatureFields() map[string]func(*call, commitNode) any {
	return map[string]func(*call, commitNode) any{
		"email":             func(*call, commitNode) any { return webEmail },
		"isValid":           func(*call, commitNode) any { return true },
		"wasSignedByGitHub": func(*call, commitNode) any { return true },
		"state":             func(*call, commitNode) any { return "VALID" },
		"keyId":             func(*call, commitNode) any { return "B5690EEEBB952194" },
		"payload":           func(_ *call, x commitNode) any { return verification(x.commit)["payload"] },
		"signature":         func(_ *call, x commitNode) any { return verification(x.commit)["signature"] },
		"verifiedAt":        func(_ *call, x commitNode) any { return stamp(x.commit.When) },
		"signer":            func(c *call, _ commitNode) any { return node{"User", c.accounts[webFlowID]} },
	}
}
