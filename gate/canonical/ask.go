package canonical

import (
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// askDocument is the hashed form of an ask, version 1. Manifest is the manifest's
// digest: the subjects themselves are bound through it.
type askDocument struct {
	V            int          `json:"v"`
	Server       string       `json:"server"`
	Forge        gate.ForgeID `json:"forge"`
	RepositoryID int64        `json:"repository_id"`
	Ref          string       `json:"ref"`
	Commit       string       `json:"commit"`
	Stream       string       `json:"stream"`
	Manifest     gate.Digest  `json:"manifest"`
}

// AskBytes is the canonical form of an ask, after checking every part of it.
// Errors are *gate.Error of kind Invalid.
func AskBytes(a gate.Ask) ([]byte, error) {
	if err := checkServer(a.Server); err != nil {
		return nil, err
	}
	if a.Repository.Forge == "" || a.Repository.ID <= 0 || a.Repository.ID > maxExact {
		return nil, badAsk("the ask names no repository", "forge:number", shown(a.Repository.String()),
			"send the numeric repository id, such as github:1296269")
	}
	if err := CheckRef(a.Ref); err != nil {
		return nil, err
	}
	if err := CheckCommit(a.Commit); err != nil {
		return nil, err
	}
	if a.Stream != "" {
		if err := CheckStream(a.Stream); err != nil {
			return nil, err
		}
	}
	m, err := NewManifest(a.Manifest.Subjects)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(m.Subjects, a.Manifest.Subjects) {
		return nil, badSubjects("the manifest is not sorted by name", "the bytewise order of names", "another order",
			"build it with NewManifest")
	}
	return JSON(askDocument{
		V: version, Server: a.Server, Forge: a.Repository.Forge, RepositoryID: a.Repository.ID,
		Ref: a.Ref, Commit: a.Commit, Stream: a.Stream, Manifest: m.Digest(),
	})
}

// AskHash is the SHA-256 of [AskBytes]: the idempotency key of the ask.
func AskHash(a gate.Ask) (gate.Digest, error) {
	b, err := AskBytes(a)
	if err != nil {
		return gate.Digest{}, err
	}
	return gate.SHA256(b), nil
}

// AskAudience is the audience of a GitHub ID token that asks: it names the very ask,
// so that a stolen ID token signs nothing else (attack 3). Host is that of the
// gate's public URL.
func AskAudience(host string, ask gate.Digest) string {
	return "countersign:" + host + ":ask:" + ask.String()
}

// RequestAudience is the audience of a GitHub ID token that looks after, or collects,
// the request with the given id.
func RequestAudience(host, request string) string {
	return "countersign:" + host + ":request:" + request
}

// checkServer accepts a host as it stands in a URL, with its port if it has one.
func checkServer(host string) error {
	odd := strings.IndexFunc(host, func(r rune) bool { return !isLowerAlnum(r) && !strings.ContainsRune(".-:[]", r) })
	if host == "" || len(host) > MaxRef || odd >= 0 {
		return badAsk("the ask names no server", "the lower-case host of the gate's public URL", shown(host),
			"send the host of the gate's public URL, such as sign.example.org")
	}
	return nil
}
