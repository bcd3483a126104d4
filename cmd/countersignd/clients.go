package main

import (
	"os"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/clients"
)

// handout is the configured folder of clients; nil where none is configured.
func handout(c config.Config) (*clients.Set, error) {
	if c.Server.Clients == "" {
		return nil, nil //nolint:nilnil // without a folder there is nothing to hand out, and that is no error
	}
	set, err := clients.Read(os.DirFS(c.Server.Clients))
	if err != nil {
		return nil, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: "server.clients " + c.Server.Clients + " cannot be handed out",
			Expected: "a folder of clients, such as linux-amd64/countersign", Got: err.Error(),
			Fix: "fill it with `make clients`, or take server.clients away", Err: err,
		}
	}
	return set, nil
}
