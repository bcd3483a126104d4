package frame

import (
	"net/http"
	"strings"
)

// Headers forbid what no page needs: scripts, styles and frames of others, anything inline.
// Handlers may allow caching; nothing else is kept by anybody. Forms lead to this server and
// to the given origins, where browsers are sent on from it.
//
// The referrer stays within the server, where a browser would otherwise call a form's
// origin "null" and [http.CrossOriginProtection] refuse it.
func Headers(formAction ...string) func(http.Handler) http.Handler {
	policy := strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
		"form-action " + strings.Join(append([]string{"'self'"}, formAction...), " "),
		"base-uri 'none'", "frame-ancestors 'none'",
	}, "; ")
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "same-origin")
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
			h.Set("Cache-Control", "no-store")
			next.ServeHTTP(w, r)
		})
	}
}
