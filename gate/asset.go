package gate

import "strings"

// Asset is one file of a forge's release, as the forge lists it.
type Asset struct {
	Name string
	// SHA256 is the forge's word on its content; unknown where it gives none.
	SHA256 Fact[Digest]
}

// Named reports whether the asset may be the file of that name: forges rename what they are
// given. GitHub "renames asset filenames that have special characters, non-alphanumeric
// characters, and leading or trailing periods" (REST API, "Upload a release asset").
func (a Asset) Named(name string) bool { return a.Name == name || folded(a.Name) == folded(name) }

// folded leaves of a name what no forge changes.
func folded(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	return strings.Join(words, ".")
}
