package canonical

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
)

// MaxSubjects is the most files one release may have.
const MaxSubjects = 1000

// NewManifest sorts subjects by name (bytewise) and checks them: 1 to
// [MaxSubjects], names unique also under case folding, every digest given.
// Errors are *gate.Error with CodeSubjects.
func NewManifest(subjects []gate.Subject) (gate.Manifest, error) {
	if len(subjects) == 0 || len(subjects) > MaxSubjects {
		return gate.Manifest{}, badSubjects("the list of subjects is empty or too long",
			fmt.Sprintf("1 to %d subjects", MaxSubjects), fmt.Sprint(len(subjects)),
			"list the released files; pack them where there are more")
	}
	for _, s := range subjects {
		if err := checkName(s.Name); err != nil {
			return gate.Manifest{}, err
		}
		if s.SHA256 == (gate.Digest{}) {
			return gate.Manifest{}, badSubjects("subject "+shown(s.Name)+" has no digest",
				"the SHA-256 of its bytes", "none", "send sha256 as 64 lower-case hex digits")
		}
	}
	sorted := slices.Clone(subjects)
	slices.SortFunc(sorted, func(a, b gate.Subject) int { return cmp.Compare(a.Name, b.Name) })
	if err := checkUnique(sorted); err != nil {
		return gate.Manifest{}, err
	}
	return gate.Manifest{Subjects: sorted}, nil
}

// ParseManifest reads the exact bytes of [gate.Manifest.Bytes] and nothing else: one
// manifest has one form. Errors are *gate.Error with CodeSubjects.
func ParseManifest(sums []byte) (gate.Manifest, error) {
	body, ended := bytes.CutSuffix(sums, []byte("\n"))
	if !ended {
		return gate.Manifest{}, badSubjects("the manifest's last line has no end", "a line feed at the end",
			fmt.Sprintf("%d bytes without one", len(sums)), "write it with sha256sum")
	}
	var subjects []gate.Subject
	for n, line := range bytes.Split(body, []byte("\n")) {
		s, err := parseLine(n+1, line)
		if err != nil {
			return gate.Manifest{}, err
		}
		subjects = append(subjects, s)
		if len(subjects) > MaxSubjects {
			break // NewManifest says so
		}
	}
	m, err := NewManifest(subjects)
	if err != nil {
		return gate.Manifest{}, err
	}
	if !slices.Equal(m.Subjects, subjects) {
		return gate.Manifest{}, badSubjects("the manifest is not sorted by name", "lines in the bytewise order of names",
			"another order", "sort it: LC_ALL=C sort -k2")
	}
	return m, nil
}

func parseLine(n int, line []byte) (gate.Subject, error) {
	hexDigest, name, ok := bytes.Cut(line, []byte("  "))
	var s gate.Subject
	if !ok || s.SHA256.UnmarshalText(hexDigest) != nil {
		return gate.Subject{}, badSubjects(fmt.Sprintf("line %d of the manifest does not read", n),
			"64 lower-case hex digits, two spaces and a name", shown(string(line)), "write it with sha256sum")
	}
	s.Name = string(name)
	return s, nil
}
