package verify

import "fmt"

// Outcome is what one step found.
type Outcome string

// Outcomes. Only Passed is a pass: the zero value is none.
const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	NotChecked Outcome = "not checked"
)

// Result is one step of a verification, with the steps that it is made of.
type Result struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"`
	// Fix is what to do where the step failed for want of something that the caller can give;
	// "" where what is verified is at fault.
	Fix   string   `json:"fix,omitempty"`
	Steps []Result `json:"steps,omitempty"`
}

// OK reports whether the step and everything under it passed; what this version does
// not check counts neither way, but something must have passed.
func (r Result) OK() bool {
	if len(r.Steps) == 0 {
		return r.Outcome == Passed
	}
	passed := false
	for _, s := range r.Steps {
		if s.Outcome == NotChecked && len(s.Steps) == 0 {
			continue
		}
		if !s.OK() {
			return false
		}
		passed = true
	}
	return passed && r.Outcome == Passed
}

// tree collects the steps of one result, and counts those that failed.
type tree struct {
	r        Result
	failures int
}

func (t *tree) pass(name, format string, args ...any) {
	t.r.Steps = append(t.r.Steps, Result{Name: name, Outcome: Passed, Detail: fmt.Sprintf(format, args...)})
}

func (t *tree) fail(name, format string, args ...any) {
	t.failures++
	t.r.Steps = append(t.r.Steps, Result{Name: name, Outcome: Failed, Detail: fmt.Sprintf(format, args...)})
}

// lacks fails a step for want of something that the caller can give.
func (t *tree) lacks(name, fix, format string, args ...any) {
	t.fail(name, format, args...)
	t.r.Steps[len(t.r.Steps)-1].Fix = fix
}

// tell says in one line what a tree that holds is about.
func (t *tree) tell(format string, args ...any) {
	if t.failures == 0 {
		t.r.Detail = fmt.Sprintf(format, args...)
	}
}

// check passes with detail, or fails with err.
func (t *tree) check(name string, err error, format string, args ...any) bool {
	if err != nil {
		t.fail(name, "%v", err)
		return false
	}
	t.pass(name, format, args...)
	return true
}

func (t *tree) skip(name, why string) {
	t.r.Steps = append(t.r.Steps, Result{Name: name, Outcome: NotChecked, Detail: why})
}

// add puts a closed tree under this one.
func (t *tree) add(r Result) bool {
	t.r.Steps = append(t.r.Steps, r)
	if r.Outcome == Failed {
		t.failures++
	}
	return r.Outcome == Passed
}

// done closes the tree: it passed if nothing in it failed and something passed.
func (t *tree) done() Result {
	t.r.Outcome = Passed
	if !t.r.OK() {
		t.r.Outcome = Failed
	}
	return t.r
}
