package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// own is the product's client. It looks at more than the others: at a bundle by itself, and
// at the release as a whole.
func own() verifier {
	blob := []refusal{
		{changedArtifact, `✗ digest`}, {changedBlobSignature, `✗ (timestamp|signature)`},
		{noEntry, `✗ (bundle|log entry)`}, {foreignEntry, `✗ log entry`}, {changedBody, `✗ log entry`},
		{changedProof, `✗ (log entry|checkpoint)`}, {changedCheckpoint, `✗ checkpoint`}, {otherLog, `✗ checkpoint`},
		{noTimestamp, `✗ (bundle|timestamp)`}, {changedTimestamp, `✗ timestamp`}, {foreignTimestamp, `✗ timestamp`},
		{noTSA, `✗ timestamp`},
	}
	return verifier{name: "countersign verify", log: true, cells: map[column]check{
		keyBlob:  {ownRun(withKey), join(blob, []refusal{{otherKey, `✗ key`}})},
		certBlob: {ownRun(withRepository), join(blob, []refusal{{otherCA, `✗ certificate`}, {noCT, `✗ certificate`}, {otherRepository, `✗ .*repository`}})},
		whole: {ownFolder, []refusal{
			{changedFiles, `✗ (artifact|SHA256SUMS)`},
			{inRelease("raw signature", "SHA256SUMS.sig"), `✗ SHA256SUMS`},
			{inRelease("SSH signature", "SHA256SUMS.sshsig"), `✗ SHA256SUMS`},
			{inRelease("OpenPGP signature", "SHA256SUMS.asc"), `✗ SHA256SUMS`},
			{withoutStatement("approval-1"), `✗ statement`},
			{withoutStatement("decision"), `✗ statement`},
			{otherKey, `✗ key|signed by`},
			{otherLog, `✗ .*checkpoint`},
			{noTSA, `✗ .*timestamp`},
		}},
	}}
}

func withRepository(in inputs) []string { return []string{"--repository", in.signer.Repository} }

func ownRun(who func(inputs) []string) func(context.Context, toolbox, inputs) (string, error) {
	return func(ctx context.Context, t toolbox, in inputs) (string, error) {
		args := append([]string{"verify", "--trusted-root", in.root, "--bundle", in.proof}, who(in)...)
		return t.run(ctx, in.scratch, "", t.countersign, append(args, in.artifact)...)
	}
}

// ownFolder gives the client the folder by itself: what it trusts lies elsewhere.
func ownFolder(ctx context.Context, t toolbox, in inputs) (string, error) {
	return t.run(ctx, in.scratch, "", t.countersign, "verify", "--trusted-root", in.root, "--key", in.key, in.folder)
}

// inRelease flips a bit of one of the release's files: the last of a signature in DER, and
// one in the middle of armor.
func inRelease(name, file string) twin {
	return twin{name, func(in inputs) (inputs, error) {
		in, err := copied(in)
		if err != nil {
			return in, err
		}
		change := inFile(name)
		if !strings.HasSuffix(file, ".sig") {
			change = changedArmor(name)
		}
		of := in
		of.proof = filepath.Join(in.folder, file)
		if of, err = change.change(of); err != nil {
			return in, err
		}
		return in, os.Rename(of.proof, filepath.Join(in.folder, file))
	}}
}

// withoutStatement is a release from which every form of a statement was taken away.
func withoutStatement(name string) twin {
	return twin{"release without its " + name, func(in inputs) (inputs, error) {
		in, err := copied(in)
		if err != nil {
			return in, err
		}
		files, err := filepath.Glob(filepath.Join(in.folder, "*."+name+".*"))
		if err != nil {
			return in, err
		}
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				return in, err
			}
		}
		return in, nil
	}}
}

// copied is the same over a copy of the folder.
func copied(in inputs) (inputs, error) {
	dir := filepath.Join(in.scratch, "copy")
	if err := copyFiles(in.folder, dir); err != nil {
		return in, err
	}
	in.folder = dir
	return in, nil
}
