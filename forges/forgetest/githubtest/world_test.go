package githubtest_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/worldtest"
)

func TestWorld(t *testing.T) {
	worldtest.Run(t, func(t *testing.T) forgetest.World {
		s := githubtest.New(githubtest.Options{})
		t.Cleanup(s.Close)
		return s
	})
}
