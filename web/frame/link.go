package frame

import (
	"net/url"
	"strings"
)

// Link is a foreign URL where it is one that a page may link to, else "". What browsers
// would run, or read as an address of this server, is none.
func Link(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return raw
}

// LocalPath is raw where it is a path of this server that one may be led back to, else "/".
// A browser reads "//host", "/\host" and a path with control characters in it as another
// server's address.
func LocalPath(raw string) string {
	const limit = 512
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > limit,
		!strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//"),
		strings.Contains(raw, `\`) || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f }),
		u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "",
		strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`):
		return "/"
	}
	return raw
}
