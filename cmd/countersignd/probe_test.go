package main_test

import (
	"testing"
)

func TestProbeGolden(t *testing.T) {
	s := newSite(t)
	for _, forge := range []string{"github", "gitlab"} {
		golden(t, "probe-"+forge+".golden", s.plain(s.run(0, "probe", "--forge", forge, "--repo", scratch)))
	}
}
