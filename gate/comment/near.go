package comment

import (
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxDistance is how many letters a typo may miss, add or change.
const maxDistance = 2

func didYouMean(v gate.Verb) string {
	if v == "" {
		v = gate.VerbHelp
	}
	return "did you mean `" + Word + " " + string(v) + "`?"
}

// bestVerb is the verb that the first word of s comes closest to, or "".
func bestVerb(s string) gate.Verb {
	word, _ := next(s)
	best, at := gate.Verb(""), maxDistance+1
	for _, v := range verbs() {
		if d := distance(strings.ToLower(word), string(v)); d < at && d < len(v)-1 {
			best, at = v, d
		}
	}
	return best
}

func near(word, want string) bool {
	return strings.HasPrefix(word, "/") && distance(strings.ToLower(word), want) <= maxDistance
}

// distance is the Levenshtein distance in bytes; words much longer than any
// command are far from all.
func distance(a, b string) int {
	if len(a) > 2*len(b) {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
