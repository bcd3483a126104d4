package gitlab

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	lib "github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// packageName is the generic package that holds the evidence of a project's releases, one
// version per tag.
const packageName = "countersign"

// postAssets uploads the files to the evidence's package and links the release of the tag to
// them. What is there with the same content is left; with another, nothing is added. GitLab
// itself would keep a second file of the same name, and serve that.
func (s *session) postAssets(ctx context.Context, p gate.Post) (string, error) {
	tag, ok := strings.CutPrefix(p.Ref, "refs/tags/")
	if !ok || tag == "" {
		return "", forges.NoPlace("GitLab has releases of tags alone, and this one was asked for on "+p.Ref,
			"ask for the release from its tag, or publish the collected files in the job")
	}
	version := packageVersion(tag)
	missing, err := s.missing(ctx, version, p.Files)
	if err != nil {
		return "", err
	}
	for _, f := range missing {
		if err := s.upload(ctx, version, f); err != nil {
			return "", err
		}
	}
	page, err := s.readReleasePage(ctx, tag)
	if isNotFound(err) {
		return "", forges.NotYet("GitLab has no release of tag "+tag+" yet", "make one: its links to the evidence follow")
	}
	if err != nil {
		return "", err
	}
	for _, f := range p.Files {
		if err := s.link(ctx, page, version, f.Name); err != nil {
			return "", err
		}
	}
	return version, nil
}

// packageVersion is a tag as GitLab takes it for a package's version (source:
// lib/gitlab/regex.rb, generic_package_version_regex).
func packageVersion(tag string) string {
	return strings.Trim(regexp.MustCompile(`[^A-Za-z0-9_+-]+`).ReplaceAllStringFunc(tag, func(s string) string {
		if s == "." {
			return s
		}
		return "-"
	}), ".")
}

func (s *session) missing(ctx context.Context, version string, files []gate.PostFile) ([]gate.PostFile, error) {
	have, err := s.packageFiles(ctx, packageName, version)
	if err != nil {
		return nil, fmt.Errorf("list the package %s %s: %w", packageName, version, err)
	}
	var out []gate.PostFile
	for _, f := range files {
		is, there := have[f.Name]
		if !there {
			out = append(out, f)
			continue
		}
		if err := forges.SameFile(gate.Asset{Name: f.Name, SHA256: is}, f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// packageFile is one file of a package (API docs: packages, list package files).
type packageFile struct {
	ID     int64   `json:"id"`
	Name   string  `json:"file_name"`
	SHA256 *string `json:"file_sha256"`
}

func (f packageFile) digest() gate.Fact[gate.Digest] {
	var d gate.Digest
	if f.SHA256 == nil || d.UnmarshalText([]byte(*f.SHA256)) != nil {
		return gate.Unknown[gate.Digest]("GitLab has no SHA-256 of it")
	}
	return gate.Known(d)
}

// packageFiles are the files of a generic package by name: of several the newest, which
// GitLab serves. A package that is not there has none.
func (s *session) packageFiles(ctx context.Context, name, version string) (map[string]gate.Fact[gate.Digest], error) {
	rows, err := fetchAll[struct {
		ID      int64  `json:"id"`
		Name    string `json:"name"`
		Version string `json:"version"`
		Kind    string `json:"package_type"`
	}](ctx, s, s.path("/packages"), url.Values{"package_type": {"generic"}, "package_name": {name}, "package_version": {version}})
	if err != nil {
		return nil, err
	}
	out, newest := map[string]gate.Fact[gate.Digest]{}, map[string]int64{}
	for _, k := range rows {
		if k.Name != name || k.Version != version || k.Kind != "generic" { // the name is a search
			continue
		}
		files, err := fetchAll[packageFile](ctx, s, s.path("/packages/%d/package_files", k.ID), nil)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if f.ID > newest[f.Name] {
				newest[f.Name], out[f.Name] = f.ID, f.digest()
			}
		}
	}
	return out, nil
}

func (s *session) upload(ctx context.Context, version string, f gate.PostFile) error {
	if err := s.enter(ctx); err != nil {
		return fmt.Errorf("upload %s: %w", f.Name, err)
	}
	defer s.leave()
	at := s.path("/packages/generic/%s/%s/%s", packageName, version, f.Name)
	// The library puts parameters into the query of a GET alone, as its own upload does.
	req, err := s.api.NewRequest(http.MethodGet, at, query{Values: params{"select": {"package_file"}}}, []lib.RequestOptionFunc{lib.WithContext(ctx)})
	if err != nil {
		return fmt.Errorf("upload %s: %w", f.Name, err)
	}
	req.Method = http.MethodPut
	if err := req.SetBody(bytes.NewReader(f.Content)); err != nil {
		return fmt.Errorf("upload %s: %w", f.Name, err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	var made packageFile
	_, err = s.api.Do(req, &made)
	if statusOf(err) == http.StatusBadRequest {
		return forges.NoPlace("GitLab takes no file of the name "+f.Name+" into a package", "give the file a name of letters, digits, points, hyphens and underscores")
	}
	if err != nil {
		s.mute.heard(err)
		return fmt.Errorf("upload %s: %w", f.Name, err)
	}
	if d, known := made.digest().Get(); made.ID <= 0 || (known && d != gate.SHA256(f.Content)) {
		return fmt.Errorf("upload %s: GitLab kept something else: %w", f.Name, errUnexpected)
	}
	return nil
}

// releaseRow is a release, in part (API docs: releases).
type releaseRow struct {
	Tag    string `json:"tag_name"`
	Assets *struct {
		Links []linkRow `json:"links"`
	} `json:"assets"`
}

type linkRow struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

func (s *session) readReleasePage(ctx context.Context, tag string) (releaseRow, error) {
	x, err := fetch[releaseRow](ctx, s, s.path("/releases/%s", tag), nil)
	if err == nil && (x.Tag != tag || x.Assets == nil) {
		err = fmt.Errorf("answer is of %q: %w", x.Tag, errUnexpected)
	}
	if err != nil {
		return x, fmt.Errorf("read release %q: %w", tag, err)
	}
	return x, nil
}

// link adds a link to a file of the evidence's package, once.
func (s *session) link(ctx context.Context, page releaseRow, version, name string) error {
	address := fmt.Sprintf("%s/api/v4/projects/%d/packages/generic/%s/%s/%s", s.base, s.repo.ID, packageName, url.PathEscape(version), url.PathEscape(name))
	i := slices.IndexFunc(page.Assets.Links, func(l linkRow) bool { return l.Name == name || l.URL == address })
	switch {
	case i < 0:
	case page.Assets.Links[i].URL == address:
		return nil
	default:
		return forges.NoPlace("the release links "+name+" to another place already", "find out who did; delete the link at GitLab, then have the evidence told again")
	}
	var made linkRow
	_, err := s.do(ctx, http.MethodPost, s.path("/releases/%s/assets/links", page.Tag), url.Values{
		"name": {name}, "url": {address}, "link_type": {"other"},
	}, &made)
	if err == nil && made.ID <= 0 {
		err = errUnexpected
	}
	if err != nil {
		return fmt.Errorf("link the release to %s: %w", name, err)
	}
	return nil
}

// Assets lists what the release of a tag links to; absent where GitLab has none. The content
// is known of what lies in the project's own generic packages, and of nothing else.
func (f *Forge) Assets(ctx context.Context, r gate.RepositoryID, ref string) gate.Fact[[]gate.Asset] {
	tag, ok := strings.CutPrefix(ref, "refs/tags/")
	if !ok || tag == "" || strings.Contains(tag, "..") {
		return gate.Absent[[]gate.Asset]("GitLab has releases of tags alone")
	}
	s := f.session(r)
	page, err := s.readReleasePage(ctx, tag)
	if isNotFound(err) {
		if _, err := s.readProject(ctx); err != nil { // 404 may be the project's
			return unknown[[]gate.Asset](err)
		}
		return gate.Absent[[]gate.Asset]("GitLab has no release of tag " + tag)
	}
	if err != nil {
		return unknown[[]gate.Asset](err)
	}
	packages := map[[2]string]map[string]gate.Fact[gate.Digest]{}
	out := make([]gate.Asset, 0, len(page.Assets.Links))
	for _, l := range page.Assets.Links {
		a := gate.Asset{Name: l.Name, SHA256: gate.Unknown[gate.Digest]("it is a link to elsewhere")}
		if name, version, file, own := s.inPackage(l.URL); own {
			of := [2]string{name, version}
			if packages[of] == nil {
				if packages[of], err = s.packageFiles(ctx, name, version); err != nil {
					return unknown[[]gate.Asset](err)
				}
			}
			if d, there := packages[of][file]; there {
				a.SHA256 = d
			}
		}
		out = append(out, a)
	}
	return gate.Known(out)
}

// inPackage reads the address of a file in a generic package of this very project (API docs:
// generic packages, download a single file).
func (s *session) inPackage(address string) (name, version, file string, ok bool) {
	rest, is := strings.CutPrefix(address, s.base.String()+"/api/v4/projects/"+strconv.FormatInt(s.repo.ID, 10)+"/packages/generic/")
	parts := strings.Split(rest, "/")
	if !is || len(parts) != 3 || strings.ContainsAny(rest, "?#") {
		return "", "", "", false
	}
	for i, p := range parts {
		text, err := url.PathUnescape(p)
		if err != nil || text == "" {
			return "", "", "", false
		}
		parts[i] = text
	}
	return parts[0], parts[1], parts[2], true
}
