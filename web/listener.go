package web

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server bounds every phase of a connection (attack 63). The write timeout leaves
// room for the longest wait of GET /v1/releases/{id}. Shutdown ends such waits at
// once: each answers the state as it is.
func Server(h http.Handler) *http.Server {
	draining := make(chan struct{})
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxWait + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), drainKey{}, (<-chan struct{})(draining))
		},
	}
	srv.RegisterOnShutdown(sync.OnceFunc(func() { close(draining) }))
	return srv
}

type drainKey struct{}

// drained is closed when the server that carries the request shuts down; nil, which
// never is, outside of one.
func drained(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return c
}
