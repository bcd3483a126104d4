package transcript

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // git's own object identifiers are SHA-1
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Terms say what may and what must not be told.
type Terms struct {
	// Secrets are texts that must not be in the record: keys, tokens, webhook secrets. The
	// credentials of the recorded calls are added to them.
	Secrets []string
	// Own are the asker's own texts, which tell nobody's name and are kept.
	Own []string
	// URL and API are the configured web side and REST base: the hosts of both are replaced.
	URL, API string
}

const (
	redacted = "[redacted]"
	standURL = "https://forge.invalid"
	standAPI = "https://api.forge.invalid"
)

// redactor replaces what is told. It is not safe for concurrent use.
type redactor struct {
	terms  Terms
	hidden []string // the secrets, and the forms in which they may turn up
	hosts  map[string]string
	names  *names
}

func newRedactor(t Terms) *redactor {
	r := &redactor{terms: t, hosts: map[string]string{}, names: newNames()}
	for _, secret := range t.Secrets {
		r.hidden = append(r.hidden, disguises(secret)...)
	}
	if u, err := url.Parse(t.API); err == nil && u.Host != "" {
		r.hosts[u.Host] = strings.TrimPrefix(standAPI, "https://")
	}
	if u, err := url.Parse(t.URL); err == nil && u.Host != "" {
		r.hosts[u.Host] = strings.TrimPrefix(standURL, "https://")
	}
	return r
}

// url is a URL's stand-in: known hosts keep apart, all others become one.
func (r *redactor) url(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return redacted
	}
	host := r.hosts[u.Host]
	if host == "" {
		host = "elsewhere.invalid"
	}
	out := "https://" + host + r.target(u)
	if anchor.MatchString(u.Fragment) {
		out += "#" + u.Fragment
	}
	return out
}

// target is the stand-in of a URL's path and query.
func (r *redactor) target(u *url.URL) string {
	out := r.names.escaped(u.EscapedPath())
	if q := u.Query(); len(q) > 0 {
		for _, key := range slices.Sorted(maps.Keys(q)) {
			values := q[key]
			for i, v := range values {
				values[i] = r.text(field{key: key}, v)
			}
		}
		out += "?" + q.Encode()
	}
	return out
}

// field is where a text stands.
type field struct {
	key     string
	parent  string // the key of the object around it
	failure bool   // in an answer that is an error
	query   bool   // in what was asked, not in what was answered
}

// text is the stand-in of one text, or the text itself where it names nobody.
func (r *redactor) text(f field, s string) string {
	kind := "name"
	if f.key == "login" || f.key == "username" || f.key == "creator" {
		kind = "user"
	}
	switch {
	case s == "":
		return s
	case slices.Contains(r.terms.Own, s):
		return s
	case secretKey(f.key) || slices.Contains(r.terms.Secrets, s) || secretShape.MatchString(s) || r.holdsSecret(s):
		return redacted
	case plain.MatchString(s) || isOwnName(s) || r.isWord(f, s):
		return s
	case (f.key == "node_id" || f.key == "id") && nodeID.MatchString(s):
		return s
	case strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://"):
		return r.url(s)
	case f.query && f.key == "query": // the gate's own GraphQL: what others named can only be in its literals
		return literal.ReplaceAllStringFunc(s, func(l string) string {
			return `"` + r.text(field{key: "id"}, strings.Trim(l, `"`)) + `"`
		})
	case f.failure && slices.Contains([]string{"message", "error", "documentation_url"}, f.key):
		if slices.Contains(refusals(), s) {
			return s
		}
		return r.names.kept(s)
	case strings.ContainsAny(s, " \t\r\n"):
		return r.prose(s)
	}
	return r.names.path(kind, s)
}

var literal = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// refusals are what the forges say in so many words where they refuse, and what the
// adapters tell cases apart by.
func refusals() []string {
	return []string{
		"Branch not protected", "Not Found", "Bad credentials", "Resource not accessible by integration",
		"404 Not found", "404 Project Not Found", "401 Unauthorized", "403 Forbidden", "insufficient_scope",
	}
}

// isWord reports whether the text is one of the forge's own words.
func (r *redactor) isWord(f field, s string) bool {
	switch {
	case f.parent == "permissions" || f.key == "role_name" || f.key == "roleName":
		return slices.Contains(roles(), strings.ToLower(s))
	case f.key == "version" || f.key == "revision":
		return word.MatchString(s)
	}
	return slices.Contains(wordKeys(), f.key) && word.MatchString(s)
}

// ownMark is the hidden line of the probe's own posts, by which it finds them again.
var ownMark = regexp.MustCompile(`<!-- countersign:(?:request|reply|thread):probe[A-Za-z0-9:._/-]{0,80} -->`)

// prose is the stand-in of what somebody wrote. Marks of the probe's own stay.
func (r *redactor) prose(s string) string {
	marks := ownMark.FindAllString(s, -1)
	rest := strings.TrimSpace(ownMark.ReplaceAllString(s, ""))
	if rest != "" && !slices.Contains(r.terms.Own, rest) && !plain.MatchString(rest) {
		rest = r.names.standIn("text", rest)
	}
	return strings.TrimSpace(rest + "\n\n" + strings.Join(marks, "\n"))
}

// holdsSecret looks for the secrets as they are and as they may stand in other texts.
func (r *redactor) holdsSecret(s string) bool {
	return slices.ContainsFunc(r.hidden, func(h string) bool { return strings.Contains(s, h) })
}

// shortest is how many bytes of secret are looked for inside of other texts: a shorter
// one is in many by accident, and no secret.
const shortest = 8

// disguises are the forms in which a secret may turn up.
func disguises(secret string) []string {
	if len(secret) < shortest {
		return nil
	}
	quoted, _ := json.Marshal(secret) // a string has no reason to fail
	return []string{
		secret, strings.Trim(string(quoted), `"`), url.QueryEscape(secret), url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
}

// body is a JSON body's stand-in; nil where there is none, and a note where it is no JSON.
func (r *redactor) body(raw []byte, failure, query bool) json.RawMessage {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if _, end := d.Token(); err != nil || !errors.Is(end, io.EOF) {
		return quoted(fmt.Sprintf("[%d bytes that are no JSON]", len(raw)))
	}
	out, err := json.Marshal(r.value(field{failure: failure, query: query}, v))
	if err != nil {
		return quoted("[left out]")
	}
	return out
}

func quoted(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string has no reason to fail
	return b
}

func (r *redactor) value(f field, v any) any {
	switch v := v.(type) {
	case string:
		return r.text(f, v)
	case []any:
		for i := range v {
			v[i] = r.value(f, v[i])
		}
		return v
	case map[string]any:
		return r.object(f, v)
	}
	return v // numbers, true, false and null
}

func (r *redactor) object(f field, m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) { // in an order, so that stand-ins are the same each time
		v, inner := m[key], f
		inner.key, inner.parent = key, f.key
		if !fieldKey.MatchString(key) {
			key = r.names.name("name", key)
		}
		out[key] = r.value(inner, v)
	}
	withoutFile(m, out)
	return out
}

// leftOut stands for the content of files.
const leftOut = "# left out\n"

// withoutFile replaces a file's content, and its size and hash with it, in the three
// forms in which the forges show files.
func withoutFile(was, out map[string]any) {
	_, hasContent := was["content"].(string)
	_, hasText := was["text"].(string)
	switch {
	case hasContent && was["encoding"] == "base64":
		out["content"] = base64.StdEncoding.EncodeToString([]byte(leftOut))
		if _, ok := was["size"]; ok {
			out["size"] = len(leftOut)
		}
	case hasText && was["byteSize"] != nil:
		sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(leftOut), leftOut)) //nolint:gosec // as above
		out["text"], out["byteSize"], out["oid"] = leftOut, len(leftOut), hex.EncodeToString(sum[:])
	}
}
