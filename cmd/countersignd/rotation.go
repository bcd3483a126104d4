package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// rotationEvery is how often the files of secrets are looked at. A new value counts once
// its file stayed as it is for that long: half a secret is none.
const rotationEvery = 2 * time.Second

// rotation has secrets taken from their files anew while the gate runs.
type rotation struct {
	log   *slog.Logger
	users []*secretUser
	hup   chan os.Signal // heeded from the start on: nobody else does, and it would end the process
}

// secretUser is who uses the secrets of some files.
type secretUser struct {
	name  string // "forge github"
	files []string
	// renew reads the files, tries what they hold, and uses it from then on; where it fails
	// the old secrets stay in use. It reports whether anything changed.
	renew func(ctx context.Context) (bool, error)

	used  string // how the files looked when their secrets were last taken, or refused
	seen  string // how they looked last
	asked bool   // whether it was logged that the forge could not be asked
}

func newRotation(c config.Config, forges []*liveForge, tokens *signers, log *slog.Logger) *rotation {
	r := &rotation{log: log, hup: make(chan os.Signal, 1)}
	signal.Notify(r.hup, syscall.SIGHUP)
	for _, l := range forges {
		f := l.now().config
		// Nothing is taken for used: what changed since the start is found at the first look.
		r.users = append(r.users, &secretUser{
			name: "forge " + string(f.Name), files: f.SecretFiles(),
			renew: func(ctx context.Context) (bool, error) { return l.renew(ctx, c) },
		})
	}
	for i, t := range tokens.all {
		u := &secretUser{name: "token " + t.label, files: []string{c.HSM[i].PINFile}, renew: t.Renew}
		u.used = appearance(u.files)
		u.seen = u.used
		r.users = append(r.users, u)
	}
	return r
}

// Work looks at the files until ctx ends; on SIGHUP every secret is taken anew at once.
func (r *rotation) Work(ctx context.Context) error {
	defer signal.Stop(r.hup)
	tick := time.NewTicker(rotationEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.hup:
			r.log.InfoContext(ctx, "secrets read anew, as asked")
			for _, u := range r.users {
				u.seen = appearance(u.files)
				r.take(ctx, u)
			}
		case <-tick.C:
			for _, u := range r.users {
				if u.settled() {
					r.take(ctx, u)
				}
			}
		}
	}
}

// settled reports whether the files hold something new since the look before.
func (u *secretUser) settled() bool {
	now := appearance(u.files)
	before := u.seen
	u.seen = now
	return now == before && now != u.used
}

// take has the secrets used as the files hold them. What could not be tried for want of an
// answer is tried again at the next look.
func (r *rotation) take(ctx context.Context, u *secretUser) {
	changed, err := u.renew(ctx)
	switch {
	case gate.KindOf(err) == gate.Unavailable && gate.CodeOf(err) == gate.CodeForgeUnavailable:
		if !u.asked {
			r.log.WarnContext(ctx, "new secret not tried yet, the old one stays", "of", u.name, "error", explain(err))
		}
		u.asked = true
		return
	case err != nil:
		r.log.ErrorContext(ctx, "new secret refused, the old one stays", "of", u.name, "error", explain(err))
	case changed:
		r.log.InfoContext(ctx, "secrets taken anew", "of", u.name)
	}
	u.used, u.asked = u.seen, false
}

// appearance is how files look from outside: what a changed secret changes.
func appearance(files []string) string {
	var b strings.Builder
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintln(&b, path, "is not there")
			continue
		}
		fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return b.String()
}

// renew puts an adapter with the secrets of now in place of the old one. A new credential
// has to be taken by the forge first.
func (l *liveForge) renew(ctx context.Context, c config.Config) (bool, error) {
	old := l.now().config
	f, changed, err := old.Renewed()
	if err != nil || !changed {
		return false, err
	}
	o, err := openWhole(f)
	if err != nil {
		return false, err
	}
	if !f.SameCredential(old) {
		if err := tryCredential(ctx, c, f); err != nil {
			return false, err
		}
	}
	l.current.Store(o)
	return true, nil
}

// tryCredential asks the forge whether it takes a credential. Errors: CodeForgeUnavailable
// where it does not answer, CodeForgeRefused where it does not take it.
func tryCredential(ctx context.Context, c config.Config, f config.Forge) error {
	d, err := dial(f)
	if err != nil {
		return err
	}
	checks, _ := probe.Reach(ctx, d.probe(c))
	for _, x := range checks {
		if x.Level != api.FindingFailure {
			continue
		}
		switch x.ID {
		case "reach":
			return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeForgeUnavailable, Text: x.Text, Fix: x.Fix}
		case "credential", "permissions":
			return &gate.Error{Kind: gate.Refused, Code: gate.CodeForgeRefused, Text: x.Text, Fix: x.Fix}
		}
	}
	return nil
}
