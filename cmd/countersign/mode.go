package main

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/canonical"
)

// mode is how a job waits for people.
type mode string

// The modes. Which one fits is told in docs/action.md.
const (
	// modeAuto is modeEnvironment where the job was held until the release was signed, and
	// modeWait elsewhere; a request alone never waits in it.
	modeAuto mode = "auto"
	// modeWait waits here, in the job.
	modeWait mode = "wait"
	// modeEnvironment expects that the forge held the job back until the release was signed.
	modeEnvironment mode = "environment"
	// modeResume leaves the waiting to a workflow, or a manual job, that starts later.
	modeResume mode = "resume"
)

// grace is how long a job that was held back waits for what should be signed already.
const grace = 2 * time.Minute

func (a *app) checkMode() error {
	switch a.flags.mode {
	case "":
		a.flags.mode = modeAuto
		return nil
	case modeAuto, modeWait, modeEnvironment, modeResume:
		return nil
	}
	return usage("--mode does not fit", "auto, wait, environment or resume", fmt.Sprintf("%.40q", string(a.flags.mode)),
		"leave it out: auto fits most releases")
}

// await has the job wait as its mode says. Pending is true where it is not to wait and the
// release is not signed yet, or never will be because nothing is in an audit: a workflow that
// is being tried out goes on as it did before.
func (a *app) await(ctx context.Context, s *session, r api.Release, m mode) (_ api.Release, pending bool, err error) {
	if settled(r.State) {
		return r, false, nil
	}
	switch m {
	case modeResume:
		return r, true, nil
	case modeEnvironment:
		r, err = a.held(ctx, s, r)
		return r, false, err
	case modeAuto, modeWait:
	}
	if m == modeAuto {
		a.mayBeHeld(ctx, s, r)
	}
	r, err = s.wait(ctx, r, a.flags.waitTimeout, a.flags.poll, a.console)
	if err == nil && audited(r) {
		a.console.audited(r)
		return r, true, nil
	}
	return r, false, err
}

// held waits for a moment: between the signatures and the start of the job there may be
// more calls of the forge than one thinks. Whoever set the environment up otherwise is told
// how.
func (a *app) held(ctx context.Context, s *session, r api.Release) (api.Release, error) {
	environment, err := s.environment(ctx, r.ID)
	if err != nil {
		return r, err
	}
	if environment == "" {
		f := usage("this job runs in no environment, so nothing held it until the release was signed", "a job with an environment", "none",
			"give --mode wait, or name one on the job and have Countersign hold it:\n\n    environment: release")
		f.release = &r
		return r, f
	}
	next, err := s.wait(ctx, r, min(grace, a.flags.waitTimeout), a.flags.poll, a.console)
	f := failureIn(err)
	if f == nil || f.exit != ExitTimeout {
		return next, err
	}
	f.problem.Title = fmt.Sprintf("environment %q did not hold this job until release %s was signed", environment, gate.ShortRef(r.Ref))
	f.problem.Expected, f.problem.Got = "a signed release when the job starts", "a release that is "+string(next.State)
	f.problem.Fix = "let an earlier job of this workflow run countersign request, and name its id here as request-id.\n" +
		"Then switch the gate's app on under Settings, Environments, " + plain(environment) + ", Deployment protection rules.\n" +
		"Private repositories need GitHub Enterprise for such rules; --mode wait works everywhere"
	return next, f
}

// mayBeHeld says that minutes are burnt, where the job has an environment that could wait
// for nothing. What cannot be told is not worth a word.
func (a *app) mayBeHeld(ctx context.Context, s *session, r api.Release) {
	if environment, err := s.environment(ctx, r.ID); err == nil && environment != "" {
		a.console.line("environment %s does not hold its jobs for the gate yet: this one waits on a runner (see docs/action.md)", plain(environment))
	}
}

// environment is the one that the job runs in, as GitHub says in its ID token; "" where it
// runs in none. The claim decides nothing here: the gate verifies what counts.
func (s *session) environment(ctx context.Context, id string) (string, error) {
	if s.job.kind != gate.GitHub {
		return "", usage("--mode environment is for GitHub", "GitHub Actions", string(s.job.kind),
			"give --mode wait, or --mode resume with a manual job that collects")
	}
	idToken, err := s.job.token(ctx, canonical.RequestAudience(s.server.base.Host, id))
	if err != nil {
		return "", err
	}
	return claimed(idToken).Environment, nil
}
