package gitlabtest

import (
	"regexp"
	"slices"
)

// releaseRoutes ask for the roles of GitLab's page "Permissions and roles".
func (s *Server) releaseRoutes() map[string]route {
	return map[string]route{
		"GET /releases/{tag}":                                {levelReporter, showRelease},
		"POST /releases/{tag}/assets/links":                  {levelDeveloper, createReleaseLink},
		"GET /packages":                                      {levelReporter, listPackages},
		"GET /packages/{package}/package_files":              {levelReporter, listPackageFiles},
		"PUT /packages/generic/{name}/{version}/{file_name}": {levelDeveloper, uploadPackageFile},
	}
}

func (c *call) releasePage() (*releasePage, error) {
	for _, x := range c.p.releases {
		if x.tag == c.r.PathValue("tag") {
			return x, nil
		}
	}
	return nil, notFound("")
}

// showRelease is a release, in part (API docs: releases, get a release by a tag name).
func showRelease(c *call) (any, error) {
	x, err := c.releasePage()
	if err != nil {
		return nil, err
	}
	links := []obj{}
	for _, l := range x.links {
		links = append(links, linkRow(l))
	}
	return obj{
		"tag_name": x.tag, "name": x.tag, "description": nil, "created_at": stamp(x.made), "released_at": stamp(x.made),
		"upcoming_release": false, "author": c.basicUser(x.author), "assets": obj{"count": len(links), "sources": []obj{}, "links": links},
	}, nil
}

func linkRow(l *releaseLink) obj {
	return obj{"id": l.id, "name": l.name, "url": l.url, "direct_asset_url": l.url, "link_type": l.typ}
}

// createReleaseLink refuses a name or an address twice (source: app/models/releases/link.rb).
func createReleaseLink(c *call) (any, error) {
	x, err := c.releasePage()
	if err != nil {
		return nil, err
	}
	name, err := c.required("name")
	if err != nil {
		return nil, err
	}
	address, err := c.required("url")
	if err != nil {
		return nil, err
	}
	for _, l := range x.links {
		if l.name == name {
			return nil, badRequest(obj{"name": []string{"has already been taken"}})
		}
		if l.url == address {
			return nil, badRequest(obj{"url": []string{"has already been taken"}})
		}
	}
	l := &releaseLink{id: c.id("link"), name: name, url: address, typ: c.param("link_type")}
	x.links = append(x.links, l)
	c.sendRelease(c.p, x, "update")
	return created{linkRow(l)}, nil
}

// listPackages takes the name as a search, and the version exactly (API docs: packages).
func listPackages(c *call) (any, error) {
	var found []*genericPackage
	for _, k := range c.p.packages {
		kind, name, version := c.param("package_type"), c.param("package_name"), c.param("package_version")
		if (kind == "" || kind == "generic") && regexp.MustCompile(regexp.QuoteMeta(name)).MatchString(k.name) && (version == "" || version == k.version) {
			found = append(found, k)
		}
	}
	return list(found, func(k *genericPackage) obj {
		return obj{
			"id": k.id, "name": k.name, "version": k.version, "package_type": "generic", "status": "default", "created_at": stamp(k.made),
			"tags": []obj{}, "pipelines": []obj{},
		}
	}), nil
}

func listPackageFiles(c *call) (any, error) {
	id, err := c.number("package")
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.p.packages, func(k *genericPackage) bool { return k.id == id })
	if i < 0 {
		return nil, notFound("")
	}
	k := c.p.packages[i]
	return list(k.files, func(f *packageFile) obj { return fileRow(k, f) }), nil
}

// uploadPackageFile keeps a file, also where the package has one of that name (API docs:
// generic packages, publish a single file; source: lib/gitlab/regex.rb for the names).
func uploadPackageFile(c *call) (any, error) {
	name, version, file := c.r.PathValue("name"), c.r.PathValue("version"), c.r.PathValue("file_name")
	switch {
	case !regexp.MustCompile(`^[A-Za-z0-9._+-]+$`).MatchString(name):
		return nil, badParameter("package_name is invalid")
	case !regexp.MustCompile(`^(\.?[\w+-]+\.?)+$`).MatchString(version):
		return nil, badParameter("package_version is invalid")
	case !regexp.MustCompile(`^[A-Za-z0-9._+-][A-Za-z0-9._+~@-]*$`).MatchString(file):
		return nil, badParameter("file_name is invalid")
	}
	k, f := c.addPackageFile(c.p, name, version, file, c.sent)
	if c.param("select") != "package_file" {
		return created{obj{"message": "201 Created"}}, nil
	}
	return created{fileRow(k, f)}, nil
}
