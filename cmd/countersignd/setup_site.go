package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/session"
	"github.com/countersign/countersign/web/setup"
)

// setupSite is what the pages of a setup work on. One step is done at a time.
type setupSite struct {
	folder folder
	tool   tool
	log    *slog.Logger
	// began takes over from the setup once the gate is open.
	began chan *daemon

	mu sync.Mutex // guards draft
	draft
}

// change does one step: what it changed in the draft is written down before it counts.
func (s *setupSite) change(do func(d *draft) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.draft
	next.Wrote = slices.Clone(next.Wrote)
	err := do(&next)
	s.Wrote = next.Wrote // also where the step failed: the files are there
	if err != nil {
		return err
	}
	if err := s.folder.save(next); err != nil {
		return err
	}
	s.draft = next
	return nil
}

func (s *setupSite) now() draft {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draft
}

// State is how far the setup is.
func (s *setupSite) State() setup.State {
	d := s.now()
	out := setup.State{Holders: d.Holders, Token: d.Token, Software: d.Software}
	if f := d.Forge; f != nil {
		out.Kind, out.ForgeURL, out.Account, out.InstallURL = f.Kind, f.URL, f.Account, f.InstallURL
	}
	if d.Administrator != nil {
		out.Administrator = *d.Administrator
	}
	if d.Key != nil {
		out.Key = setup.Key{Lineage: d.Key.Lineage, Fingerprint: d.Key.Fingerprint}
	}
	return out
}

// Bind says who may use the key.
func (s *setupSite) Bind(_ context.Context, holders []setup.Holder) error {
	return s.change(func(d *draft) error { d.Holders = holders; return nil })
}

// Appoint makes the account the first administrator.
func (s *setupSite) Appoint(_ context.Context, who gate.Account) error {
	return s.change(func(d *draft) error { d.Administrator = &who; return nil })
}

var isLineage = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,57}[a-z0-9])?$`).MatchString

// MakeKey makes the first version of a lineage, as countersignd keys create does, and before
// it the gate's own keys. Each is written down before the next step.
func (s *setupSite) MakeKey(ctx context.Context, lineage string) error {
	if !isLineage(lineage) {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: "this is no name for a key",
			Expected: "lower-case letters, digits and inner hyphens", Got: fmt.Sprintf("%q", lineage), Fix: "choose another name",
		}
	}
	err := s.change(func(d *draft) error {
		if len(d.Own) > 0 {
			return nil
		}
		// Another gate may have its own keys on the token: the lineage tells them apart.
		return s.createKeys(ctx, d, &d.Own, "--authority", "--prefix", lineage)
	})
	if err != nil {
		return err
	}
	return s.change(func(d *draft) error {
		k := draftKey{Lineage: lineage}
		if err := s.createKeys(ctx, d, &k.keyOutput, "--label", lineage+"-1"); err != nil {
			return err
		}
		d.Key = &k
		return nil
	})
}

// createKeys runs countersignd keys create on the draft's token.
func (s *setupSite) createKeys(ctx context.Context, d *draft, made any, args ...string) error {
	all := append([]string{"keys", "create", "--json", "--module", d.Module, "--token", d.Token, "--pin-file", d.PINFile}, args...)
	out, err := s.tool.run(ctx, all...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, made); err != nil {
		return fmt.Errorf("read what keys create answered: %w", err)
	}
	return nil
}

// SignIn is the way to sign in through the forge that was connected.
func (s *setupSite) SignIn() (setup.SignIn, error) {
	f, err := s.now().configForge()
	if err != nil {
		return nil, err
	}
	return openForge(f, nil)
}

// Finish writes the configuration, opens the gate, and hands over to it.
func (s *setupSite) Finish(ctx context.Context) (http.Handler, error) {
	var d *daemon
	err := s.change(func(next *draft) error {
		text, err := next.configText()
		if err != nil {
			return err
		}
		c, err := config.Parse(text)
		if err != nil {
			return err
		}
		if err := s.folder.own(next, configName, text); err != nil {
			return err
		}
		if d, err = openDaemon(ctx, c, s.log); err != nil {
			return err
		}
		next.Done = true
		return nil
	})
	if err != nil {
		if d != nil {
			d.Close()
		}
		return nil, err
	}
	s.began <- d
	s.log.InfoContext(ctx, "set up", "config", s.folder.at(configName))
	return arrive(d, *s.now().Administrator), nil
}

// arrive signs the administrator in, who proved at the forge to be it, and shows the doctor.
func arrive(d *daemon, who gate.Account) http.Handler {
	sessions := session.New(d.shelf.Sessions(), d.config.Server.URL.Scheme == "https", time.Now)
	fail := func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "the gate is started; sign in at its first page", http.StatusInternalServerError)
	}
	return sessions.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.SignIn(r.Context(), who); err != nil {
			fail(w, r, err)
			return
		}
		sessions.Tell(r.Context(), session.Notice{Text: "The gate is set up. It only audits until policies.mode is enforce."})
		http.Redirect(w, r, "/operations/doctor", http.StatusSeeOther)
	}), fail)
}
