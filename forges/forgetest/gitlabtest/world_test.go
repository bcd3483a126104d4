package gitlabtest_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/forgetest/worldtest"
)

func TestWorld(t *testing.T) {
	for name, opts := range map[string]gitlabtest.Options{"free": {}, "premium, below its host": {Premium: true, SubPath: "/code/gitlab"}} {
		t.Run(name, func(t *testing.T) {
			worldtest.Run(t, func(t *testing.T) forgetest.World {
				t.Helper()
				opts.Key = key()
				s := gitlabtest.New(opts)
				t.Cleanup(s.Close)
				return s
			})
		})
	}
}
