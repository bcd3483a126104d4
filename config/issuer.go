package config

import (
	"regexp"
	"strings"
)

// slug is an enterprise's name in GitHub's URLs.
var slug = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

// issuer is the exact issuer of a forge's ID tokens: its own, unless the file names
// another. Where GitHub runs the issuer, an enterprise may have its slug put behind it
// and then no other issuer speaks for its repositories; anything else there would let a
// stranger speak for GitHub (attack 1).
func (c *checker) issuer(field, text, own string, byGitHub bool) string {
	if text == "" {
		return own
	}
	got := c.url(field, text, true).String()
	enterprise, under := strings.CutPrefix(got, own+"/")
	if byGitHub && got != "" && got != own && (!under || !slug.MatchString(enterprise)) {
		c.wrong(field, own+", or "+own+"/ and an enterprise's slug", text)
	}
	return got
}
