// Package policy turns .countersign.yaml into a [gate.Policy]: a strict reader with
// line, column and caret in every refusal, the defaults, and patterns compiled
// behind [gate.Matcher], held to the operator's floors ([Floor]). It also says what
// evidence a policy needs ([Needs]), which of its streams a workload means ([Choose]), who
// owns a file ([CompileOwners]), and what comes of made-up releases ([Trials]).
package policy

import "github.com/countersign/countersign/gate"

// Path is where the policy file lies in a repository.
const Path = ".countersign.yaml"

// Version is the only version of the file's format.
const Version = 1

// MaxFile is the largest policy file, in bytes.
const MaxFile = 256 << 10

// Minimal is the smallest file that releases something, to be pasted as it is.
func Minimal(kind gate.ForgeKind) string {
	if kind == gate.GitLab {
		return "version: 1\nreleases:\n  - job: release\n"
	}
	return "version: 1\nreleases:\n  - workflow: release.yml\n"
}
