package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/monitor"
)

const maxKeyFile = 64 << 10

// check refuses command lines that say too little.
func (w *watching) check() error {
	switch {
	case w.log == "" || w.state == "":
		return usage("monitor needs to know what to follow and where to keep its place", "--log URL --state FILE", "less", "see countersign monitor --help")
	case len(w.keys)+len(w.verdicts) == 0 && !w.pin:
		return usage("no key is named that may sign", "--key FILE for each of the gate's release keys, or --pin-keys", "neither",
			"take the keys from where you trust them; --pin-keys trusts what the gate names at the first look")
	case w.every < time.Second:
		return usage("--every does not fit", "1s or more", w.every.String(), "give a duration such as 1m")
	case w.quorum < 0 || w.quorum > len(w.witnesses):
		return usage("--witnesses does not fit", fmt.Sprintf("0 to %d, the number of --witness keys", len(w.witnesses)), fmt.Sprint(w.quorum), "give as many --witness keys")
	}
	if w.quorum == 0 {
		w.quorum = len(w.witnesses)
	}
	return nil
}

// open opens the source that --log names.
func (w *watching) open() error {
	u, err := url.Parse(w.log)
	if err == nil && u.Scheme == "file" {
		if u.Host != "" || u.Path == "" {
			return usage("--log does not read", "file:///folder/log", w.log, "give the folder's absolute path")
		}
		folder, err := monitor.OpenFolder(filepath.FromSlash(u.Path))
		if err != nil {
			return broken("--log cannot be opened", err, "check the folder's path")
		}
		w.source, w.closing = folder, func() { _ = folder.Close() }
		return nil
	}
	web, err := monitor.NewWeb(w.log, 0)
	if err != nil {
		return usage("--log does not read", "https://host/log, or file:///folder/log", w.log, "take the gate's URL with /log at its end")
	}
	if w.pin && !web.Encrypted() && !loopback(u.Hostname()) {
		return usage("--pin-keys over plain HTTP would take anybody's keys", "an https:// log", w.log, "use https, or name the keys with --key")
	}
	w.source = web
	return nil
}

// watched is the monitor that the command line describes.
func (a *app) watched(ctx context.Context, w *watching) (monitor.Config, error) {
	c := monitor.Config{
		Source: w.source, Shelf: monitor.File{Path: w.state}, Now: a.now,
		Quorum: w.quorum, Pin: w.pin, AllowUnreadable: w.allowUnreadable, Keys: map[string]gate.Purpose{},
		Report: func(_ context.Context, x monitor.Alert) error { return a.alerted(x) },
	}
	for _, vkey := range w.witnesses {
		k, err := ledger.ParseWitnessKey(vkey)
		if err != nil {
			return c, usage("--witness does not read", "name+hash+key", err.Error(), "take it from the witness's own page")
		}
		c.Witnesses = append(c.Witnesses, k)
	}
	for _, vkey := range w.logKeys {
		k, err := monitor.ParseLogKey(vkey)
		if err != nil {
			return c, usage("--log-key does not read", "origin+hash+key", err.Error(), "or give --trusted-root")
		}
		c.Logs = append(c.Logs, k)
	}
	for purpose, keys := range map[gate.Purpose][]string{gate.PurposeRelease: w.keys, gate.PurposeVerdict: w.verdicts} {
		for _, key := range keys {
			hint, err := fingerprint(key)
			if err != nil {
				return c, usage("a key does not read", "a PEM public key, ECDSA P-256, or SHA256:… of ssh-keygen -l", err.Error(), "check the file")
			}
			c.Keys[hint] = purpose
		}
	}
	var err error
	if w.root != "" {
		if c.Logs, c.CAs, err = readTrust(w.root); err != nil {
			return c, err
		}
	}
	c.Published, err = w.published(ctx)
	return c, err
}

// refresh reads again what may have changed between rounds.
func (a *app) refresh(ctx context.Context, w *watching, m *monitor.Monitor) error {
	if w.root != "" {
		logs, cas, err := readTrust(w.root)
		if err != nil {
			return err
		}
		m.Logs, m.CAs = logs, cas
	}
	published, err := w.published(ctx)
	if err != nil {
		return err
	}
	m.Published = published
	return nil
}

// published reads the folder of --releases, where it is given.
func (w *watching) published(ctx context.Context) (*monitor.Published, error) {
	if w.releases == "" {
		return nil, nil
	}
	p, err := monitor.ReadPublished(ctx, w.releases)
	if err != nil {
		return nil, broken("--releases cannot be read", err, "keep whole releases there, as the client collects them")
	}
	return p, nil
}

// readTrust reads logs and authorities of certificates from a trusted root.
func readTrust(path string) ([]*ledger.LogKey, []*x509.Certificate, error) {
	refuse := func(err error) error {
		return usage("--trusted-root does not read", "a trusted_root.json of the gate", err.Error(), "take it from the gate's /v1/trusted_root.json, and compare it with the operator's")
	}
	text, err := readWithin(path, attest.MaxTrustedRoot)
	if err != nil {
		return nil, nil, refuse(err)
	}
	trust, err := attest.ParseTrustedRoot(text)
	if err != nil {
		return nil, nil, refuse(err)
	}
	var logs []*ledger.LogKey
	for _, l := range trust.Logs {
		key, err := l.Key()
		if err != nil {
			return nil, nil, refuse(err)
		}
		logs = append(logs, key)
	}
	var cas []*x509.Certificate
	for _, ca := range trust.CAs {
		for _, der := range ca.Chain {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, nil, refuse(err)
			}
			cas = append(cas, c)
		}
	}
	return logs, cas, nil
}

// fingerprint is that of a key given as such, or as a PEM file.
func fingerprint(key string) (string, error) {
	if strings.HasPrefix(key, "SHA256:") {
		return monitor.ParseFingerprint(key)
	}
	text, err := readWithin(key, maxKeyFile)
	if err != nil {
		return "", err
	}
	k, err := attest.ParseKeyPEM(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return k.Hint(), nil
}

// readWithin reads a file of at most limit bytes.
func readWithin(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) // the user names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: expected at most %d bytes", path, limit)
	}
	return b, err
}

// printLine prints one JSON object on one line.
func (a *app) printLine(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	return a.print(string(b) + "\n")
}
