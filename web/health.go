package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/countersign/countersign/web/frame"
)

// readyWithin is how long the store may take to say that it takes writes.
const readyWithin = 2 * time.Second

// Health is the second listener's: livez while the process runs, readyz while the
// store takes writes.
func Health(shelf Shelf) http.Handler {
	r := chi.NewRouter()
	r.Use(frame.Headers(), middleware.GetHead)
	r.Get("/livez", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	r.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		if err := shelf.Ready(ctx); err != nil {
			plain(w, http.StatusServiceUnavailable, "the store takes no writes\n")
			return
		}
		plain(w, http.StatusOK, "ok\n")
	})
	return r
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the reader is gone: nobody is left to tell
}
