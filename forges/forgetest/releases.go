package forgetest

// A ReleaseWorld is a forge with release pages, to which people and jobs add files. Both
// doubles are one.
type ReleaseWorld interface {
	// MakeRelease makes the release page of a tag as by; a draft where the forge has drafts
	// and draft is set.
	MakeRelease(repo Repository, by Person, tag string, draft bool)
	// PublishRelease publishes the draft of a tag as by.
	PublishRelease(repo Repository, by Person, tag string)
	// PutAsset adds a file to the release of a tag as by, in place of one of that name.
	PutAsset(repo Repository, by Person, tag, name string, content []byte)
	// Assets are the files of the release of a tag by name; nil where there is none.
	Assets(repo Repository, tag string) map[string][]byte
}
