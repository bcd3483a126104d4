package github

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

var errNoToken = errors.New("GitHub answered without an installation token")

// maxAssets is GitHub's limit for the files of one release.
const maxAssets = 1000

// releaseJSON is REST API's schema release, in part.
type releaseJSON struct {
	ID        int64  `json:"id"`
	Tag       string `json:"tag_name"`
	Draft     *bool  `json:"draft"`
	Immutable bool   `json:"immutable"`
}

// assetJSON is REST API's schema release-asset, in part.
type assetJSON struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	State  string  `json:"state"`
	Digest *string `json:"digest"` // "sha256:…"; null for files from before GitHub kept it
}

// asset reads what GitHub says of a file.
func (a assetJSON) asset() gate.Asset {
	out := gate.Asset{Name: a.Name}
	hex, is := strings.CutPrefix(deref(a.Digest), "sha256:")
	var d gate.Digest
	switch {
	case a.State != "uploaded":
		out.SHA256 = gate.Unknown[gate.Digest]("its upload is not complete")
	case a.Digest == nil:
		out.SHA256 = gate.Unknown[gate.Digest]("GitHub has no digest of it")
	case !is || d.UnmarshalText([]byte(hex)) != nil:
		out.SHA256 = gate.Unknown[gate.Digest]("GitHub's digest of it is no SHA-256")
	default:
		out.SHA256 = gate.Known(d)
	}
	return out
}

// tagOf is the tag that releases of a ref are of.
func tagOf(ref string) (string, error) {
	tag, ok := strings.CutPrefix(ref, "refs/tags/")
	if !ok || tag == "" {
		return "", forges.NoPlace("GitHub has releases of tags alone, and this one was asked for on "+ref,
			"ask for the release from its tag, or add the collected files to GitHub's release in the workflow")
	}
	return tag, nil
}

// published is the release of a tag that everybody sees; ok is false where there is none.
func (r *repository) published(ctx context.Context, tag string) (releaseJSON, bool, error) {
	var x releaseJSON
	err := r.get(ctx, &x, nil, r.at("releases", "tags", tag)...)
	if gone, doubt := r.gone(err); gone || doubt != nil {
		return releaseJSON{}, false, doubt
	}
	if err == nil && (x.ID <= 0 || x.Tag != tag || x.Draft == nil) {
		err = unexpected("read release "+tag, "GitHub answered for another")
	}
	return x, err == nil, err
}

// pageOf is the release of a tag to add files to: the published one, or else its only draft,
// which is shown to who may write alone.
func (r *repository) pageOf(ctx context.Context, tag string) (releaseJSON, error) {
	x, ok, err := r.published(ctx, tag)
	if err != nil || ok {
		return x, err
	}
	var drafts []releaseJSON
	all, err := list[releaseJSON](ctx, r.caller, nil, r.at("releases")...)
	if err != nil {
		return x, err
	}
	for _, x := range all {
		if x.Tag == tag && x.ID > 0 && x.Draft != nil {
			drafts = append(drafts, x)
		}
	}
	switch len(drafts) {
	case 0:
		return x, forges.NotYet("GitHub has no release of tag "+tag+" yet", "make one, as a draft: gh release create --draft "+tag)
	case 1:
		return drafts[0], nil
	}
	return x, forges.NoPlace(fmt.Sprintf("GitHub has %d drafts of tag %s", len(drafts), tag), "delete all but one of them")
}

// assetsOf lists the files of a release.
func (r *repository) assetsOf(ctx context.Context, release int64) ([]gate.Asset, error) {
	all, err := list[assetJSON](ctx, r.caller, nil, r.at("releases", strconv.FormatInt(release, 10), "assets")...)
	if err != nil {
		return nil, err
	}
	if len(all) > maxAssets {
		return nil, unexpected("list the files of a release", fmt.Sprintf("%d of them", len(all)))
	}
	out := make([]gate.Asset, len(all))
	for i, a := range all {
		if a.ID <= 0 || a.Name == "" {
			return nil, unexpected("list the files of a release", "one without a name")
		}
		out[i] = a.asset()
	}
	return out, nil
}

// Assets lists the files of the published release of a tag; absent where GitHub has none.
func (f *Forge) Assets(ctx context.Context, id gate.RepositoryID, ref string) gate.Fact[[]gate.Asset] {
	tag, err := tagOf(ref)
	if err != nil {
		return gate.Absent[[]gate.Asset]("GitHub has releases of tags alone")
	}
	var out gate.Fact[[]gate.Asset]
	err = f.with(ctx, id, "", func(r *repository) error {
		x, ok, err := r.published(ctx, tag)
		if err != nil {
			return err
		}
		if !ok {
			out = gate.Absent[[]gate.Asset]("GitHub has no published release of tag " + tag)
			return nil
		}
		all, err := r.assetsOf(ctx, x.ID)
		if err == nil {
			out = gate.Known(all)
		}
		return err
	})
	if err != nil {
		return gate.Unknown[[]gate.Asset](why(err))
	}
	return out
}
