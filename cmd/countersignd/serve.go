package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

func serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the gate", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), path, cmd.ErrOrStderr()) },
	}
	configFlag(cmd, &path)
	return cmd
}

// serve runs the gate until ctx ends. What it opens it closes in reverse.
func serve(ctx context.Context, path string, stderr io.Writer) error {
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	log := logger(c.Log, stderr)
	d, err := openDaemon(ctx, c, log)
	if err != nil {
		return err
	}
	defer d.Close()
	public, err := listen(ctx, c.Server.Listen, d.public)
	if err != nil {
		return err
	}
	public.Start()
	return d.Work(ctx, public)
}

// occupied is an address that cannot be listened on.
func occupied(address string, err error) error {
	if cause := new(os.SyscallError); errors.As(err, &cause) {
		err = cause.Err // without the address again
	}
	return &gate.Error{
		Kind: gate.Conflict, Code: gate.CodeConfig, Text: "the server cannot listen on " + address,
		Expected: "a free address of this machine", Got: err.Error(),
		Fix: "stop who listens there, or change server.listen or server.health_listen",
	}
}

// listed are the forges as clients look them up.
func listed(c config.Config) []api.Forge {
	var out []api.Forge
	for _, f := range c.Forges {
		out = append(out, api.Forge{Name: string(f.Name), Kind: f.Kind, URL: f.URL})
	}
	return out
}
