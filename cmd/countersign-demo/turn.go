package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/countersign/countersign/forges/forgetest"
)

// The release that the reader approves.
const (
	nextTag      = "v1.1.0"
	nextArtifact = "widget-1.1.0.txt"
)

// yourTurn leaves one release waiting for the reader, who approves it on its page; the job
// waits meanwhile, as a real one does.
func (p *player) yourTurn(ctx context.Context) error {
	p.change = p.team.Open("ana", "faster", "Count faster", map[string][]byte{
		"widget.sh": []byte("#!/bin/sh\nexec seq \"${1:-10}\"\n"),
	})
	p.team.World.Merge(p.change, p.team.People["bo"], forgetest.MergeCommit)
	p.job = p.team.Release("eve", nextTag)
	// A job's folder is its own: the first release's list of digests stays as it is.
	p.dir = filepath.Join(p.dir, nextTag)
	if err := os.MkdirAll(p.dir, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.dir, nextArtifact), []byte("It counts faster.\n"), 0o600); err != nil {
		return err
	}
	if err := p.client(ctx, &p.asked, "request", nextArtifact); err != nil {
		return err
	}
	p.invite(p.asked.URL)
	var got json.RawMessage
	if err := p.client(ctx, &got, "sign", "--wait-timeout", "12h", nextArtifact); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the reader had seen enough, and ended the demo
		}
		return fmt.Errorf("the release that was yours to approve: %w", err)
	}
	if out, err := p.openssl(ctx, nextArtifact+".sig", nextArtifact); err != nil {
		return fmt.Errorf("openssl refuses %s: %w\n%s", nextArtifact, err, out)
	}
	p.signed(filepath.Join(p.team.World.Name(), nextTag, nextArtifact+".sigstore.json"))
	return nil
}
