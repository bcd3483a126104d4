package gitlabtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

var _ forgetest.ReleaseWorld = (*Server)(nil)

// releasePage is a release of a tag (API docs: releases). GitLab has no drafts.
type releasePage struct {
	tag    string
	author *account
	made   time.Time
	links  []*releaseLink
}

// releaseLink is an asset of a release: all of them are links.
type releaseLink struct {
	id             int64
	name, url, typ string
}

// genericPackage is one version of a generic package (API docs: generic packages).
type genericPackage struct {
	id            int64
	name, version string
	made          time.Time
	files         []*packageFile
}

// packageFile is a file of a package. Several may have one name: the newest is served.
type packageFile struct {
	id      int64
	name    string
	content []byte
	made    time.Time
}

// peoplesPackage is where PutAsset keeps what people upload.
const peoplesPackage = "files"

// MakeRelease makes the release of a tag at once: GitLab has no drafts.
func (s *Server) MakeRelease(repo forgetest.Repository, by forgetest.Person, tag string, _ bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(repo)
	x := &releasePage{tag: tag, author: s.account(by), made: s.tick()}
	p.releases = append(p.releases, x)
	s.sendRelease(p, x, "create")
}

// PublishRelease changes nothing: a release is published from the start.
func (s *Server) PublishRelease(repo forgetest.Repository, _ forgetest.Person, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(repo).release(tag)
}

// PutAsset uploads a file to a generic package, and links the release to it where it is not
// linked yet.
func (s *Server) PutAsset(repo forgetest.Repository, _ forgetest.Person, tag, name string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(repo)
	x := p.release(tag)
	s.addPackageFile(p, peoplesPackage, tag, name, content)
	if !slices.ContainsFunc(x.links, func(l *releaseLink) bool { return l.name == name }) {
		x.links = append(x.links, &releaseLink{id: s.id("link"), name: name, url: s.packageURL(p, peoplesPackage, tag, name), typ: "other"})
	}
	s.sendRelease(p, x, "update")
}

// LinkAsset links the release of a tag to any address.
func (s *Server) LinkAsset(repo forgetest.Repository, tag, name, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.project(repo).release(tag)
	x.links = append(x.links, &releaseLink{id: s.id("link"), name: name, url: address, typ: "other"})
}

// Assets are the files that the release of a tag links to, as far as they are packages'.
func (s *Server) Assets(repo forgetest.Repository, tag string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(repo)
	i := slices.IndexFunc(p.releases, func(x *releasePage) bool { return x.tag == tag })
	if i < 0 {
		return nil
	}
	out := map[string][]byte{}
	for _, l := range p.releases[i].links {
		for _, k := range p.packages {
			for _, f := range k.files {
				if l.url == s.packageURL(p, k.name, k.version, f.name) {
					out[l.name] = slices.Clone(f.content)
				}
			}
		}
	}
	return out
}

func (p *project) release(tag string) *releasePage {
	for _, x := range p.releases {
		if x.tag == tag {
			return x
		}
	}
	panic(fmt.Sprintf("release %q: expected one that was made", tag))
}

func (s *Server) addPackageFile(p *project, name, version, file string, content []byte) (*genericPackage, *packageFile) {
	i := slices.IndexFunc(p.packages, func(k *genericPackage) bool { return k.name == name && k.version == version })
	if i < 0 {
		i = len(p.packages)
		p.packages = append(p.packages, &genericPackage{id: s.id("package"), name: name, version: version, made: s.tick()})
	}
	f := &packageFile{id: s.id("package file"), name: file, content: slices.Clone(content), made: s.tick()}
	p.packages[i].files = append(p.packages[i].files, f)
	return p.packages[i], f
}

func (s *Server) packageURL(p *project, name, version, file string) string {
	return s.base + fmt.Sprintf("/api/v4/projects/%d/packages/generic/%s/%s/%s", p.id, url.PathEscape(name), url.PathEscape(version), url.PathEscape(file))
}

// fileRow is one file of a package (API docs: packages, list package files).
func fileRow(k *genericPackage, f *packageFile) obj {
	sum := sha256.Sum256(f.content)
	return obj{
		"id": f.id, "package_id": k.id, "created_at": stamp(f.made), "file_name": f.name, "size": len(f.content),
		"file_md5": nil, "file_sha1": nil, "file_sha256": hex.EncodeToString(sum[:]),
	}
}

// sendRelease sends a Release Hook (docs: webhook events, release events), in part.
func (s *Server) sendRelease(p *project, x *releasePage, action string) {
	s.send(p, "Release Hook", "releases_events", obj{
		"id": 1, "object_kind": "release", "created_at": stamp(x.made), "released_at": stamp(x.made), "name": x.tag, "tag": x.tag,
		"description": nil, "action": action, "url": s.webURL(p) + "/-/releases/" + x.tag,
		"project": obj{"id": p.id, "name": p.path, "path_with_namespace": p.fullPath(), "default_branch": p.defaultBranch},
	})
}
