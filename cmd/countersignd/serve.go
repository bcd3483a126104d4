package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/web"
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
	hold, err := floors(c)
	if err != nil {
		return err
	}
	all, err := openForges(c)
	if err != nil {
		return err
	}
	forges, hooks := ports(all)
	signer, err := startSigners(ctx, c, log)
	if err != nil {
		return err
	}
	defer signer.Close()
	keys, err := keyring(c, signer.Keys())
	if err != nil {
		return err
	}
	shelf, err := openStore(ctx, c)
	if err != nil {
		return err
	}
	defer func() {
		if err := shelf.Close(); err != nil {
			log.ErrorContext(ctx, "close the store", "error", err)
		}
	}()
	g := release.New(release.Config{
		Server: c.Server.URL, Forges: forges, Store: shelf, Signer: signer, Keys: keys, Floors: hold, Cooldown: c.Policies.Cooldown, Audit: c.Policies.Audit,
		Log: log, Now: time.Now, NewID: newID, Owner: owner(),
	})
	shown, err := published(signer.Keys())
	if err != nil {
		return err
	}
	offered, err := handout(c)
	if err != nil {
		return err
	}
	public := web.Handler(people(web.Config{
		Server: c.Server.URL, Releases: g, Shelf: shelf, Verifier: verifier(c), Hooks: hooks,
		Forges: listed(c), Keys: shown, Clients: offered, Wake: shelf.Wake, Log: log, Now: time.Now,
	}, c, all, shelf))
	return work(ctx, c, log, g, shelf, public, newRotation(c, all, signer, log))
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

// drain is how long open requests may take to end.
const drain = 20 * time.Second

// work serves both listeners and runs the workers. On a signal it first stops taking
// requests, then lets the workers finish what they hold.
func work(ctx context.Context, c config.Config, log *slog.Logger, g *release.Gate, shelf *store.Store, public http.Handler, secrets *rotation) error {
	workers, stopWorkers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorkers()
	group, life := errgroup.WithContext(ctx)
	servers := map[string]*http.Server{
		c.Server.Listen: web.Server(public), c.Server.HealthListen: web.Server(web.Health(shelf)),
	}
	for address, server := range servers {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return occupied(address, err)
		}
		group.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", address, err)
			}
			return nil
		})
	}
	group.Go(func() error { return g.Work(workers, shelf.Wake) })
	group.Go(func() error { return secrets.Work(workers) })
	group.Go(func() error {
		<-life.Done()
		log.InfoContext(ctx, "stopping")
		defer stopWorkers()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		var errs []error
		for _, server := range servers {
			errs = append(errs, server.Shutdown(ending))
		}
		return errors.Join(errs...)
	})
	log.InfoContext(ctx, "serving", "url", c.Server.URL.String(), "listen", c.Server.Listen, "health", c.Server.HealthListen)
	return group.Wait()
}
