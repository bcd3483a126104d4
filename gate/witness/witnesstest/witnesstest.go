// Package witnesstest runs litewitness (filippo.io/torchwood), a C2SP witness that other
// people wrote, for tests. scripts/fetch-witness.sh builds it.
package witnesstest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	_ "modernc.org/sqlite" // the witness's database is SQLite
)

// Version is the one that scripts/fetch-witness.sh builds.
const Version = "v0.9.0"

// Witness is a running litewitness with a state of its own. It outlives [Witness.Stop], after
// which [Witness.Go] runs it again on the same state.
type Witness struct {
	URL string // its submission prefix
	// Key is its verifier key, name+hash+base64.
	Key string

	name    string
	binary  string
	folder  string
	address string
	print   string // of its key
	agent   net.Listener
	running *exec.Cmd
	log     strings.Builder
}

// Start runs a witness of the name on loopback, with its files in folder, which has to be
// empty. Close ends it.
func Start(ctx context.Context, folder, name string) (*Witness, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("look for litewitness: %w", err)
	}
	w := &Witness{name: name, folder: folder, binary: filepath.Join(cache, "countersign", "tools", "litewitness-"+Version, "litewitness")}
	if _, err := os.Stat(w.binary); err != nil {
		return nil, fmt.Errorf("litewitness %s is not built: run scripts/fetch-witness.sh: %w", Version, err)
	}
	secret, err := w.makeKey()
	if err != nil {
		return nil, err
	}
	if err := w.serveKey(secret); err != nil {
		return nil, err
	}
	if w.address, err = freeAddress(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.URL = "http://" + w.address
	if err := w.Go(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *Witness) makeKey() (ed25519.PrivateKey, error) {
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the witness's key: %w", err)
	}
	typed := append([]byte{4}, public...)
	sum := sha256.Sum256(append([]byte(w.name+"\n"), typed...))
	w.Key = fmt.Sprintf("%s+%x+%s", w.name, sum[:4], base64.StdEncoding.EncodeToString(typed))
	in, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("make the witness's key: %w", err)
	}
	w.print = ssh.FingerprintSHA256(in)
	return secret, nil
}

// serveKey is the SSH agent that litewitness takes its key from.
func (w *Witness) serveKey(secret ed25519.PrivateKey) error {
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: secret}); err != nil {
		return fmt.Errorf("hold the witness's key: %w", err)
	}
	// A socket's path is at most some hundred bytes long, which a test's folder may exceed.
	short, err := os.MkdirTemp("", "witness")
	if err != nil {
		return fmt.Errorf("make the agent's folder: %w", err)
	}
	if w.agent, err = net.Listen("unix", filepath.Join(short, "agent")); err != nil { //nolint:noctx // it ends with Close
		return fmt.Errorf("serve the witness's key: %w", err)
	}
	go func() {
		for {
			conn, err := w.agent.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()               //nolint:errcheck // the other side is gone
				_ = agent.ServeAgent(ring, conn) // it ends when the witness does
			}()
		}
	}()
	return nil
}

func freeAddress(ctx context.Context) (string, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// Go runs the witness until Stop, and waits until it answers.
func (w *Witness) Go(ctx context.Context) error {
	w.running = exec.Command(w.binary, "-name", w.name, "-key", w.print, //nolint:noctx // it ends with Stop
		"-db", filepath.Join(w.folder, "litewitness.db"), "-ssh-agent", w.agent.Addr().String(), "-listen", w.address)
	w.running.Stderr = &w.log
	if err := w.running.Start(); err != nil {
		return fmt.Errorf("run litewitness: %w", err)
	}
	for range 200 {
		if w.answers(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), w.Stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.Join(fmt.Errorf("litewitness does not answer at %s", w.URL), w.Stop(), errors.New(w.log.String()))
}

func (w *Witness) answers(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// Know tells the witness of a log: its origin and its verifier key.
func (w *Witness) Know(ctx context.Context, origin, vkey string) error {
	const empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" // SHA-256 of nothing
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.folder, "litewitness.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return fmt.Errorf("open the witness's database: %w", err)
	}
	defer db.Close() //nolint:errcheck // what was written is committed
	// This is what its witnessctl does.
	if _, err := db.ExecContext(ctx, "INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", origin, empty); err != nil {
		return fmt.Errorf("tell the witness of log %s: %w", origin, err)
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO key (origin, key) VALUES (?, ?)", origin, vkey); err != nil {
		return fmt.Errorf("tell the witness the key of log %s: %w", origin, err)
	}
	return nil
}

// Stop ends the process; the state stays.
func (w *Witness) Stop() error {
	if w.running == nil {
		return nil
	}
	err := w.running.Process.Kill() // its state is a database, which bears it
	_ = w.running.Wait()            // however it ends
	w.running = nil
	return err
}

// Close ends it, and the agent of its key.
func (w *Witness) Close() error {
	err := w.Stop()
	if w.agent != nil {
		err = errors.Join(err, w.agent.Close(), os.RemoveAll(filepath.Dir(w.agent.Addr().String())))
	}
	return err
}
