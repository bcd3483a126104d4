package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// app is one run of the program.
type app struct {
	env     map[string]string
	stdout  io.Writer
	console *console
	now     func() time.Time
	flags   flags
}

// flags are what the command line says; each command binds those it has.
type flags struct {
	json        bool
	server      string
	stream      string
	ref         string
	commit      string
	subjects    chosen
	output      string
	force       bool
	request     string
	mode        mode
	summary     bool
	outputEnv   string
	waitTimeout time.Duration
	poll        time.Duration
	retryFor    time.Duration
	key         string
	verify      verifyFlags
}

func newApp(env map[string]string, stdout, stderr io.Writer) *app {
	return &app{env: env, stdout: stdout, console: newConsole(stderr, env), now: time.Now}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "countersign",
		Short: "Ask a release gate for signatures, collect them, verify them",
		Long: "Countersign signs a release once somebody who did not write it approved it.\n" +
			"This client runs in the release workflow: it asks for signatures over the digests\n" +
			"of what was built, waits for the approval, and puts the signatures beside the files.\n\n" +
			"Exit codes: 0 signed or pending, 1 something does not verify or cannot be written,\n" +
			"2 usage, 3 denied by policy, 4 denied by a person, 5 timed out, 6 identity refused,\n" +
			"75 try again later.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          known,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&a.flags.json, "json", false, "print one JSON object on standard output")
	root.AddCommand(a.requestCommand(), a.signCommand(), a.collectCommand(), a.statusCommand(), a.verifyCommand(), a.monitorCommand(), a.policyCommand())
	return root
}

// known refuses a command that is none, with those that it may have been meant for.
func known(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	root.SuggestionsMinimumDistance = 2
	fix := "see countersign --help"
	if like := root.SuggestionsFor(args[0]); len(like) > 0 {
		fix = "did you mean countersign " + strings.Join(like, ", or countersign ") + "?"
	}
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return usage(fmt.Sprintf("there is no command %.40q", args[0]), strings.Join(names, ", "), fmt.Sprintf("%.40q", args[0]), fix)
}

// version is the module version that the binary was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// serverFlags are those of every command that talks to the gate.
func (a *app) serverFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.flags.server, "server", a.env["COUNTERSIGN_SERVER"], "the gate's URL (default $COUNTERSIGN_SERVER)")
	f.StringVar(&a.flags.ref, "ref", "", "full ref to release (default: the CI job's)")
	f.StringVar(&a.flags.commit, "commit", "", "commit to release (default: the CI job's)")
	f.DurationVar(&a.flags.retryFor, "retry-for", 2*time.Minute, "how long to try again while the gate cannot be reached")
}

// subjectFlags say what to sign.
func (a *app) subjectFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&a.flags.subjects.globs, "subject-path", nil,
		"files by path or glob, one a line: ** goes through folders, ! leaves out; may be given several times")
	f.StringVar(&a.flags.subjects.sums, "subject-checksums", "", "file that sha256sum wrote, instead of files")
	f.StringVar(&a.flags.subjects.name, "subject-name", "", "name of one artifact, instead of files")
	f.StringVar(&a.flags.subjects.digest, "subject-digest", "", "SHA-256 of that artifact (sha256:<64 hex digits>)")
}

// streamFlags choose among the policy's releases.
func (a *app) streamFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.flags.stream, "release", "", "releases: entry of the policy (default: what ref and workflow choose)")
	f.StringVar(&a.flags.stream, "stream", "", "the same as --release")
	cmd.MarkFlagsMutuallyExclusive("release", "stream")
}

// jobFlags are those of every command that a workflow's step is.
func (a *app) jobFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar((*string)(&a.flags.mode), "mode", string(modeAuto), "how to wait for people: auto, wait, environment or resume")
	f.DurationVar(&a.flags.waitTimeout, "wait-timeout", time.Hour, "how long to wait for the approval")
	f.DurationVar(&a.flags.poll, "poll", 30*time.Second, "how long one poll may stay open at the gate")
	f.BoolVar(&a.flags.summary, "show-summary", true, "write to the job summary, where the CI has one")
	f.StringVar(&a.flags.outputEnv, "output-env", "", "file for the outputs as NAME=value lines (GitLab: artifacts:reports:dotenv)")
}

// outputFlags say where collected files go.
func (a *app) outputFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&a.flags.output, "output-directory", "o", "", "folder for the collected files (default: beside each artifact)")
	f.BoolVar(&a.flags.force, "force", false, "overwrite files that are there with another content")
	f.StringVar(&a.flags.key, "key", "", "public key (PEM) that must have signed (default: the one that the gate sends)")
}

// session opens what a command needs to talk to the gate from this job.
func (a *app) session() (*session, error) {
	if err := a.checkMode(); err != nil {
		return nil, err
	}
	srv, err := newServer(a.flags.server)
	if err != nil {
		return nil, err
	}
	srv.retryFor = a.flags.retryFor
	srv.noticed = a.console.retrying
	if a.flags.retryFor <= 0 || a.flags.poll < 0 || a.flags.waitTimeout < 0 {
		return nil, usage("a duration does not fit", "--retry-for, --poll and --wait-timeout above 0", "less", "give durations such as 30s or 2h")
	}
	j, err := currentJob(a.env, a.flags.ref, a.flags.commit, srv)
	if err != nil {
		return nil, err
	}
	if j.ref == "" {
		return nil, usage("the job runs on no branch or tag", "a tag or branch pipeline, or --ref refs/tags/…", "none",
			"release from a tag or branch; merge request pipelines release nothing")
	}
	return &session{server: srv, job: j, now: a.now}, nil
}

// printJSON writes the one object that --json promises.
func (a *app) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	return a.print(string(b) + "\n")
}

func (a *app) print(s string) error {
	if _, err := io.WriteString(a.stdout, s); err != nil {
		return broken("standard output cannot be written", err, "keep the pipe open")
	}
	return nil
}

// report tells why the program ends.
func (a *app) report(f *failure) error {
	f.at = a.cause(f)
	a.console.failure(f)
	if f.release != nil || f.problem.Code != "" || f.exit == ExitIdentity {
		if err := a.tell(account{release: f.release, failure: f}); err != nil {
			a.console.line("%s", err)
		}
	}
	if !a.flags.json || f.printed {
		return nil
	}
	return a.printJSON(struct {
		Exit    Exit         `json:"exit"`
		Error   api.Problem  `json:"error"`
		Release *api.Release `json:"release,omitempty"`
	}{f.exit, f.problem, f.release})
}

// skip ends a fork's job well: see [app.forked].
func (a *app) skip(f *failure) error {
	a.console.skipped(f.problem.Title)
	if err := a.tell(account{failure: f, skipped: true}); err != nil {
		return err
	}
	if !a.flags.json {
		return nil
	}
	return a.printJSON(struct {
		Exit   Exit        `json:"exit"`
		Status string      `json:"status"`
		Why    api.Problem `json:"why"`
	}{ExitOK, account{skipped: true}.status(), f.problem})
}

// signed reports whether files can be collected.
func signed(s gate.State) bool { return s == gate.StateSigned || s == gate.StatePublished }
