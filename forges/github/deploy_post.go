package github

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

const (
	// maxReports is one below GitHub's limit of 10 reports per deployment (docs, "Creating
	// custom deployment protection rules"): one whose answer was lost is sent twice.
	maxReports = 9
	// maxReport is GitHub's limit for the text of one, in characters.
	maxReport = 1024
)

// pendingJSON is REST API's schema pending-deployment, in part.
type pendingJSON struct {
	Environment struct {
		Name string `json:"name"`
	} `json:"environment"`
}

// postDeployment reports to a job that waits for the gate, or lets it go on or not. A run
// that is gone, over or not waiting any more needs no answer: the post is done. Known
// is how much was reported so far, and what.
func (r *repository) postDeployment(ctx context.Context, p gate.Post) (string, error) {
	if err := checkDeployment(p); err != nil {
		return "", err
	}
	sent := readReports(p.Known)
	comment := clip(strings.TrimSpace(p.Body), maxReport)
	if p.Leave == "" && (comment == "" || sent.enough(comment)) {
		return sent.String(), nil
	}
	waits, err := r.mayWait(ctx, p.Deployment)
	if err != nil || !waits {
		return sent.String(), err
	}
	body := map[string]string{"environment_name": p.Deployment.Environment}
	if comment != "" {
		body["comment"] = comment
	}
	if p.Leave != "" {
		body["state"] = string(p.Leave)
	}
	_, _, err = r.send(ctx, http.MethodPost, nil, body, r.runPath(p.Deployment, "deployment_protection_rule")...)
	gone, doubt := r.gone(err)
	switch {
	case doubt != nil:
		return "", doubt
	case gone || statusOf(err) == http.StatusUnprocessableEntity: // the wait ended meanwhile
		return sent.String(), nil
	case err != nil:
		return "", err
	case p.Leave != "":
		return string(p.Leave), nil // a later attempt of the run waits anew, and counts anew
	}
	return sent.and(comment).String(), nil
}

func checkDeployment(p gate.Post) error {
	switch {
	case p.Deployment.RunID <= 0:
		return fmt.Errorf("run %d: expected a positive number", p.Deployment.RunID)
	case !isEnvironment(p.Deployment.Environment):
		return fmt.Errorf("environment %q: expected the name of one", p.Deployment.Environment)
	case p.Deployment.Repository != p.Repository:
		return fmt.Errorf("deployment of %s: expected one of %s", p.Deployment.Repository, p.Repository)
	case p.Leave != "" && p.Leave != gate.LeaveGiven && p.Leave != gate.LeaveRefused:
		return fmt.Errorf("leave %q: expected %q, %q or none", p.Leave, gate.LeaveGiven, gate.LeaveRefused)
	}
	return nil
}

// mayWait asks GitHub whether a run of this repository waits for the environment: the
// number came from a delivery. Where GitHub lists no such wait, but the run is not
// over, it may wait all the same: whether custom rules are in that list is not
// documented, and GitHub refuses an answer to a run that does not wait.
func (r *repository) mayWait(ctx context.Context, d gate.Deployment) (bool, error) {
	var pending []pendingJSON
	err := r.get(ctx, &pending, nil, r.runPath(d, "pending_deployments")...)
	if gone, doubt := r.gone(err); gone || doubt != nil {
		return false, doubt
	}
	if err != nil {
		return false, err
	}
	for _, p := range pending {
		if strings.EqualFold(p.Environment.Name, d.Environment) { // as GitHub compares them
			return true, nil
		}
	}
	var run runJSON
	err = r.get(ctx, &run, nil, r.runPath(d)...)
	if gone, doubt := r.gone(err); gone || doubt != nil {
		return false, doubt
	}
	if err != nil {
		return false, err
	}
	if run.ID != d.RunID || run.Repository.ID != d.Repository.ID {
		return false, unexpected(fmt.Sprintf("read run %d of %s", d.RunID, d.Repository), "GitHub answered for another")
	}
	return run.Status != "completed", nil
}

func (r *repository) runPath(d gate.Deployment, more ...string) []string {
	return r.at(append([]string{"actions", "runs", strconv.FormatInt(d.RunID, 10)}, more...)...)
}

// reports is how many went out for one deployment, and the mark of the last.
type reports struct {
	count int
	last  string
}

// readReports reads what String wrote. A verdict, or nothing, stands for no reports.
func readReports(known string) reports {
	var s reports
	if n, err := fmt.Sscanf(known, "reports/%d/%s", &s.count, &s.last); err != nil || n != 2 || s.count < 0 {
		return reports{}
	}
	return s
}

func (s reports) String() string {
	if s.count == 0 {
		return "reports/0/none"
	}
	return fmt.Sprintf("reports/%d/%s", s.count, s.last)
}

// enough reports whether the comment is not to go out: it is what was said last, or
// GitHub would take no more of them.
func (s reports) enough(comment string) bool { return s.count >= maxReports || s.last == mark(comment) }

func (s reports) and(comment string) reports { return reports{count: s.count + 1, last: mark(comment)} }

func mark(comment string) string {
	sum := sha256.Sum256([]byte(comment))
	return hex.EncodeToString(sum[:8])
}
