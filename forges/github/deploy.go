package github

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/gate"
)

// maxEnvironment is GitHub's limit for an environment's name (docs, "Managing
// environments for deployment").
const maxEnvironment = 255

// deployHint is what the gate takes from the event deployment_protection_rule: all of it
// is held against the API before anything is answered.
type deployHint struct {
	Environment string `json:"environment"`
	// CallbackURL is never called. It is the only place of the payload that has the run's
	// number (schema webhook-deployment-protection-rule-requested).
	CallbackURL string `json:"deployment_callback_url"`
}

// deployRings rings for a job that asks the gate's leave. What does not say which job it
// is only has the repository looked at again.
func (f *Forge) deployRings(d gate.Delivery, p payload) ([]gate.Ring, error) {
	rings := f.rings("", p.Repository)
	if len(rings) == 0 || p.Action != "requested" {
		return rings, nil
	}
	var hint deployHint
	if err := json.Unmarshal(d.Body, &hint); err != nil {
		return rings, nil //nolint:nilerr // a hint that does not read is none
	}
	run, ok := runOf(hint.CallbackURL)
	if !ok || !isEnvironment(hint.Environment) {
		return rings, nil
	}
	rings[0].Deployment = &gate.Deployment{
		Repository: rings[0].Repository, RunID: run, Environment: hint.Environment, Requested: d.Received,
	}
	return rings, nil
}

// runOf reads the run's number off the end of a callback URL, whatever host and
// repository it names.
func runOf(callback string) (int64, bool) {
	u, err := url.Parse(callback)
	if err != nil {
		return 0, false
	}
	m := regexp.MustCompile(`/actions/runs/([1-9][0-9]{0,18})/deployment_protection_rule$`).FindStringSubmatch(u.Path)
	if m == nil {
		return 0, false
	}
	run, err := strconv.ParseInt(m[1], 10, 64)
	return run, err == nil
}

func isEnvironment(name string) bool {
	return name != "" && utf8.ValidString(name) && utf8.RuneCountInString(name) <= maxEnvironment &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
