package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/verify"
)

func (a *app) requestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "request [files]",
		Short: "Ask for signatures and return at once, approved or not",
		Long: "Ask the gate for signatures over files. Prints the request's id, code and page and what\n" +
			"it waits for, and exits 0. Asking again for the same files joins the same request.",
		Example: "  countersign request dist/*.tar.gz",
		RunE: func(cmd *cobra.Command, files []string) error {
			_, _, r, err := a.ask(cmd.Context(), files)
			if err != nil {
				return err
			}
			if err := a.summarise(account{release: &r}); err != nil {
				return err
			}
			return a.show(r)
		},
	}
	a.serverFlags(cmd)
	a.subjectFlags(cmd)
	return cmd
}

func (a *app) signCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sign [files]",
		Short:   "Ask for signatures, wait for the approval, and collect them",
		Example: "  countersign sign dist/*.tar.gz --wait-timeout 4h",
		RunE: func(cmd *cobra.Command, files []string) error {
			s, found, r, err := a.ask(cmd.Context(), files)
			if err != nil {
				return err
			}
			a.console.begin(r)
			if r, err = s.wait(cmd.Context(), r, a.flags.waitTimeout, a.flags.poll, a.console); err != nil {
				return err
			}
			if f := endOf(r); f != nil {
				return f
			}
			return a.fetch(cmd.Context(), s, r, found)
		},
	}
	a.serverFlags(cmd)
	a.subjectFlags(cmd)
	a.waitFlags(cmd)
	a.outputFlags(cmd)
	return cmd
}

func (a *app) collectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collect --request-id ID [files]",
		Short: "Collect the signatures of a signed request",
		Long: "Fetch the signatures of an earlier request. Where files are given their digests must be those\n" +
			"of the request, and the signatures go beside them.",
		RunE: func(cmd *cobra.Command, files []string) error {
			s, r, err := a.find(cmd.Context())
			if err != nil {
				return err
			}
			a.flags.subjects.files = files
			found, err := a.matching(r)
			if err != nil {
				return err
			}
			if f := endOf(r); f != nil {
				return f
			}
			if !signed(r.State) {
				f := failed(ExitRetry, "the request is not signed yet: it is "+string(r.State), "", "", "see "+r.URL+" and collect once it is approved")
				f.release = &r
				return f
			}
			return a.fetch(cmd.Context(), s, r, found)
		},
	}
	a.serverFlags(cmd)
	a.requestFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&a.flags.subjects.sums, "subject-checksums", "", "file that sha256sum wrote, instead of files")
	a.outputFlags(cmd)
	return cmd
}

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status --request-id ID",
		Short: "Show what a request waits for",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, r, err := a.find(cmd.Context())
			if err != nil {
				return err
			}
			if f := endOf(r); f != nil {
				return f
			}
			return a.show(r)
		},
	}
	a.serverFlags(cmd)
	a.requestFlag(cmd)
	return cmd
}

func (a *app) requestFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.flags.request, "request-id", "", "id of the request, as countersign request printed it")
}

// ask digests what the command line names and asks for it.
func (a *app) ask(ctx context.Context, files []string) (*session, artifacts, api.Release, error) {
	var none artifacts
	a.flags.subjects.files = files
	found, err := a.flags.subjects.read()
	if err != nil {
		return nil, none, api.Release{}, err
	}
	s, err := a.session()
	if err != nil {
		return nil, none, api.Release{}, err
	}
	r, err := s.ask(ctx, found.manifest, a.flags.stream)
	return s, found, r, err
}

// find reads the request that --request-id names.
func (a *app) find(ctx context.Context) (*session, api.Release, error) {
	if !goodID(a.flags.request) {
		return nil, api.Release{}, usage("--request-id does not fit", "the id that countersign request printed",
			fmt.Sprintf("%.64q", a.flags.request), "see the release page")
	}
	s, err := a.session()
	if err != nil {
		return nil, api.Release{}, err
	}
	r, err := s.show(ctx, a.flags.request, 0, 0)
	return s, r, err
}

// matching are the artifacts of a request: the local ones, which must be exactly it,
// or else what the request says.
func (a *app) matching(r api.Release) (artifacts, error) {
	if a.flags.subjects.none() {
		return gather(r.Subjects, nil)
	}
	found, err := a.flags.subjects.read()
	if err != nil {
		return artifacts{}, err
	}
	if found.manifest.Digest() != r.ManifestDigest {
		return artifacts{}, usage("the files are not those of the request", "manifest "+r.ManifestDigest.String(),
			found.manifest.Digest().String(), "collect for the very files that were asked for, or for none")
	}
	return found, nil
}

// fetch collects, verifies, and only then writes.
func (a *app) fetch(ctx context.Context, s *session, r api.Release, found artifacts) error {
	got, err := s.collect(ctx, r.ID)
	if err != nil {
		return err
	}
	var pinned []byte
	if a.flags.key != "" {
		if pinned, err = os.ReadFile(a.flags.key); err != nil {
			return usage("--key cannot be read", "a PEM file", err.Error(), "check its path")
		}
	}
	repository, err := s.repository(ctx)
	if err != nil {
		return err
	}
	want := verify.Expect{
		Subjects: found.manifest.Subjects, Server: s.server.base.String(), Repository: repository.String(), Ref: r.Ref, Commit: r.Commit,
	}
	if err := checkCollected(got, found.manifest, want, pinned); err != nil {
		return err
	}
	files, err := place(got.Files, found.manifest, found.folders, a.flags.output)
	if err != nil {
		return err
	}
	paths, err := write(files, a.flags.force)
	if err != nil {
		return err
	}
	if err := a.summarise(account{release: &got.Release, files: files}); err != nil {
		return err
	}
	return a.showCollected(got.Release, paths)
}
