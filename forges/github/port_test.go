package github_test

import (
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/web"
)

var (
	_ release.Forge       = (*github.Forge)(nil)
	_ release.Interpreter = (*github.Forge)(nil)
	_ release.Watcher     = (*github.Forge)(nil)
	_ release.Courier     = (*github.Forge)(nil)
	_ web.SignIn          = (*github.Forge)(nil)
	_ web.Rights          = (*github.Forge)(nil)
)
