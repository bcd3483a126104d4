package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate/verify"
)

func (a *app) verifyCommand() *cobra.Command {
	f := &a.flags.verify
	cmd := &cobra.Command{
		Use:   "verify [flags] folder|artifacts",
		Short: "Verify a release offline, and show why it can be trusted",
		Long: "Verify a release: a folder as it was handed out, or single artifacts with the release's files\n" +
			"beside them. It checks the signatures, when they were made, that they are on the gate's public\n" +
			"record, and that somebody who had no hand in it covers every change. It needs no network.\n\n" +
			"Say whom you trust, and take that from somewhere else than the release itself:\n" +
			"  --trusted-root FILE   the gate's trusted_root.json (<gate>/v1/trusted_root.json): it vouches for\n" +
			"                        time and record, and for the key where the release has certificates\n" +
			"  --key FILE            the release key, as PEM or as its fingerprint SHA256:…\n" +
			"With both everything is checked and only that key counts. With --key alone, time and record are\n" +
			"not checked. With --trusted-root alone say whose release it must be: --repository.\n\n" +
			"Exit codes: 0 it verifies, 1 it does not, 2 the command line or a file on it is wrong.",
		Example: "  countersign verify --trusted-root trusted_root.json --repository https://github.com/acme/app dist\n" +
			"  countersign verify --trusted-root trusted_root.json --key countersign.pem --require-approvers 2 --tag v1.4.0 app.tar.gz\n" +
			"  countersign verify --key countersign.pem --bundle app.tar.gz.sigstore.json app.tar.gz",
		RunE: func(cmd *cobra.Command, paths []string) error {
			f.loggedSet = cmd.Flags().Changed("require-log")
			return a.verify(paths)
		},
	}
	f.bind(cmd.Flags())
	return cmd
}

func (a *app) verify(paths []string) error {
	if len(paths) == 0 {
		return usage("nothing to verify", "a folder, or artifacts", "none", "name the folder that the release's files lie in")
	}
	f := &a.flags.verify
	trust, err := f.trust()
	if err != nil {
		return err
	}
	want, err := f.expected()
	if err != nil {
		return err
	}
	if f.bundle != "" {
		return a.verifyBundle(paths, trust, want)
	}
	at, err := locate(paths, f.evidence)
	if err != nil {
		return err
	}
	folder, err := os.OpenRoot(at.folder)
	if err != nil {
		return usage("the folder cannot be opened", "a folder with the release's files", err.Error(), "check its path")
	}
	defer func() { _ = folder.Close() }() // only read
	files := overlay{folder.FS(), at.outside}
	if len(at.names) > 0 && !verify.HasStatement(files) {
		return a.showVerified(verify.Artifacts(files, trust, want, at.names...))
	}
	return a.showVerified(verify.Release(files, trust, want, at.names...))
}

// overlay is a folder with files from outside it.
type overlay struct {
	fs.FS

	files map[string]string // paths, by name in the folder
}

func (o overlay) Open(name string) (fs.File, error) {
	if p, ok := o.files[name]; ok {
		return os.Open(p) // the user names it
	}
	return o.FS.Open(name)
}

// verifyBundle checks one bundle, wherever it lies.
func (a *app) verifyBundle(paths []string, trust verify.Trust, want verify.Expect) error {
	f := &a.flags.verify
	if len(paths) != 1 || f.evidence != "" {
		return usage("--bundle is for one artifact", "one artifact, and no --evidence", strings.Join(paths, " "), "verify the others by themselves")
	}
	digest, err := digestFile(paths[0])
	if err != nil {
		return err
	}
	bundle, err := readSmall(f.bundle)
	if err != nil {
		return usage("--bundle cannot be read", "a Sigstore bundle", err.Error(), "check its path")
	}
	if verify.NeedsStatement(want) {
		return usage("a bundle over an artifact says nothing of that", "no expectation but --repository URL, --not-before and --not-after",
			"others too", "leave --bundle out, and keep the release's statement beside the artifact")
	}
	r := verify.Artifact(bundle, trust, digest, want)
	r.Name = "artifact " + filepath.ToSlash(paths[0])
	return a.showVerified(verify.Report{Result: r})
}

// located is where the release's files lie and which artifacts to look at; none for all.
type located struct {
	folder string
	names  []string // from the folder, with forward slashes
	// outside are those that lie elsewhere, by the names that they go by in the folder.
	outside map[string]string
}

// locate finds the folder of a release's files: the one that is named, or that of the
// artifacts, or, where they lie in folders of their own, the one that has a statement.
func locate(paths []string, evidence string) (located, error) {
	if info, err := os.Stat(paths[0]); err == nil && info.IsDir() {
		if len(paths) > 1 || evidence != "" {
			return located{}, usage("a folder is verified by itself", "one folder, or artifacts", strings.Join(paths, " "),
				"name the folder alone, or the artifacts in it")
		}
		return located{folder: paths[0]}, nil
	}
	folder := evidence
	if folder == "" {
		folder = beside(common(paths))
	}
	out := located{folder: folder, outside: map[string]string{}}
	for _, p := range paths {
		if info, err := os.Stat(p); err != nil || info.IsDir() {
			got := "a folder"
			if err != nil {
				got = err.Error()
			}
			return located{}, usage("an artifact cannot be opened", "files", got, "check its path")
		}
		name, err := filepath.Rel(folder, p)
		if err != nil || !filepath.IsLocal(name) {
			name = filepath.Base(p)
			if other, taken := out.outside[name]; taken {
				return located{}, usage("two artifacts have one name", "each name once", other+" and "+p, "verify them one after the other")
			}
			out.outside[name] = p
		}
		out.names = append(out.names, filepath.ToSlash(name))
	}
	return out, nil
}

// beside finds the statement of artifacts in a folder: there, or a little above it, where a
// release has folders of its own. Without any it is the folder itself.
func beside(folder string) string {
	const levels = 3
	at := folder
	for range levels {
		if holdsStatement(at) {
			return at
		}
		at = filepath.Join(at, "..")
	}
	return folder
}

// common is the folder that holds all paths.
func common(paths []string) string {
	folder := filepath.Dir(paths[0])
	for _, p := range paths[1:] {
		for {
			rel, err := filepath.Rel(folder, p)
			if err != nil || filepath.IsLocal(rel) || folder == filepath.Dir(folder) {
				break
			}
			folder = filepath.Dir(folder)
		}
	}
	return folder
}

func holdsStatement(folder string) bool {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return false
	}
	defer func() { _ = root.Close() }() // only read
	return verify.HasStatement(root.FS())
}

// readSmall reads a file of at most the size of a bundle; the byte beyond is for the
// parser to refuse.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path) // the user names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, verify.MaxBundle+1))
	if err == nil && len(b) == 0 {
		err = errors.New("it is empty")
	}
	return b, err
}
