package gate

import (
	"strings"
	"time"
)

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

// AssetsWatched is for how long the files of a signed release are compared with what was
// signed.
const AssetsWatched = 30 * 24 * time.Hour

// AssetWatch is one signed release whose files are to be compared.
type AssetWatch struct {
	Record Record
	// Said stands for what was told of its files last; "" where all was well.
	Said string
}

// AssetMismatch is a file at the forge under the name of a signed one, with another content.
type AssetMismatch struct {
	Asset  string `json:"asset"`  // as the forge names it
	Signed Digest `json:"signed"` // of the file that was signed
	Found  Digest `json:"found"`
}

// ReleasePage names the forge's release of a tag, by its full ref.
type ReleasePage struct {
	Repository RepositoryID
	Ref        string
}
