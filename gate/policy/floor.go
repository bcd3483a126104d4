package policy

import (
	"fmt"
	"regexp"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
)

// Floor is what an operator asks of every stream of a repository's policy, whatever its
// file says. It only ever tightens. The zero Floor asks for nothing.
type Floor struct {
	// Name is what people read; "floor:" and it is the floor's place among a policy's sources.
	Name   string
	digest gate.Digest // SHA-256 of its file
	ask    asked
}

// asked is what a floor asks for; a zero field asks for nothing.
type asked struct {
	approvals  []gate.ApprovalGroup
	outsider   bool
	noReviews  bool
	noPage     bool
	minReviews int
	noBypass   bool
	noPush     bool
	settle     time.Duration
	runner     string // "hosted" stands for the forge's own
	checks     []string
	owners     bool
	perRequest bool // bind: request
	window     *gate.Window
	formats    []gate.Format
	witnesses  int
	publish    []gate.Publication
	expires    time.Duration
}

const (
	anyHosted     = "hosted" // github-hosted or gitlab-hosted, whichever the forge has
	minimalFloor  = "version: 1\nfloor:\n  approvals: [{from: [write], count: 2}]"
	floorSource   = "floor:"
	maxFloorName  = 63
	floorNameRule = "1 to 63 of a-z, 0-9 and inner hyphens"
)

// ParseFloor reads a floor's file: strict YAML of version: 1 and floor:, whose fields are
// those of a release that can be tightened. Path is for messages only. Errors are
// *gate.Error, Invalid with CodePolicyInvalid, and show the line as those of [Parse] do.
func ParseFloor(name, path string, file []byte) (Floor, error) {
	if !regexp.MustCompile("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$").MatchString(name) || len(name) > maxFloorName {
		return Floor{}, (&source{path: path}).whole("the floor's name "+quoted(name)+" is not allowed", floorNameRule, quoted(name), "choose a short name, such as server")
	}
	s, body, err := open(path, file, minimalFloor)
	if err != nil {
		return Floor{}, err
	}
	r := &reader{source: s}
	f := Floor{Name: name, digest: gate.SHA256(file)}
	top := r.fields("a floor's file", body, nil, "version", "floor")
	r.version(top, body)
	if asks, ok := top["floor"]; ok {
		f.ask = r.floor(asks)
	} else {
		r.bad(body, "the file has no floor", "floor: and what it asks for", "nothing", "start with:\n"+minimalFloor)
	}
	return f, r.err
}

// floor reads what a floor asks for. It knows no word that would loosen anything.
func (r *reader) floor(f field) asked {
	sub := r.fields("a floor", f.value, nil,
		"approvals", "separation", "reviews_count", "page_counts", "branch", "identity", "checks", "codeowners", "bind", "window",
		"formats", "witnesses", "publish", "expires")
	if len(sub) == 0 {
		r.bad(f.value, "the floor asks for nothing", "at least one field", "nothing", "start with:\n"+minimalFloor)
		return asked{}
	}
	a := asked{
		outsider: r.only(sub, "separation", string(gate.Outsider)), perRequest: r.only(sub, "bind", string(gate.BindRequest)),
		noReviews: r.flag(sub, "reviews_count", false), noPage: r.flag(sub, "page_counts", false), owners: r.flag(sub, "codeowners", true),
	}
	if x, ok := sub["approvals"]; ok {
		a.approvals = r.approvals(x, Origin{})
	}
	if x, ok := sub["branch"]; ok {
		r.floorBranch(x, &a)
	}
	if x, ok := sub["identity"]; ok {
		id := r.fields("identity", x.value, nil, "runner")
		if w, ok := id["runner"]; ok {
			a.runner = r.word("runner", w.value, anyHosted, "github-hosted", "gitlab-hosted", "self-hosted")
		} else {
			r.bad(x.value, "identity names no runner", "identity: {runner: "+anyHosted+"}", "nothing", "leave identity out to allow any")
		}
	}
	if x, ok := sub["checks"]; ok {
		a.checks = r.checks(x)
	}
	if x, ok := sub["window"]; ok {
		a.window = r.window(x)
	}
	if x, ok := sub["formats"]; ok {
		a.formats = r.formats(x)
	}
	if x, ok := sub["witnesses"]; ok {
		a.witnesses = r.number("witnesses", x.value, 1, MaxWitnesses)
	}
	if x, ok := sub["publish"]; ok {
		a.publish = r.publish(x, "")
	}
	if x, ok := sub["expires"]; ok {
		a.expires = r.duration(x, minExpires, maxExpires, "seven days are 168h")
	}
	return a
}

func (r *reader) floorBranch(f field, a *asked) {
	sub := r.fields("branch", f.value, nil, "min_reviews", "bypass", "push", "settle")
	if len(sub) == 0 {
		r.bad(f.value, "branch asks for nothing", "branch: {min_reviews: 1}", "nothing", "leave branch out")
	}
	if m, ok := sub["min_reviews"]; ok {
		a.minReviews = r.number("min_reviews", m.value, 1, maxReviews)
	}
	a.noBypass, a.noPush = r.only(sub, "bypass", string(gate.Deny)), r.only(sub, "push", string(gate.Deny))
	if x, ok := sub["settle"]; ok {
		a.settle = r.duration(x, time.Second, maxSettle, "leave it out to ask for none")
	}
}

// only reads a field whose one word is the strict one, and reports whether it stands.
func (r *reader) only(sub map[string]field, name, strict string) bool {
	f, ok := sub[name]
	if !ok {
		return false
	}
	if s := r.text(name, f.value); r.err == nil && s != strict {
		r.bad(f.value, name+" is "+quoted(s), strict, quoted(s), "a floor only tightens: write "+strict+", or leave it out")
	}
	return true
}

// flag reads a field whose one value is the strict one, and reports whether it stands.
func (r *reader) flag(sub map[string]field, name string, strict bool) bool {
	f, ok := sub[name]
	if !ok {
		return false
	}
	if b := r.boolean(name, f.value); r.err == nil && b != strict {
		r.bad(f.value, fmt.Sprintf("%s is %t", name, b), fmt.Sprint(strict), fmt.Sprint(b), fmt.Sprintf("a floor only tightens: write %t, or leave it out", strict))
	}
	return true
}

// version reads the version that every file of the format starts with.
func (r *reader) version(top map[string]field, body ast.Node) {
	if v, ok := top["version"]; ok {
		r.number("version", v.value, Version, Version)
	} else if r.err == nil {
		r.bad(body, "the file has no version", "version: 1", "nothing", "put version: 1 on the first line")
	}
}
