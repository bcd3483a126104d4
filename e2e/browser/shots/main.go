// Command shots takes the manual's pictures of all pages, from a staged world.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/e2e/browser"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	f := flag.NewFlagSet("shots", flag.ContinueOnError)
	f.SetOutput(stderr)
	bin := f.String("bin", "bin", "folder of countersignd and countersign")
	out := f.String("out", "docs/screenshots", "folder for the pictures")
	only := f.String("only", "", "take only pages whose names begin so; empty takes all")
	if err := f.Parse(args); err != nil || f.NArg() > 0 {
		fmt.Fprintln(stderr, "shots: expected flags alone; see --help")
		return 2
	}
	if err := shoot(ctx, *bin, *out, *only, stderr); err != nil {
		fmt.Fprintln(stderr, "shots:", err)
		return 1
	}
	return 0
}

// shoot sets a town up, lets things happen in it, and takes the pictures.
func shoot(ctx context.Context, bin, out, only string, stderr io.Writer) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "countersign-shots")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	log, err := os.Create(filepath.Join(dir, "daemon.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	town, err := browser.Found(ctx, bin, filepath.Join(dir, "stage"), log)
	if err != nil {
		return err
	}
	defer town.Close()
	fmt.Fprintln(stderr, "shots: releasing on both forges")
	h, err := town.Populate(ctx)
	if err != nil {
		return err
	}
	town.ProposePolicy("github")
	chromium, end, err := browser.Start(ctx, dir)
	if err != nil {
		return err
	}
	defer end()
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, p := range browser.Pages(town, h) {
		if !strings.HasPrefix(p.Name, only) {
			continue
		}
		if err := take(chromium, town, p, out, stderr); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	if only != "" {
		return nil
	}
	return takeSetup(ctx, chromium, bin, filepath.Join(dir, "setup"), out, stderr)
}

// highest is how many pixels of a page are shown.
const highest = 1700

// take takes the pictures of one page.
func take(chromium context.Context, town *browser.Town, p browser.Page, out string, stderr io.Writer) error {
	views := []browser.View{{Width: 1280}}
	if p.Main {
		views = append(views, browser.View{Width: 1280, Dark: true}, browser.View{Width: 390})
	}
	tab, closeTab, err := browser.Tab(chromium, views[0])
	if err != nil {
		return err
	}
	defer closeTab()
	if p.Who != "" {
		if err := town.SignIn(tab, "github", p.Who); err != nil {
			return err
		}
	}
	for _, v := range views {
		if err := browser.Look(tab, v); err != nil {
			return err
		}
		status, err := browser.Open(tab, town.URL+p.Path)
		if err != nil {
			return err
		}
		if status != p.Status {
			return fmt.Errorf("%s answered %d, expected %d", p.Path, status, p.Status)
		}
		if err := picture(tab, p.Name+"-"+v.String()+".png", out, stderr); err != nil {
			return err
		}
	}
	return nil
}

// picture takes one of what a tab shows.
func picture(tab context.Context, name, out string, stderr io.Writer) error {
	shot, err := browser.Screenshot(tab, highest)
	if err != nil {
		return err
	}
	if shot, err = small(shot); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, name), shot, 0o644); err != nil { //nolint:gosec // for everybody to see
		return err
	}
	fmt.Fprintln(stderr, "shots:", name, len(shot)/1024, "KiB")
	return nil
}

// takeSetup takes those of the setup, page by page.
func takeSetup(ctx, chromium context.Context, bin, dir, out string, stderr io.Writer) error {
	site, err := browser.SetUp(ctx, bin, dir, io.Discard)
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	defer site.Close()
	view := browser.View{Width: 1280}
	tab, closeTab, err := browser.Tab(chromium, view)
	if err != nil {
		return err
	}
	defer closeTab()
	for _, address := range []string{site.GitHub.URL() + "/test-login?login=eve", site.Link} {
		if _, err := browser.Open(tab, address); err != nil {
			return err
		}
	}
	err = site.Walk(tab, func(step browser.SetupStep) error {
		return picture(tab, step.Name+"-"+view.String()+".png", out, stderr)
	})
	return errors.Join(err, site.End())
}
