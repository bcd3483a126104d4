package github

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// postAssets adds the files to the release of the tag. What is there under the same name with
// the same content is left; with another, nothing at all is added: somebody put it there, and
// nothing of a release is ever replaced or deleted by the gate.
func (r *repository) postAssets(ctx context.Context, p gate.Post) (string, error) {
	tag, err := tagOf(p.Ref)
	if err != nil {
		return "", err
	}
	w, err := r.publisher(ctx, permContents)
	if err != nil {
		return "", err
	}
	page, err := w.pageOf(ctx, tag)
	if err != nil {
		return "", err
	}
	missing, err := w.missing(ctx, page, p.Files)
	if err != nil {
		return "", err
	}
	if len(missing) > 0 && page.Immutable && !*page.Draft {
		return "", immutable(tag, missing)
	}
	for _, f := range missing {
		if err := w.upload(ctx, page, f); err != nil {
			return "", err
		}
	}
	return strconv.FormatInt(page.ID, 10), nil
}

func immutable(tag string, missing []gate.PostFile) error {
	return forges.NoPlace(
		fmt.Sprintf("release %s is published and immutable, and takes no files any more: %s", tag, names(missing)),
		"publish the release as a draft first, and for good once the evidence is on it; immutable releases take no assets later")
}

func names(files []gate.PostFile) string {
	const shown = 3
	var out []string
	for _, f := range files[:min(shown, len(files))] {
		out = append(out, f.Name)
	}
	if more := len(files) - shown; more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return strings.Join(out, ", ")
}

// missing are the files that the release does not have. Errors: forges.NoPlace where it has
// another under the name of one.
func (r *repository) missing(ctx context.Context, page releaseJSON, files []gate.PostFile) ([]gate.PostFile, error) {
	have, err := r.assetsOf(ctx, page.ID)
	if err != nil {
		return nil, err
	}
	var out []gate.PostFile
	for _, f := range files {
		i := slices.IndexFunc(have, func(a gate.Asset) bool { return a.Named(f.Name) })
		if i < 0 {
			out = append(out, f)
			continue
		}
		if err := forges.SameFile(have[i], f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// upload adds one file. That GitHub refuses it may mean that somebody else has just added
// it, or published the release.
func (r *repository) upload(ctx context.Context, page releaseJSON, f gate.PostFile) error {
	segments := r.at("releases", strconv.FormatInt(page.ID, 10), "assets")
	p, err := path(segments...)
	if err != nil {
		return err
	}
	q := url.Values{"name": {f.Name}}
	req, err := r.client.NewUploadRequest(p+"?"+q.Encode(), bytes.NewReader(f.Content), int64(len(f.Content)), "application/octet-stream")
	if err != nil {
		return fmt.Errorf("make request to upload %s: %w", f.Name, err)
	}
	what := "POST " + p
	raw, resp, err := r.do(ctx, req, what)
	if statusOf(err) == http.StatusUnprocessableEntity {
		return r.refusedUpload(ctx, page, f, err)
	}
	if err != nil {
		return err
	}
	var made assetJSON
	if err := json.Unmarshal(raw, &made); err != nil {
		return &callError{status: resp.StatusCode, what: what, err: err}
	}
	if d, known := made.asset().SHA256.Get(); made.ID <= 0 || (known && d != gate.SHA256(f.Content)) {
		return unexpected("upload "+f.Name, "GitHub kept something else")
	}
	return nil
}

func (r *repository) refusedUpload(ctx context.Context, page releaseJSON, f gate.PostFile, refusal error) error {
	missing, err := r.missing(ctx, page, []gate.PostFile{f})
	if err != nil || len(missing) == 0 {
		return err
	}
	if x, ok, err := r.published(ctx, page.Tag); err == nil && ok && x.Immutable {
		return immutable(page.Tag, missing)
	}
	return refusal
}
