package verify_test

import (
	"testing"
	"testing/fstest"

	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/verify"
)

// handedOut is a sealed release as a folder.
func handedOut(r attesttest.SealedRelease) fstest.MapFS {
	out := fstest.MapFS{}
	for _, f := range r.Files {
		out[f.Name] = &fstest.MapFile{Data: append([]byte(nil), f.Content...)}
	}
	for name, content := range r.Artifacts {
		out[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return out
}

func rootOf(t testing.TB, r attesttest.SealedRelease) *verify.Root {
	t.Helper()
	return must[*verify.Root](t)(verify.ParseRoot(r.Sealed.TrustedRoot))
}

var fromAcme = verify.Expect{Repository: attesttest.Repository} //nolint:gochecknoglobals // a constant

func TestReleaseVerifies(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{})
	got := verify.Release(handedOut(r), verify.Trust{Root: rootOf(t, r)}, fromAcme)
	if !got.OK() || got.Release == nil {
		t.Fatalf("expected a pass, got %s", show(t, got.Result))
	}
	t.Log(show(t, got.Result))
}
