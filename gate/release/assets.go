package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/voice"
)

// AssetReader lists the files of the forge's release of a tag (a full ref), as everybody sees
// them; absent where the forge has none.
type AssetReader interface {
	Assets(ctx context.Context, r gate.RepositoryID, ref string) gate.Fact[[]gate.Asset]
}

// AssetBook keeps which releases' files are compared, and what came of it.
type AssetBook interface {
	// ClaimAssets leases one signed release whose files at the forge are due to be compared.
	ClaimAssets(ctx context.Context, lease time.Duration) (gate.AssetWatch, bool, error)
	// RecordAssets ends the lease, keeps w.Said, and enters each mismatch in the ledger that
	// was not found before, with the posts, in one transaction.
	RecordAssets(ctx context.Context, w gate.AssetWatch, found []gate.AssetMismatch, next time.Time, posts []gate.Post) error
}

const (
	assetsEvery  = 6 * time.Hour // without any delivery
	assetsUnread = 10 * time.Minute
	assetsLease  = 2 * time.Minute
)

// AssetsNext compares the files of one signed release at the forge with what was signed
// (attack 67). Who replaced one cannot take back that it was seen: it is in the ledger. It
// reports whether there was a release to look at.
func (g *Gate) AssetsNext(ctx context.Context) (bool, error) {
	w, ok, err := g.Store.ClaimAssets(ctx, assetsLease)
	if err != nil || !ok {
		return false, err
	}
	r := w.Record.Request
	port, err := g.port(r.Repository.Forge)
	if err != nil || port.Assets == nil { // it is not configured any more, or has no releases
		return true, g.Store.RecordAssets(ctx, w, nil, g.Now().Add(assetsEvery), nil)
	}
	looking, stop := context.WithTimeout(ctx, assetsLease/2)
	defer stop()
	fact := port.Assets.Assets(looking, r.Repository, r.Ref)
	if fact.IsUnknown() {
		g.Log.WarnContext(ctx, "files of the release not compared", "request", r.ID, "why", fact.Why())
		return true, g.Store.RecordAssets(ctx, w, nil, g.Now().Add(assetsUnread), nil)
	}
	all, _ := fact.Get()
	found := mismatches(r, all)
	var unsigned []string
	if g.publishesAssets(ctx, r) {
		unsigned = strangers(r, all)
	}
	said, posts := saidOf(found, unsigned), []gate.Post(nil)
	if said != w.Said {
		w.Said, posts = said, g.tellAssets(w.Record, found, unsigned)
	}
	for _, m := range found {
		g.Log.WarnContext(ctx, "a file at the forge is not the one that was signed", "request", r.ID, "asset", m.Asset,
			"signed", m.Signed.String(), "found", m.Found.String())
	}
	return true, g.Store.RecordAssets(ctx, w, found, g.Now().Add(assetsEvery), posts)
}

// mismatches are the files that pass for signed ones and are not. One whose content the
// forge does not tell is none: nothing is known of it.
func mismatches(r gate.Request, all []gate.Asset) []gate.AssetMismatch {
	var out []gate.AssetMismatch
	for _, a := range all {
		signed := namesakes(r.Manifest, a)
		found, known := a.SHA256.Get()
		if !known || len(signed) == 0 || slices.ContainsFunc(signed, func(s gate.Subject) bool { return s.SHA256 == found }) {
			continue
		}
		out = append(out, gate.AssetMismatch{Asset: a.Name, Signed: signed[0].SHA256, Found: found})
	}
	slices.SortFunc(out, func(a, b gate.AssetMismatch) int { return strings.Compare(a.Asset, b.Asset) })
	return out
}

// namesakes are the signed files that an asset may be: the one of exactly its name, or all
// whose names forges may have changed to it.
func namesakes(m gate.Manifest, a gate.Asset) []gate.Subject {
	var out []gate.Subject
	for _, s := range m.Subjects {
		if s.Name == a.Name {
			return []gate.Subject{s}
		}
		if a.Named(s.Name) {
			out = append(out, s)
		}
	}
	return out
}

// strangers are the files that are neither signed nor evidence.
func strangers(r gate.Request, all []gate.Asset) []string {
	var out []string
	for _, a := range all {
		if len(namesakes(r.Manifest, a)) == 0 && !attest.IsReleaseFile(a.Name) && !besides(r.Manifest, a) {
			out = append(out, a.Name)
		}
	}
	slices.Sort(out)
	return out
}

// besides reports whether an asset is evidence about one signed file.
func besides(m gate.Manifest, a gate.Asset) bool {
	return slices.ContainsFunc(m.Subjects, func(s gate.Subject) bool {
		return slices.ContainsFunc([]string{attest.BundleSuffix, attest.CertBundleSuffix, attest.RawSuffix}, func(suffix string) bool {
			return a.Named(s.Name + suffix)
		})
	})
}

// publishesAssets reports whether the release's files are the gate's business. Where the
// policy cannot be read they are not: what is replaced is told all the same.
func (g *Gate) publishesAssets(ctx context.Context, r gate.Request) bool {
	s, err := g.streamInForce(ctx, r)
	return err == nil && slices.Contains(s.Publish, gate.PublishAssets)
}

// saidOf stands for what is told; "" for nothing.
func saidOf(found []gate.AssetMismatch, unsigned []string) string {
	if len(found)+len(unsigned) == 0 {
		return ""
	}
	return gate.SHA256(fmt.Appendf(nil, "%q %q", found, unsigned)).String()
}

// tellAssets shows what the files are now: in the check or status, and, for each that was
// replaced, once in a comment.
func (g *Gate) tellAssets(rec gate.Record, found []gate.AssetMismatch, unsigned []string) []gate.Post {
	v := g.viewOf(rec, earlier(rec), rec.State, gate.Case{})
	base := gate.Post{
		Request: rec.Request.ID, Repository: rec.Request.Repository, Commit: rec.Request.Commit,
		Context: "countersign/" + rec.Request.Stream, URL: v.ReleaseURL, Thread: rec.Thread, Made: g.Now(),
	}
	p := g.status(base, v)
	if v.Kind == gate.GitHub {
		p = g.check(base, v)
	}
	p.State, p.Title, p.Body = voice.Assets(p.State, p.Title, p.Body, found, unsigned)
	posts := []gate.Post{p}
	for _, m := range found {
		reply := base
		reply.ID, reply.Target = g.NewID(), gate.PostReply
		reply.Key = fmt.Sprintf("asset/%s/%s/%s", rec.Request.ID, gate.SHA256([]byte(m.Asset)), m.Found)
		reply.Body = voice.Replaced(v, m)
		posts = append(posts, reply)
	}
	return posts
}
