package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/verify"
)

// expectation is what verify asks of the release's statement.
type expectation struct {
	server, repository, ref, commit string
	hardware                        bool
}

// verified is one file with what its verification found.
type verified struct {
	File   string        `json:"file"`
	OK     bool          `json:"ok"`
	Result verify.Result `json:"result"`
}

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --key FILE artifacts",
		Short: "Verify artifacts offline",
		Long: "Verify artifacts with the bundles beside them (<artifact>.sigstore.json), under a public key\n" +
			"that you trust. With --vsa also the release's statement: that these artifacts were approved.\n" +
			"Needs no network. This version does not check transparency log entries and timestamps.",
		Example: "  countersign verify --key countersign.pem --vsa v1.4.0.vsa.sigstore.json app.tar.gz",
		RunE:    func(_ *cobra.Command, files []string) error { return a.verify(files) },
	}
	f := cmd.Flags()
	f.StringVar(&a.flags.key, "key", "", "public key (PEM) that must have signed")
	f.StringVar(&a.flags.vsa, "vsa", "", "the release's statement (*.vsa.sigstore.json)")
	f.StringVar(&a.flags.expect.server, "expect-server", "", "URL of the gate that must have judged")
	f.StringVar(&a.flags.expect.repository, "expect-repository", "", "repository that must be the source (forge:number)")
	f.StringVar(&a.flags.expect.ref, "expect-ref", "", "full ref that must have been released")
	f.StringVar(&a.flags.expect.commit, "expect-commit", "", "commit that must have been released")
	f.BoolVar(&a.flags.expect.hardware, "expect-hardware", false, "refuse keys that live in software")
	return cmd
}

func (a *app) verify(files []string) error {
	if len(files) == 0 {
		return usage("nothing to verify", "artifacts", "none", "name the artifacts")
	}
	if a.flags.vsa == "" && a.flags.expect != (expectation{}) {
		return usage("--expect-… needs a statement", "--vsa FILE", "none", "give the release's *.vsa.sigstore.json")
	}
	key, err := a.readKey()
	if err != nil {
		return err
	}
	results, digests, err := verifyArtifacts(files, key)
	if err != nil {
		return err
	}
	if a.flags.vsa != "" {
		bundle, err := readBundle(a.flags.vsa)
		if err != nil {
			return err
		}
		r := verifyStatement(bundle, key, a.expected(), filepath.Dir(a.flags.vsa), files, digests)
		results = append(results, verified{a.flags.vsa, r.OK(), r})
	}
	return a.showVerified(results)
}

func (a *app) expected() verify.Expect {
	x := a.flags.expect
	return verify.Expect{Server: x.server, Repository: x.repository, Ref: x.ref, Commit: x.commit, Hardware: x.hardware}
}

// verifyStatement checks the statement over the files. It names them by their base
// names, or by their paths from the statement's folder: a release may hold folders.
func verifyStatement(bundle []byte, key verify.Key, want verify.Expect, folder string, files []string, digests []gate.Digest) verify.Result {
	byPath := make([]gate.Subject, len(files))
	byBase := make([]gate.Subject, len(files))
	for i, path := range files {
		byBase[i] = gate.Subject{Name: filepath.Base(path), SHA256: digests[i]}
		byPath[i] = byBase[i]
		if rel, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(rel) {
			byPath[i].Name = filepath.ToSlash(rel)
		}
	}
	want.Subjects = byPath
	if r := verify.Statement(bundle, verify.Under(key), want); r.OK() {
		return r
	}
	want.Subjects = byBase
	return verify.Statement(bundle, verify.Under(key), want)
}

func (a *app) readKey() (verify.Key, error) {
	if a.flags.key == "" {
		return verify.Key{}, usage("no key is named", "--key countersign.pem", "none",
			"take the key from where you trust it: the gate's /v1/keys, or a checked-in copy")
	}
	text, err := readSmall(a.flags.key)
	if err != nil {
		return verify.Key{}, usage("--key cannot be read", "a PEM file", err.Error(), "check its path")
	}
	key, err := verify.ParseKey(text)
	if err != nil {
		return verify.Key{}, usage("--key does not read", "a PEM public key, ECDSA P-256", err.Error(), "check the file")
	}
	return key, nil
}

// verifyArtifacts checks each artifact by the bundle beside it.
func verifyArtifacts(files []string, key verify.Key) ([]verified, []gate.Digest, error) {
	results := make([]verified, 0, len(files))
	digests := make([]gate.Digest, 0, len(files))
	for _, path := range files {
		digest, err := digestFile(path)
		if err != nil {
			return nil, nil, err
		}
		bundle, err := readBundle(path + attest.BundleSuffix)
		if err != nil {
			return nil, nil, err
		}
		r := verify.Artifact(bundle, verify.Under(key), digest, verify.Expect{})
		results = append(results, verified{path, r.OK(), r})
		digests = append(digests, digest)
	}
	return results, digests, nil
}

func readBundle(path string) ([]byte, error) {
	b, err := readSmall(path)
	if err != nil {
		return nil, failed(ExitFailed, "a bundle cannot be read", path, err.Error(), "collect it, or put it beside its artifact")
	}
	return b, nil
}

// readSmall reads a file of at most the size of a bundle; the byte beyond is for the
// parser to refuse.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path) // the user names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(io.LimitReader(f, verify.MaxBundle+1))
}

// showVerified prints all results and fails with the first that is no pass.
func (a *app) showVerified(results []verified) error {
	var out strings.Builder
	var first *failure
	for _, r := range results {
		tree(&out, 0, plain(r.File), r.Result)
		if !r.OK && first == nil {
			first = failed(ExitFailed, r.File+" does not verify", "a signature by the given key over this very file", firstFailure(r.Result),
				"do not use it; get it and its bundle from the release page again")
			first.printed = true
		}
	}
	var err error
	if a.flags.json {
		err = a.printJSON(struct {
			OK      bool       `json:"ok"`
			Results []verified `json:"results"`
		}{first == nil, results})
	} else {
		err = a.print(out.String())
	}
	if err == nil && first != nil {
		return first
	}
	return err
}

func tree(out *strings.Builder, depth int, name string, r verify.Result) {
	fmt.Fprintf(out, "%s%-11s %s", strings.Repeat("  ", depth), r.Outcome, name)
	if r.Detail != "" {
		out.WriteString(": " + plain(r.Detail))
	}
	out.WriteByte('\n')
	for _, s := range r.Steps {
		tree(out, depth+1, plain(s.Name), s)
	}
}
