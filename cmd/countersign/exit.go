package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// Exit is an exit code of the program. Workflows branch on them: they never change.
type Exit int

// The exit codes.
const (
	ExitOK       Exit = 0  // signed, or pending where the command does not wait
	ExitFailed   Exit = 1  // something does not verify, or could not be read or written
	ExitUsage    Exit = 2  // the command, its arguments or the files are wrong
	ExitPolicy   Exit = 3  // denied by policy
	ExitPerson   Exit = 4  // denied by a person
	ExitTimeout  Exit = 5  // nobody decided in time
	ExitIdentity Exit = 6  // the job's identity was refused
	ExitRetry    Exit = 75 // try again later (EX_TEMPFAIL of sysexits)
)

// failure is why the program ends without what it was asked for.
type failure struct {
	exit    Exit
	problem api.Problem
	release *api.Release // where one is known
	printed bool         // the command has printed its JSON itself
	at      spot         // the line of the policy file that is its cause
	err     error
}

func (f *failure) Error() string {
	s := f.problem.Title
	if f.err != nil {
		s += ": " + f.err.Error()
	}
	return s
}

func (f *failure) Unwrap() error { return f.err }

func failed(exit Exit, title, expected, got, fix string) *failure {
	return &failure{exit: exit, problem: api.Problem{Title: title, Expected: expected, Got: got, Fix: fix}}
}

func usage(title, expected, got, fix string) *failure {
	return failed(ExitUsage, title, expected, got, fix)
}

// broken is a failure of reading, writing or verifying.
func broken(what string, err error, fix string) *failure {
	return failed(ExitFailed, what, "", err.Error(), fix)
}

// classify makes a failure of any error that a command returned.
func classify(ctx context.Context, err error) *failure {
	var f *failure
	if errors.As(err, &f) && ctx.Err() == nil {
		return f
	}
	if ctx.Err() != nil {
		out := failed(ExitRetry, "interrupted", "", "",
			"the request, if it was made, stays open: start the job again to join it")
		if f != nil {
			out.release = f.release
		}
		return out
	}
	var e *gate.Error // of the canonical forms: what is wrong with the files or flags
	if errors.As(err, &e) {
		p := api.Problem{Title: e.Text, Code: e.Code.String(), Expected: e.Expected, Got: e.Got, Fix: e.Fix}
		return &failure{exit: ExitUsage, problem: p}
	}
	return usage(err.Error(), "", "", "see countersign --help")
}

// exitOf says how a refusal of the server ends the program: by its stable code, else
// by its status.
func exitOf(status int, code string) Exit {
	if unavailable(status) || status >= http.StatusInternalServerError {
		return ExitRetry
	}
	n, err := strconv.Atoi(strings.TrimPrefix(code, "CS-"))
	if err != nil {
		return exitOfStatus(status)
	}
	switch gate.Code(n) { //nolint:exhaustive // those that differ from their hundred
	case gate.CodeRequestUnknown, gate.CodeForgeUnknown:
		return ExitUsage
	case gate.CodeNotPermitted:
		return ExitIdentity
	case gate.CodeNotSigned, gate.CodeTransition:
		return ExitRetry
	}
	switch n / 100 {
	case 10:
		return ExitIdentity
	case 11:
		return ExitUsage
	case 12, 13, 15:
		return ExitPolicy
	}
	return exitOfStatus(status)
}

func exitOfStatus(status int) Exit {
	switch status {
	case http.StatusUnauthorized:
		return ExitIdentity
	case http.StatusForbidden:
		return ExitPolicy
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge:
		return ExitUsage
	}
	return ExitFailed
}

// unavailable are the answers after which asking again may help: the server's own,
// and those of whatever stands before it.
func unavailable(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// endOf is how a request's state ends the program; nil where it is signed or may
// still become so.
func endOf(r api.Release) *failure {
	if !r.State.Ended() || r.State == gate.StatePublished {
		return nil
	}
	f := &failure{release: &r, problem: api.Problem{
		Title: fmt.Sprintf("release %s was not signed: it is %s", gate.ShortRef(r.Ref), r.State),
		Fix:   "see " + r.URL,
	}}
	if r.Ending != nil {
		f.problem.Title = fmt.Sprintf("release %s is %s: %s", gate.ShortRef(r.Ref), r.State, r.Ending.Reason)
		f.problem.Fix = orElse(r.Ending.Fix, f.problem.Fix)
	}
	f.exit = ExitPolicy
	switch r.State { //nolint:exhaustive // the others are policy's
	case gate.StateWithdrawn:
		f.exit = ExitPerson
	case gate.StateExpired:
		f.exit = ExitTimeout
	case gate.StateFailed:
		f.exit = ExitRetry
	}
	for _, c := range r.Checks {
		if c.Outcome != gate.Denied {
			continue
		}
		if c.Name == gate.CheckHold && r.State == gate.StateDenied {
			f.exit = ExitPerson
		}
		f.problem.Expected, f.problem.Got = c.Expected, c.Got
		break
	}
	return f
}
