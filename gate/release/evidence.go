package release

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/sums"
)

// files are all that is handed out of a signed release.
func (g *Gate) files(ctx context.Context, rec gate.Record) ([]attest.File, error) {
	r := rec.Request
	seal, err := g.Store.Seal(ctx, r.ID)
	if gate.CodeOf(err) == gate.CodeNotSigned && rec.State != gate.StateSigning {
		return nil, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeEnded, Text: "the release was signed by a version that made no evidence",
			Expected: "a release with its proof in the ledger", Got: "signatures alone",
			Fix: "use the files that were collected then, or release anew",
		}
	}
	if err != nil {
		return nil, err
	}
	signed, err := g.Store.Signatures(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	var indexes []int64
	for _, s := range signed {
		for _, e := range s.Entries {
			indexes = append(indexes, e.Index)
		}
	}
	proofs, err := g.Ledger.Prove(ctx, seal.Checkpoint.Size, indexes)
	if err != nil {
		return nil, err
	}
	root, err := g.Authority.TrustedRoot(ctx)
	if err != nil {
		return nil, err
	}
	formats, err := sums.Files(r.Manifest, signed, g.signerName(r.Key))
	if err != nil {
		return nil, fmt.Errorf("files of request %s: %w", r.ID, err)
	}
	var extra []attest.File
	for _, f := range formats {
		extra = append(extra, attest.File(f))
	}
	return attest.Files(attest.Release{
		Manifest: r.Manifest, Name: attest.ReleaseName(r.Ref), Signed: signed, Seal: seal, Proofs: proofs,
		TrustedRoot: root, Sums: extra,
	})
}

// publications are the posts that put the evidence where the policy asks for it. They carry
// no files: those are read when they are posted.
func (g *Gate) publications(rec gate.Record, s gate.Stream) []gate.Post {
	targets := map[gate.Publication]gate.PostTarget{
		gate.PublishAssets: gate.PostAssets, gate.PublishAttestations: gate.PostAttestations,
	}
	var out []gate.Post
	for _, p := range s.Publish {
		out = append(out, gate.Post{
			ID: g.NewID(), Request: rec.Request.ID, Repository: rec.Request.Repository, Target: targets[p],
			Key: rec.Request.ID, Commit: rec.Request.Commit, Ref: rec.Request.Ref, URL: g.URL(rec.Request.ID), Made: g.Now(),
		})
	}
	return out
}

// filled is a post with the files that it carries.
func (g *Gate) filled(ctx context.Context, p gate.Post) (gate.Post, error) {
	if !slices.Contains([]gate.PostTarget{gate.PostAssets, gate.PostAttestations}, p.Target) {
		return p, nil
	}
	rec, err := g.Store.Request(ctx, p.Request)
	if err != nil {
		return p, err
	}
	files, err := g.files(ctx, rec)
	if err != nil {
		return p, err
	}
	for _, f := range files {
		p.Files = append(p.Files, gate.PostFile{Name: f.Name, Content: f.Content})
	}
	return p, nil
}

// ownerURL is the page of a repository's owner: its own page without its last part.
func ownerURL(repository string) string {
	u, err := url.Parse(repository)
	if err != nil {
		return repository
	}
	u.Path = path.Dir(u.Path)
	return u.String()
}
