package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxPeel bounds a chain of tags that point to tags.
const maxPeel = 5

// objectJSON is REST API's git-ref.object and git-tag.object.
type objectJSON struct {
	SHA  string `json:"sha"`
	Type string `json:"type"`
}

// ref reads where the request's ref points now, by its full path (attack 22), tags peeled.
func (rd *reading) ref(ctx context.Context) gate.Fact[gate.RefFacts] {
	full := rd.request.Ref
	short, ok := strings.CutPrefix(full, "refs/")
	if !ok {
		return gate.Unknown[gate.RefFacts](fmt.Sprintf("%q is no full ref", full))
	}
	var raw struct {
		Ref    string     `json:"ref"`
		Object objectJSON `json:"object"`
	}
	err := rd.get(ctx, &raw, nil, rd.at(append([]string{"git", "ref"}, strings.Split(short, "/")...)...)...)
	switch {
	case isNotFound(err):
		return gate.Absent[gate.RefFacts](full + " does not exist")
	case err != nil:
		return gate.Unknown[gate.RefFacts](why(err))
	case raw.Ref != full:
		return gate.Unknown[gate.RefFacts]("GitHub answered for " + raw.Ref)
	}
	out := gate.RefFacts{Ref: full, Tagger: gate.Absent[gate.Account]("a branch has no tagger")}
	object := raw.Object
	if object.Type == "tag" {
		out.TagObject = object.SHA
	}
	for range maxPeel {
		if object.Type != "tag" {
			break
		}
		if object, err = rd.peel(ctx, object.SHA); err != nil {
			return gate.Unknown[gate.RefFacts](why(err))
		}
	}
	if object.Type != "commit" || !isSHA(object.SHA) {
		return gate.Unknown[gate.RefFacts](fmt.Sprintf("%s points to a %s", full, object.Type))
	}
	out.Commit = object.SHA
	if rd.request.IsTag() {
		out.Tagger = rd.tagger(ctx, out)
	}
	return gate.Known(out)
}

func (rd *reading) peel(ctx context.Context, sha string) (objectJSON, error) {
	var tag struct {
		SHA    string     `json:"sha"`
		Object objectJSON `json:"object"`
	}
	if err := rd.get(ctx, &tag, nil, rd.at("git", "tags", sha)...); err != nil {
		return objectJSON{}, err
	}
	if tag.SHA != sha {
		return objectJSON{}, fmt.Errorf("tag object %s: GitHub answered for %s", sha, tag.SHA)
	}
	return tag.Object, nil
}

// tagger is who pushed the tag where GitHub's activity log tells (it is documented for
// branches only), else the account behind the tag object's e-mail. That name the
// tagger chose; it can only add somebody who may not release alone.
func (rd *reading) tagger(ctx context.Context, ref gate.RefFacts) gate.Fact[gate.Account] {
	log, err := rd.activity(ctx, ref.Ref)
	if err == nil {
		for _, a := range log {
			if a.After != ref.Commit && a.After != ref.TagObject {
				continue
			}
			if who, ok := rd.forge.toAccount(a.Actor); ok {
				return gate.Known(who)
			}
		}
	}
	if ref.TagObject == "" {
		return gate.Unknown[gate.Account]("GitHub does not say who pushed a lightweight tag")
	}
	var answer struct {
		Repository struct {
			Object *struct {
				OID    string    `json:"oid"`
				Tagger *gitActor `json:"tagger"`
			} `json:"object"`
		} `json:"repository"`
	}
	const text = `query Tagger($owner: String!, $name: String!, $oid: GitObjectID!) {
  repository(owner: $owner, name: $name) { object(oid: $oid) { oid ... on Tag { tagger { name email user { databaseId login } } } } }
}`
	vars := map[string]any{"owner": rd.owner, "name": rd.name, "oid": ref.TagObject}
	if err := rd.query(ctx, text, vars, &answer); err != nil {
		return gate.Unknown[gate.Account](why(err))
	}
	o := answer.Repository.Object
	if o == nil || o.OID != ref.TagObject || o.Tagger == nil {
		return gate.Unknown[gate.Account]("GitHub does not say who made the tag")
	}
	if who, ok := rd.forge.actorAccount(o.Tagger); ok {
		return gate.Known(who)
	}
	return gate.Unknown[gate.Account](o.Tagger.Name + "'s e-mail belongs to no account")
}
