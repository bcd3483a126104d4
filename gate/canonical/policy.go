package canonical

import (
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// floorPrefix starts the source of a floor: rules of the server or organisation
// that a repository's file can only tighten.
const floorPrefix = "floor:"

// PolicyDigest is the SHA-256 of the canonical list of what a policy was made of:
// floors first, then the repository's file with its commit.
func PolicyDigest(sources []gate.PolicySource) (gate.Digest, error) {
	if len(sources) == 0 {
		return gate.Digest{}, errors.New("policy digest: expected at least one source, got none")
	}
	fileSeen := false
	for _, s := range sources {
		floor := strings.HasPrefix(s.Source, floorPrefix)
		switch {
		case s.Source == "":
			return gate.Digest{}, errors.New("policy digest: a source has no name")
		case floor && fileSeen:
			return gate.Digest{}, fmt.Errorf("policy digest: expected floors first, got %s after a file", shown(s.Source))
		case floor != (s.Commit == ""):
			return gate.Digest{}, fmt.Errorf("policy digest: source %s: expected a commit on files only, got %s",
				shown(s.Source), shown(s.Commit))
		case s.Commit != "" && CheckCommit(s.Commit) != nil:
			return gate.Digest{}, fmt.Errorf("policy digest: source %s: %w", shown(s.Source), CheckCommit(s.Commit))
		}
		fileSeen = fileSeen || !floor
	}
	b, err := JSON(struct {
		V       int                 `json:"v"`
		Sources []gate.PolicySource `json:"sources"`
	}{version, sources})
	if err != nil {
		return gate.Digest{}, err
	}
	return gate.SHA256(b), nil
}
