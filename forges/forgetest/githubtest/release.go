package githubtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

var _ forgetest.ReleaseWorld = (*Server)(nil)

// releasePage is a release: what GitHub shows of a tag, or a draft of it.
type releasePage struct {
	id, author int64
	tag        string
	draft      bool
	// immutable is set when it is published while the repository has immutable releases.
	immutable bool
	made      time.Time
	published time.Time
	assets    []*asset
}

// asset is one file of a release.
type asset struct {
	id, uploader int64
	name, kind   string
	content      []byte
	made         time.Time
	// digestless marks one that was uploaded before GitHub kept digests.
	digestless bool
}

// MakeRelease makes a draft, or publishes a release of the tag at once.
func (s *Server) MakeRelease(repo forgetest.Repository, by forgetest.Person, tag string, draft bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, who := s.repository(repo), s.who(by)
	x := &releasePage{id: s.next("release"), author: who.id, tag: tag, draft: true, made: s.now()}
	r.releases = append(r.releases, x)
	s.emitRelease(r, "created", who, x)
	if !draft {
		s.publish(r, who, x)
	}
}

// PublishRelease publishes the draft of a tag.
func (s *Server) PublishRelease(repo forgetest.Repository, by forgetest.Person, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	s.publish(r, s.who(by), s.releaseOf(r, tag))
}

func (s *Server) publish(r *repository, who *account, x *releasePage) {
	x.draft, x.published, x.immutable = false, s.now(), r.immutable
	s.emitRelease(r, "published", who, x)
	s.emitRelease(r, "released", who, x)
}

// PutAsset adds a file, in place of one of that name. It panics for an immutable release:
// GitHub lets nobody do that.
func (s *Server) PutAsset(repo forgetest.Repository, by forgetest.Person, tag, name string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	x, who := s.releaseOf(r, tag), s.who(by)
	if x.immutable {
		panic(fmt.Sprintf("change release %q: expected one that is not immutable", tag))
	}
	x.assets = slices.DeleteFunc(x.assets, func(a *asset) bool { return a.name == assetName(name) })
	s.addAsset(x, who.id, name, "application/octet-stream", content)
	s.emitRelease(r, "edited", who, x)
}

// ForgetDigests makes GitHub name no digest of the files that a release has.
func (s *Server) ForgetDigests(repo forgetest.Repository, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.releaseOf(s.repository(repo), tag).assets {
		a.digestless = true
	}
}

// Assets are the files of the release of a tag.
func (s *Server) Assets(repo forgetest.Repository, tag string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	i := slices.IndexFunc(r.releases, func(x *releasePage) bool { return x.tag == tag })
	if i < 0 {
		return nil
	}
	out := map[string][]byte{}
	for _, a := range r.releases[i].assets {
		out[a.name] = slices.Clone(a.content)
	}
	return out
}

// Attestations are the bundles that the repository was given, oldest first.
func (s *Server) Attestations(repo forgetest.Repository) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out [][]byte
	for _, a := range s.repository(repo).attestations {
		out = append(out, slices.Clone(a.bundle))
	}
	return out
}

func (s *Server) releaseOf(r *repository, tag string) *releasePage {
	for _, x := range r.releases {
		if x.tag == tag {
			return x
		}
	}
	panic(fmt.Sprintf("release %q: expected one that was made", tag))
}

// assetName is how GitHub names an uploaded file: it "renames asset filenames that have
// special characters, non-alphanumeric characters, and leading or trailing periods" (API
// description). To what is not described; a period is what has been seen.
func assetName(name string) string {
	return strings.Trim(regexp.MustCompile(`[^A-Za-z0-9._+@-]+`).ReplaceAllString(name, "."), ".")
}

func (s *Server) addAsset(x *releasePage, by int64, name, kind string, content []byte) *asset {
	a := &asset{id: s.next("asset"), uploader: by, name: assetName(name), kind: kind, content: slices.Clone(content), made: s.now()}
	x.assets = append(x.assets, a)
	return a
}

// releaseJSON is `components.schemas.release`.
func (s *Server) releaseJSON(r *repository, x *releasePage) obj {
	self := s.repoAPI(r, "/releases/%d", x.id)
	assets := []obj{}
	for _, a := range x.assets {
		assets = append(assets, s.assetJSON(r, x, a))
	}
	return obj{
		"id": x.id, "node_id": nodeID("RE", x.id), "url": self, "html_url": s.repoWeb(r, "/releases/tag/%s", x.tag), "assets_url": self + "/assets",
		"upload_url":  s.URL() + uploadPrefix + "/repos/" + s.fullName(r) + fmt.Sprintf("/releases/%d/assets{?name,label}", x.id),
		"tarball_url": nil, "zipball_url": nil, "tag_name": x.tag, "target_commitish": r.branch, "name": x.tag, "body": nil,
		"draft": x.draft, "prerelease": false, "immutable": x.immutable, "created_at": stamp(x.made), "published_at": stampOrNull(x.published),
		"author": s.userJSON(s.accounts[x.author]), "assets": assets,
	}
}

// assetJSON is `components.schemas.release-asset`.
func (s *Server) assetJSON(r *repository, x *releasePage, a *asset) obj {
	sum := sha256.Sum256(a.content)
	out := obj{
		"id": a.id, "node_id": nodeID("RA", a.id), "url": s.repoAPI(r, "/releases/assets/%d", a.id),
		"browser_download_url": s.repoWeb(r, "/releases/download/%s/%s", x.tag, a.name), "name": a.name, "label": nil, "state": "uploaded",
		"content_type": a.kind, "size": len(a.content), "digest": "sha256:" + hex.EncodeToString(sum[:]), "download_count": 0,
		"created_at": stamp(a.made), "updated_at": stamp(a.made), "uploader": s.userJSON(s.accounts[a.uploader]),
	}
	if a.digestless {
		out["digest"] = nil
	}
	return out
}

func (s *Server) emitRelease(r *repository, action string, by *account, x *releasePage) {
	s.emit(r, "release", action, by, obj{"release": s.releaseJSON(r, x)})
}
