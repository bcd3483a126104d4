package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/countersign/countersign/web"
)

// listening is a server on an address that it holds.
type listening struct {
	*http.Server

	address string
	line    net.Listener
	ended   chan error
}

// listen takes an address; nothing is answered there before Start. Errors: CodeConfig.
func listen(ctx context.Context, address string, h http.Handler) (*listening, error) {
	line, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, occupied(address, err)
	}
	return &listening{Server: web.Server(h), address: address, line: line, ended: make(chan error, 1)}, nil
}

// Start begins to answer.
func (l *listening) Start() { go func() { l.ended <- l.Serve(l.line) }() }

// Wait waits for the end, once. A shutdown is no error.
func (l *listening) Wait() error {
	if err := <-l.ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.address, err)
	}
	return nil
}
