package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxPeel bounds a chain of tags that point to tags.
const maxPeel = 5

// refNode is GraphQL's type Ref, in part.
type refNode struct {
	Name   string       `json:"name"`
	Prefix string       `json:"prefix"`
	Target *tagNode     `json:"target"`
	Rule   *classicNode `json:"branchProtectionRule"`
	Rules  *rulesNode   `json:"rules"`
}

// tagNode is what a ref points to: GraphQL's type Tag, or another object of which only
// kind and OID count.
type tagNode struct {
	Kind   string    `json:"__typename"`
	OID    string    `json:"oid"`
	Tagger *gitActor `json:"tagger"`
	Target *tagNode  `json:"target"`
}

// peeled asks for a target through tags that point to tags, five deep as maxPeel has it.
const peeled = `target { __typename oid ... on Tag { tagger { name email user { id databaseId login } }
      target { __typename oid ... on Tag { target { __typename oid ... on Tag { target { __typename oid ... on Tag { target { __typename oid } } } } } } } } }`

// ref reads where the request's ref points now, by its full path (attack 22), tags peeled.
func (rd *reading) ref(ctx context.Context) gate.Fact[gate.RefFacts] {
	full := rd.request.Ref
	switch {
	case !strings.HasPrefix(full, "refs/"):
		return gate.Unknown[gate.RefFacts](fmt.Sprintf("%q is no full ref", full))
	case rd.snap == nil:
		return gate.Unknown[gate.RefFacts](why(rd.snapErr))
	case rd.snap.ref == nil:
		return gate.Absent[gate.RefFacts](full + " does not exist")
	}
	object := rd.snap.ref.Target
	if object == nil {
		return gate.Unknown[gate.RefFacts]("GitHub does not say what " + full + " points to")
	}
	out := gate.RefFacts{Ref: full, Tagger: gate.Absent[gate.Account]("a branch has no tagger")}
	tag := object
	if object.Kind == "Tag" {
		out.TagObject = object.OID
	}
	for range maxPeel {
		if object.Kind != "Tag" || object.Target == nil {
			break
		}
		object = object.Target
	}
	if object.Kind != "Commit" || !isSHA(object.OID) {
		return gate.Unknown[gate.RefFacts](fmt.Sprintf("%s points to a %s", full, strings.ToLower(object.Kind)))
	}
	out.Commit = object.OID
	if rd.request.IsTag() {
		out.Tagger = rd.tagger(ctx, out, tag)
	}
	return gate.Known(out)
}

// tagger is who pushed the tag where GitHub's activity log tells (it is documented for
// branches only), else the account behind the tag object's e-mail. That name the
// tagger chose; it can only add somebody who may not release alone. Absent is GitHub's
// silence; what could not be read is unknown.
func (rd *reading) tagger(ctx context.Context, ref gate.RefFacts, o *tagNode) gate.Fact[gate.Account] {
	log, err := rd.logOf(ctx, ref.Ref)
	if err != nil && gate.KindOf(classify("read who pushed "+ref.Ref, err)) == gate.Unavailable {
		return gate.Unknown[gate.Account](why(err))
	}
	for _, a := range log {
		if a.After != ref.Commit && a.After != ref.TagObject {
			continue
		}
		if who, ok := rd.forge.toAccount(a.Actor); ok {
			return gate.Known(who)
		}
	}
	if ref.TagObject == "" {
		return gate.Absent[gate.Account]("GitHub does not say who pushed a lightweight tag")
	}
	if o.Tagger == nil {
		return gate.Absent[gate.Account]("GitHub does not say who made the tag")
	}
	if who, ok := rd.forge.actorAccount(o.Tagger); ok {
		return gate.Known(who)
	}
	return gate.Absent[gate.Account](o.Tagger.Name + "'s e-mail belongs to no account")
}
