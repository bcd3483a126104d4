package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
)

// open opens the database for the command line, and a gate over it that signs nothing. What
// it returns closes both.
func (x *examiner) open(ctx context.Context) func() {
	nothing, c := func() {}, &chart{}
	defer func() { x.unopened = c.found }()
	if x.config.Database.Engine == string(store.SQLite) {
		if _, err := os.Stat(x.config.Database.Path); errors.Is(err, fs.ErrNotExist) {
			c.warn(areaDatabase, "database", "start the server once: countersignd serve", "there is no %s yet", x.config.Database.Path)
			return nothing
		}
	}
	shelf, err := openStore(ctx, x.config)
	if err != nil {
		c.fail(areaDatabase, "database", err)
		return nothing
	}
	x.shelf = shelf
	end := func() { _ = shelf.Close() } // nothing was written
	keys, err := keyring(x.config, nil)
	if err != nil {
		c.fail(areaConfig, "keys", err)
		return end
	}
	hold, err := floors(x.config)
	if err != nil {
		c.fail(areaConfig, "floors", err)
		return end
	}
	forges, _ := ports(x.forges)
	x.gate = release.New(release.Config{
		Server: x.config.Server.URL, Forges: forges, Store: shelf, Keys: keys, Floors: hold, Witnesses: len(x.config.Ledger.Witnesses), Cooldown: x.config.Policies.Cooldown,
		Audit: x.config.Policies.Audit, Log: slog.New(slog.DiscardHandler), Now: x.now, NewID: newID, Owner: owner(),
	})
	return end
}

// untoldShown is how many posts that were given up are shown, the latest first.
const untoldShown = 5

func (x *examiner) database(ctx context.Context, c *chart) {
	c.found = append(c.found, x.unopened...)
	if x.shelf == nil {
		return
	}
	if err := x.shelf.Ready(ctx); err != nil {
		c.fail(areaDatabase, "database", err)
		return
	}
	c.pass(areaDatabase, "database", "%s opens and answers", x.config.Database.Engine)
	x.ledger(ctx, c)
	x.queues(ctx, c)
	untold, err := x.shelf.GivenUp(ctx, untoldShown)
	if err != nil {
		c.fail(areaDatabase, "untold", err)
		return
	}
	for _, u := range untold {
		c.warn(areaDatabase, "untold", "mend the permission, or switch the repository's issues or pull requests on; the release itself is as its page says",
			"%s was never told of request %s (%s, given up %s): %s", u.Post.Repository, u.Post.Request, u.Post.Target,
			u.At.UTC().Format(time.DateOnly), u.Why)
	}
}

// newestLeaves is how many leaves are looked at.
const newestLeaves = 1000

// ledger holds the newest leaves against the head and their documents: dense, in order, and
// each of the document that lies beside it.
func (x *examiner) ledger(ctx context.Context, c *chart) {
	const id = "ledger"
	size, err := x.shelf.LedgerSize(ctx)
	if err != nil {
		c.fail(areaDatabase, id, err)
		return
	}
	first := max(0, size-newestLeaves)
	leaves, err := x.shelf.Leaves(ctx, first, newestLeaves)
	if err == nil && int64(len(leaves)) < size-first {
		err = fmt.Errorf("the head says %d leaves, and %d of the newest %d are there", size, len(leaves), size-first)
	}
	for i, l := range leaves {
		if err != nil {
			break
		}
		err = soundLeaf(l, first+int64(i))
	}
	if err != nil {
		c.add(areaDatabase, id, api.FindingFailure, "stop the server, keep the database as it is, and find out who wrote into it", "the ledger does not hold: %v", err)
		return
	}
	c.pass(areaDatabase, id, "the ledger is sound: %d leaves, of which the newest %d were looked at", size, len(leaves))
}

func soundLeaf(l store.Leaf, index int64) error {
	if l.Index != index {
		return fmt.Errorf("leaf %d is missing", index)
	}
	e, err := ledger.ParseEntry(l.Bytes)
	if err != nil {
		return fmt.Errorf("leaf %d: %w", index, err)
	}
	if e.Leaf != nil && e.Leaf.Commitment != ledger.Commit(l.Salt, l.Document) {
		return fmt.Errorf("leaf %d does not commit to its document", index)
	}
	return nil
}

// lateness is how old the oldest of a queue may be.
const lateness = 15 * time.Minute

func (x *examiner) queues(ctx context.Context, c *chart) {
	all, err := x.shelf.Queues(ctx)
	if err != nil {
		c.fail(areaDatabase, "queues", err)
		return
	}
	late := false
	for _, q := range all {
		// Requests wait for people; everything else for the server.
		if q.Name != "requests" && q.Open > 0 && x.now().Sub(q.Oldest) > lateness {
			late = true
			c.warn(areaDatabase, "queues", "see the server's log for what it waits for, and that it runs",
				"%d %s wait, the oldest since %s", q.Open, q.Name, q.Oldest.UTC().Format(time.RFC3339))
		}
	}
	if !late {
		c.pass(areaDatabase, "queues", "nothing waits for the server")
	}
}

// token opens one token with the keys that are bound to it, as serve does: in a process of
// its own, which signs a sentence that says what it is with each key, and throws that away.
func (x *examiner) token(ctx context.Context, c *chart, t config.Token) {
	alone := x.config
	t.Workers = 1
	alone.HSM = []config.Token{t}
	alone.Keys = slices.DeleteFunc(slices.Clone(x.config.Keys), func(k config.Key) bool { return k.Token != t.Label })
	if len(alone.Keys) == 0 {
		c.warn(areaTokens, "token", "bind a key of it under keys, or drop it from hsm", "no key of token %s is configured", t.Label)
		return
	}
	signer, err := startSigners(ctx, alone, slog.New(slog.DiscardHandler))
	if err != nil {
		c.fail(areaTokens, "token", err)
		return
	}
	defer signer.Close()
	c.pass(areaTokens, "token", "token %s opens with its PIN", t.Label)
	for _, k := range signer.Keys() {
		if k.Software {
			c.warn(areaTokens, "key", "for releases that matter keep it in hardware",
				"key %s version %d is there and signs, but the token does not say that it is kept in hardware; attestations say so", k.Lineage, k.Version)
		} else {
			c.pass(areaTokens, "key", "key %s version %d is there, and signs", k.Lineage, k.Version)
		}
	}
	var own []string
	for _, k := range signer.AuthorityKeys() {
		own = append(own, fmt.Sprintf("%s version %d for %s", k.Lineage, k.Version, k.Purpose))
	}
	if len(own) > 0 {
		c.pass(areaTokens, "own keys", "the gate's own keys are there, and sign: %s", strings.Join(own, ", "))
	}
}
