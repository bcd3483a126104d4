package main

import (
	"bytes"
	"errors"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/verify"
)

// checkCollected verifies what the server sent before anything of it is written: every
// artifact's bundle and the release's statement, under the pinned key (PEM) if there
// is one, else under the one that came along. Without a pinned key this proves only
// that the files fit together and to the artifacts. Where the release is sealed its log
// entries and time-stamps are held against the trusted root that came along, likewise.
func checkCollected(got api.Collected, m gate.Manifest, want verify.Expect, pinned []byte) error {
	files := map[string][]byte{}
	for _, f := range got.Files {
		files[f.Name] = f.Content
	}
	bad := func(what string) error {
		return failed(ExitFailed, "what the server sent does not verify", "signatures over these very files", what,
			"nothing was written; collect again, and tell whoever runs the gate where it stays so")
	}
	if !bytes.Equal(files[attest.SumsName], m.Bytes()) {
		return bad(attest.SumsName + " of another manifest")
	}
	key, err := trustedKey(files[attest.KeyName], pinned)
	if err != nil {
		return bad(err.Error())
	}
	trust := verify.Under(key)
	if text, ok := files[attest.TrustedRootName]; ok {
		if trust.Root, err = verify.ParseRoot(text); err != nil {
			return bad(err.Error())
		}
	}
	for _, subject := range m.Subjects {
		if r := verify.Artifact(files[subject.Name+attest.BundleSuffix], trust, subject.SHA256, verify.Expect{}); !r.OK() {
			return bad(subject.Name + ": " + firstFailure(r))
		}
	}
	vsa := attest.ReleaseName(want.Ref) + attest.VSASuffix
	if r := verify.Statement(files[vsa], trust, want); !r.OK() {
		return bad(vsa + ": " + firstFailure(r))
	}
	return nil
}

func trustedKey(sent, pinned []byte) (verify.Key, error) {
	key, err := verify.ParseKey(sent)
	if err != nil || pinned == nil {
		return key, err
	}
	want, err := verify.ParseKey(pinned)
	if err != nil {
		return verify.Key{}, err
	}
	if want.Hint() != key.Hint() {
		return verify.Key{}, errors.New("key " + key.Hint() + ", --key is " + want.Hint())
	}
	return want, nil
}

// firstFailure names the first step that failed, and why.
func firstFailure(r verify.Result) string {
	where, step := firstFailed(r)
	return strings.TrimSpace(where + ": " + step.Detail)
}

// firstFailed is the first step that failed, and where it stands below r.
func firstFailed(r verify.Result) (where string, step verify.Result) {
	for _, s := range r.Steps {
		if s.Outcome == verify.Failed {
			below, step := firstFailed(s)
			if below == "" {
				return s.Name, step
			}
			return s.Name + ", " + below, step
		}
	}
	return "", r
}
