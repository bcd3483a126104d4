package canonical

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/countersign/countersign/gate"
)

// MaxName is the longest subject name, in bytes.
const MaxName = 512

// checkName refuses names that two systems could read as different files, that
// people cannot tell apart, or that leave the folder (attack 66).
func checkName(name string) error {
	what := "subject name " + shown(name)
	bad := func(why, expected, fix string) error {
		return badSubjects(what+" "+why, expected, shown(name), fix)
	}
	switch {
	case name == "":
		return bad("is empty", "a file name", "name every file")
	case len(name) > MaxName:
		return bad("is too long", fmt.Sprintf("at most %d bytes", MaxName), "give the file a shorter name")
	case !utf8.ValidString(name):
		return bad("is not UTF-8", "UTF-8 in normal form C", "rename the file")
	case !norm.NFC.IsNormalString(name):
		return bad("is not in Unicode normal form C", shown(norm.NFC.String(name)), "rename the file to its composed form")
	case strings.HasPrefix(name, "-"):
		return bad("starts with a hyphen", "a name that no tool takes for an option", "rename the file")
	case strings.HasPrefix(name, " "), strings.HasSuffix(name, " "):
		return bad("starts or ends with a space", "a name that can be told by eye", "rename the file")
	case strings.Contains(name, `\`):
		return bad("holds a backslash", "forward slashes between folders", "write the path with forward slashes")
	}
	for _, r := range name {
		// Graphic leaves out control, bidi, zero-width, private and unassigned
		// characters; of all spaces only the plain one can be told by eye.
		if !unicode.IsGraphic(r) || (unicode.IsSpace(r) || unicode.Is(unicode.Zs, r)) && r != ' ' {
			return bad(fmt.Sprintf("holds %U", r), "visible characters only", "rename the file")
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return bad("is not a plain relative path", "segments other than empty, . and ..",
				"name the file relative to the release folder, such as dist/app.tar.gz")
		}
	}
	return nil
}

// folded is the key under which names must be unique: Unicode canonical caseless
// matching (The Unicode Standard, D145).
func folded(name string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFD.String(name)))
}

func checkUnique(subjects []gate.Subject) error {
	seen := make(map[string]string, len(subjects))
	for _, s := range subjects {
		key := folded(s.Name)
		if other, twice := seen[key]; twice {
			return badSubjects(fmt.Sprintf("subjects %s and %s have one name", shown(other), shown(s.Name)),
				"names that differ in more than case", shown(s.Name), "list every file once")
		}
		seen[key] = s.Name
	}
	return nil
}
