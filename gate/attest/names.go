package attest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// Names of the files beside the artifacts.
const (
	SumsName        = "SHA256SUMS"
	KeyName         = "countersign.pem"
	TrustedRootName = "trusted_root.json"

	BundleSuffix     = ".sigstore.json"      // of each artifact and statement: by key
	CertBundleSuffix = ".cert.sigstore.json" // of each artifact and statement: by certificate
	RawSuffix        = ".sig"                // of each artifact: the DER signature alone
	EnvelopeSuffix   = ".dsse.json"          // of each statement: its raw DSSE envelope

	VSASuffix     = "." + gate.StatementVSA + BundleSuffix
	VSADSSESuffix = "." + gate.StatementVSA + EnvelopeSuffix

	// RefusalKeyName and StatementRefusal are of what is handed out about a request that ended
	// denied.
	RefusalKeyName   = "countersign-verdict.pem"
	StatementRefusal = "refusal"
)

// releaseNames are the files of a release whose names hang on nothing, those of every format
// of SHA256SUMS among them.
func releaseNames() []string {
	return []string{
		SumsName, KeyName, TrustedRootName, RefusalKeyName,
		SumsName + RawSuffix,
		SumsName + ".sshsig", "countersign.allowed_signers",
		SumsName + ".asc", "countersign.asc",
	}
}

// ReleaseName is the base name of a release's own files: the tag or branch, with
// the slashes that a file name cannot hold as hyphens.
func ReleaseName(ref string) string { return strings.ReplaceAll(gate.ShortRef(ref), "/", "-") }

// statementNames are the statements that a release may have, but for approvals, which are
// numbered.
func statementNames() []string {
	return []string{gate.StatementVSA, gate.StatementDecision, gate.StatementRelease, StatementRefusal}
}

// statementFile splits the name of a statement's file, "v1.4.0.approval-2.dsse.json", into
// the release's and the statement's name.
func statementFile(name string) (release, statement string, ok bool) {
	for _, suffix := range []string{CertBundleSuffix, BundleSuffix, EnvelopeSuffix} {
		base, found := strings.CutSuffix(name, suffix)
		if !found {
			continue
		}
		dot := strings.LastIndexByte(base, '.')
		if dot < 1 {
			return "", "", false
		}
		release, statement = base[:dot], base[dot+1:]
		return release, statement, IsStatementName(statement)
	}
	return "", "", false
}

var approvalName = regexp.MustCompile(`^` + gate.StatementApproval + `[1-9][0-9]{0,3}$`) //nolint:gochecknoglobals // immutable

// IsStatementName reports whether a release may have a statement of that name.
func IsStatementName(name string) bool {
	return slices.Contains(statementNames(), name) || approvalName.MatchString(name)
}

// IsReleaseFile reports whether a name is one of the files of some release itself, and not
// of one of its subjects.
func IsReleaseFile(name string) bool {
	if slices.Contains(releaseNames(), name) {
		return true
	}
	release, _, ok := statementFile(name)
	return ok && release == ReleaseName(release) && !strings.ContainsAny(release, `\`) && !strings.HasPrefix(release, ".")
}

// CheckNames refuses a manifest some of whose files would overwrite another file of
// the release, such as a subject "SHA256SUMS", or "app" beside "app.sig". Names
// that differ only in case are one file on some systems. Call it when a release is
// asked for: after the signatures it is too late to rename.
//
// Room is kept for every format, and for every approval, whatever the policy asks for
// today.
func CheckNames(m gate.Manifest, name string) error {
	taken := map[string]string{}
	for _, s := range m.Subjects {
		of := fmt.Sprintf("subject %q", s.Name)
		for _, file := range []string{s.Name, s.Name + BundleSuffix, s.Name + CertBundleSuffix, s.Name + RawSuffix} {
			if other, clash := taken[strings.ToLower(file)]; clash {
				return clashing(file, of, other)
			}
			if ofRelease(file, name) {
				return clashing(file, of, "the release's own")
			}
			taken[strings.ToLower(file)] = of
		}
	}
	return nil
}

// ofRelease reports whether a release of that name may have the file.
func ofRelease(file, name string) bool {
	if slices.ContainsFunc(releaseNames(), func(own string) bool { return strings.EqualFold(own, file) }) {
		return true
	}
	release, _, ok := statementFile(strings.ToLower(file))
	return ok && release == strings.ToLower(name)
}

func clashing(file, of, other string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeSubjects,
		Text: fmt.Sprintf("file %q of %s is also %s", file, of, other),
		Expected: "names that leave room for " + BundleSuffix + ", " + CertBundleSuffix + ", " + RawSuffix +
			" and the release's own files, such as " + SumsName + " and " + KeyName,
		Got: fmt.Sprintf("%q", file), Fix: "rename the subject, or leave it out",
	}
}
