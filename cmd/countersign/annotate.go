package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/policy"
)

// spot is a line of the policy file that is the cause of something; the zero spot is none.
type spot struct {
	file string
	line int
}

// annotated is a workflow command that GitHub shows beside the file, or above the log. Its
// parts are escaped as the Actions toolkit does (actions/toolkit,
// packages/core/src/command.ts).
func annotated(level string, at spot, title, message string) string {
	var b strings.Builder
	b.WriteString("::" + level + " ")
	if at.line > 0 {
		fmt.Fprintf(&b, "file=%s,line=%d,", property(at.file), at.line)
	}
	fmt.Fprintf(&b, "title=%s::%s", property(title), annotation(message))
	return b.String()
}

// annotation escapes the message of a workflow command.
func annotation(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// property escapes one of its properties.
func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

// faultLine finds the place in the text of a policy file that does not parse.
func faultLine(p api.Problem) spot {
	if p.Code != gate.CodePolicyInvalid.String() {
		return spot{}
	}
	at := regexp.MustCompile(`(?:^|\s)` + regexp.QuoteMeta(policy.Path) + `:([0-9]{1,6}):[0-9]+: `).FindStringSubmatch(p.Title)
	if at == nil {
		return spot{}
	}
	line, err := strconv.Atoi(at[1])
	if err != nil {
		return spot{}
	}
	return spot{policy.Path, line}
}

// deciding are the fields of a stream by which a check decides, the likeliest first.
func deciding(c gate.CheckName) []string {
	return map[gate.CheckName][]string{
		gate.CheckIdentity: {
			"workflow", "uses", "job", "from.events", "from.refs", "identity.runner", "identity.environment",
		},
		gate.CheckRef:         {"tags", "not_tags", "branches"},
		gate.CheckCI:          {"checks"},
		gate.CheckRules:       {"rules"},
		gate.CheckBranch:      {"branches"},
		gate.CheckProtection:  {"branch.min_reviews", "branch.force_push", "branch.admins", "branch.bypass", "branch.push", "branch.settle"},
		gate.CheckCoverage:    {"separation", "reviews_count"},
		gate.CheckOwners:      {"codeowners"},
		gate.CheckApprovals:   {"approvals"},
		gate.CheckIndependent: {"approvals", "separation"},
		gate.CheckWindow:      {"window"},
		gate.CheckKey:         {"key"},
		gate.CheckTime:        {"expires"},
	}[c]
}

// cause is the line of the checked-out policy file that a failure comes from, as well as it
// can be told here: what is in force may be another version.
func (a *app) cause(f *failure) spot {
	if at := faultLine(f.problem); at.line > 0 {
		return at
	}
	switch f.problem.Code {
	case gate.CodeStreamUnknown.String():
		return a.inPolicy("", gate.CheckIdentity, "")
	case gate.CodeKeyUnknown.String(), gate.CodeKeyUnbound.String():
		return a.inPolicy("", gate.CheckKey, "")
	}
	if f.release == nil {
		return spot{}
	}
	for _, c := range f.release.Checks {
		if c.Outcome == gate.Denied {
			return a.inPolicy(f.release.Stream, c.Name, c.Expected)
		}
	}
	return spot{}
}

// inPolicy finds the field of a stream ("" takes the first) by which a check decides: the
// one whose value was expected, else the first that the file has, else the stream itself.
func (a *app) inPolicy(stream string, by gate.CheckName, expected string) spot {
	fields := deciding(by)
	if a.env["GITHUB_ACTIONS"] != "true" || len(fields) == 0 {
		return spot{}
	}
	file, err := readPolicy(filepath.Join(a.env["GITHUB_WORKSPACE"], policy.Path))
	if err != nil {
		return spot{}
	}
	_, streams, err := policy.Explain(file, policy.Origin{
		Repository: gate.RepositoryID{Forge: gate.ForgeID(gate.GitHub), ID: 1}, Commit: strings.Repeat("0", 40),
		Path: policy.Path, DefaultBranch: "main", Kind: gate.GitHub, Keys: []string{boundKey}, Witnesses: policy.MaxWitnesses,
	})
	if err != nil {
		return spot{}
	}
	for _, s := range streams {
		if s.Name == stream || stream == "" {
			return spot{policy.Path, lineIn(s, fields, expected)}
		}
	}
	return spot{}
}

func lineIn(s policy.Explained, fields []string, expected string) int {
	lines, values := map[string]int{}, map[string]string{}
	for _, v := range s.Values {
		lines[v.Field], values[v.Field] = v.Line, v.Value
	}
	for _, f := range fields {
		if lines[f] > 0 && expected != "" && values[f] == expected {
			return lines[f]
		}
	}
	for _, f := range fields {
		if lines[f] > 0 {
			return lines[f]
		}
	}
	return s.Line
}
