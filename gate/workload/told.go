package workload

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/countersign/countersign/gate"
)

// Told is err with all pinned claims of the ID token that w was made of, where err
// refuses that ID token for something that only came to light after [Verifier.Verify]:
// its job ended, the ask contradicts it, it was used before. An error that knows better
// which claim it is about names it in its Claims. Any other error comes back as it is.
//
// ask is the zero Ask where the job asks about a request.
func Told(err error, w gate.Workload, ask gate.Ask, now time.Time) error {
	var e *gate.Error
	if len(w.Claims) == 0 || !errors.As(err, &e) {
		return err
	}
	c := reread(w, now)
	c.compare(w, ask)
	switch {
	case len(e.Claims) > 0:
		for _, x := range e.Claims {
			if c.row(x.Claim) != nil && !x.OK { // what is not pinned is never shown
				c.doubt(x.Claim, x.Expected)
			}
		}
	case e.Code == gate.CodeAskMismatch:
	case e.Code == gate.CodeTokenRebound:
		c.doubt("jti", "an id that served no other request")
	case e.Code == gate.CodeTokenClaims:
		c.doubt(jobClaim(w), e.Expected)
	default:
		return err
	}
	shown := *e
	shown.Claims = c.rows
	return &tabled{error: err, shown: &shown}
}

// jobClaim names the job, as well as the forge's version lets it.
func jobClaim(w gate.Workload) string {
	switch {
	case w.Kind == gate.GitLab:
		return "job_id"
	case w.JobID != 0:
		return "check_run_id"
	}
	return "run_id"
}

// reread reads the claims of a workload again, for their table.
func reread(w gate.Workload, now time.Time) *claims {
	c := &claims{members: make(map[string]json.RawMessage, len(w.Claims))}
	for name, v := range w.Claims {
		if raw, err := json.Marshal(v); err == nil { // they were made of JSON
			c.members[name] = raw
		}
	}
	reading{
		issuer: Issuer{Forge: w.Forge, Kind: w.Kind, URL: w.Issuer}, audiences: []string{w.Audience}, now: now, runChecked: true,
	}.workload(c)
	return c
}

// tabled is an error whose reader sees the claims too; the log has the whole chain.
type tabled struct {
	error

	shown *gate.Error
}

// Unwrap gives the error itself.
func (t *tabled) Unwrap() error { return t.error }

// As gives the [gate.Error] with its claims.
func (t *tabled) As(target any) bool {
	e, ok := target.(**gate.Error)
	if ok {
		*e = t.shown
	}
	return ok
}
