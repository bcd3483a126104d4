package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/web"
)

// daemon is the whole gate, open and not yet at work.
type daemon struct {
	config  config.Config
	log     *slog.Logger
	shelf   *store.Store
	gate    *release.Gate
	proof   evidence
	public  http.Handler
	secrets *rotation
	closers []func()
}

// openDaemon opens everything that a configuration names. What it opened before an error
// is closed again.
func openDaemon(ctx context.Context, c config.Config, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{config: c, log: log}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	hold, err := floors(c)
	if err != nil {
		return nil, err
	}
	all, err := openForges(c)
	if err != nil {
		return nil, err
	}
	forges, hooks := ports(all)
	signer, err := startSigners(ctx, c, log)
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, signer.Close)
	keys, err := keyring(c, signer.Keys())
	if err != nil {
		return nil, err
	}
	if err := d.openShelf(ctx); err != nil {
		return nil, err
	}
	if err := d.goOnRecord(ctx); err != nil {
		return nil, err
	}
	if d.proof, err = openEvidence(ctx, c, signer, d.shelf, log); err != nil {
		return nil, err
	}
	d.gate = release.New(release.Config{
		Server: c.Server.URL, Forges: forges, Store: d.shelf, Signer: signer, Keys: keys, Floors: hold, Cooldown: c.Policies.Cooldown,
		Authority: d.proof.authority, Ledger: d.proof.keeper, Certify: certify(c.Certificates), Witnesses: len(c.Ledger.Witnesses),
		Audit: c.Policies.Audit, Log: log, Now: time.Now, NewID: newID, Owner: owner(),
	})
	shown, err := published(signer.Keys(), signer.AuthorityKeys())
	if err != nil {
		return nil, err
	}
	offered, err := handout(c)
	if err != nil {
		return nil, err
	}
	surface := web.Config{
		Server: c.Server.URL, Releases: d.gate, Refusals: d.gate, Ledger: d.shelf, Roots: d.shelf, Book: d.shelf, Shelf: d.shelf, Verifier: verifier(c), Hooks: hooks,
		Forges: listed(c), Keys: shown, Clients: offered, Wake: d.shelf.Wake, Log: log, Now: time.Now,
	}
	surface = rooms(people(surface, c, all, d.shelf), d.gate, keys, d.shelf)
	surface.Doctor = newExaminer(d, all)
	d.public = identified(web.Handler(surface))
	d.secrets = newRotation(c, all, signer, log)
	return d, nil
}

func (d *daemon) openShelf(ctx context.Context) error {
	shelf, err := openStore(ctx, d.config)
	if err != nil {
		return err
	}
	d.shelf = shelf
	d.closers = append(d.closers, func() {
		if err := shelf.Close(); err != nil {
			d.log.ErrorContext(ctx, "close the store", "error", err)
		}
	})
	// Who may put policies in force, and whether anything is signed at all, is on record.
	return errors.Join(shelf.RecordAdministrators(ctx, d.config.Administrators), shelf.RecordMode(ctx, d.config.Policies.Audit))
}

// goOnRecord has the ledger say who administers this server, and whether it signs, before
// it does anything: what it then does was done under that.
func (d *daemon) goOnRecord(ctx context.Context) error {
	if err := d.shelf.RecordAdministrators(ctx, d.config.Administrators); err != nil {
		return fmt.Errorf("record who administers the server: %w", err)
	}
	if err := d.shelf.RecordMode(ctx, d.config.Policies.Audit); err != nil {
		return fmt.Errorf("record the server's mode: %w", err)
	}
	return nil
}

// Close closes what is open, the last first.
func (d *daemon) Close() {
	for _, end := range slices.Backward(d.closers) {
		end()
	}
	d.closers = nil
}

// drain is how long open requests may take to end.
const drain = 20 * time.Second

// Work runs the workers and the second listener beside the public one, which serves
// already, until ctx ends. Then it first stops taking requests, and lets the workers finish
// what they hold.
func (d *daemon) Work(ctx context.Context, public *listening) error {
	health, err := listen(ctx, d.config.Server.HealthListen, web.Health(d.shelf))
	if err != nil {
		return errors.Join(err, public.Close())
	}
	health.Start()
	workers, stopWorkers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorkers()
	group, life := errgroup.WithContext(ctx)
	group.Go(public.Wait)
	group.Go(health.Wait)
	group.Go(func() error { return d.gate.Work(workers, d.shelf.Wake) })
	group.Go(func() error { return d.secrets.Work(workers) })
	group.Go(func() error { return d.proof.Work(workers, d.shelf.Wake) })
	group.Go(func() error {
		<-life.Done()
		d.log.InfoContext(ctx, "stopping")
		defer stopWorkers()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		return errors.Join(public.Shutdown(ending), health.Shutdown(ending))
	})
	s := d.config.Server
	d.log.InfoContext(ctx, "serving", "url", s.URL.String(), "listen", s.Listen, "health", s.HealthListen)
	return group.Wait()
}
