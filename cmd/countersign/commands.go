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
			"it waits for, and exits 0. Asking again for the same files joins the same request.\n" +
			"With --mode wait it returns once the release is signed, without its signatures.",
		Example: "  countersign request dist/*.tar.gz",
		RunE: func(cmd *cobra.Command, files []string) error {
			s, _, r, err := a.ask(cmd.Context(), files)
			if err != nil {
				return err
			}
			m := modeResume
			r = s.judged(cmd.Context(), r)
			if a.flags.mode == modeWait {
				a.console.begin(r)
				m = modeWait
			}
			if r, _, err = a.await(cmd.Context(), s, r, m); err != nil {
				return err
			}
			if f := endOf(r); f != nil {
				return f
			}
			return a.leave(r)
		},
	}
	a.serverFlags(cmd)
	a.subjectFlags(cmd)
	a.streamFlags(cmd)
	a.jobFlags(cmd)
	return cmd
}

func (a *app) signCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign [files]",
		Short: "Ask for signatures, wait for the approval, and collect them",
		Long: "Ask for signatures over files, wait until they are made, and put them beside the files.\n" +
			"--mode says how to wait: wait stays in the job; environment expects that the forge held the\n" +
			"job until the release was signed; auto is whichever of these is set up; resume does not wait:\n" +
			"it exits 0, and a later workflow or job collects.",
		Example: "  countersign sign dist/*.tar.gz --wait-timeout 4h",
		RunE: func(cmd *cobra.Command, files []string) error {
			s, found, r, err := a.ask(cmd.Context(), files)
			if err != nil {
				return err
			}
			a.console.begin(r)
			r, pending, err := a.await(cmd.Context(), s, r, a.flags.mode)
			if err != nil {
				return err
			}
			if pending {
				return a.leave(r)
			}
			if f := endOf(r); f != nil {
				return f
			}
			return a.fetch(cmd.Context(), s, r, found)
		},
	}
	a.serverFlags(cmd)
	a.subjectFlags(cmd)
	a.streamFlags(cmd)
	a.jobFlags(cmd)
	a.outputFlags(cmd)
	return cmd
}

func (a *app) collectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collect --request-id ID [files]",
		Short: "Collect the signatures of a signed request",
		Long: "Fetch the signatures of an earlier request. Where files are given their digests must be those\n" +
			"of the request, and the signatures go beside them. Without --request-id the id is taken from\n" +
			"COUNTERSIGN_REQUEST_ID, or from the check run that the workflow runs for.",
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
			if !settled(r.State) && a.flags.mode == modeAuto {
				f := failed(ExitRetry, "the request is not signed yet: it is "+string(r.State), "", "",
					"see "+r.URL+" and collect once it is approved, or give --mode wait")
				f.release = &r
				return f
			}
			r, pending, err := a.await(cmd.Context(), s, r, a.flags.mode)
			if err != nil {
				return err
			}
			if pending {
				return a.leave(r)
			}
			if f := endOf(r); f != nil {
				return f
			}
			return a.fetch(cmd.Context(), s, r, found)
		},
	}
	a.serverFlags(cmd)
	a.requestFlag(cmd)
	a.subjectFlags(cmd)
	a.jobFlags(cmd)
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
	cmd.Flags().StringVar(&a.flags.request, "request-id", a.env["COUNTERSIGN_REQUEST_ID"],
		"id of the request, as countersign request printed it (default $COUNTERSIGN_REQUEST_ID)")
}

// leave ends a command that does not wait: the request is open, or signed already.
func (a *app) leave(r api.Release) error {
	a.console.notice(r)
	if err := a.tell(account{release: &r}); err != nil {
		return err
	}
	return a.show(r)
}

// ask digests what the command line names and asks for it.
func (a *app) ask(ctx context.Context, files []string) (*session, artifacts, api.Release, error) {
	var none artifacts
	a.flags.subjects.files = files
	a.flags.subjects.leftOut = a.console.leftOut
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
	if check := readEvent(a.env).CheckRun; a.flags.request == "" && check != nil {
		a.flags.request = check.ExternalID
	}
	if a.flags.request == "" {
		return nil, api.Release{}, usage("no request is named", "--request-id, COUNTERSIGN_REQUEST_ID, or a workflow that runs for the gate's check run",
			"none", "give the id that countersign request printed; the release page shows it too")
	}
	if !goodID(a.flags.request) {
		return nil, api.Release{}, usage("--request-id does not fit", "the id that countersign request printed",
			fmt.Sprintf("%.64q", a.flags.request), "see the release page; a workflow that runs for other check runs too needs\n\n"+
				"    if: startsWith(github.event.check_run.name, 'countersign/')")
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
	a.flags.subjects.leftOut = a.console.leftOut
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
	if err := a.tell(account{release: &got.Release, files: files}); err != nil {
		return err
	}
	return a.showCollected(got.Release, paths)
}
