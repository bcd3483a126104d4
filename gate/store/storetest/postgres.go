// Package storetest is what tests of and over the store need: a throwaway PostgreSQL
// server, and the checker of the store's invariants.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// DSNVariable names a server to use instead of a throwaway one; its user must be
// allowed to create databases.
const DSNVariable = "COUNTERSIGN_TEST_POSTGRES"

// startTimeout is how long a new server may take until it answers.
const startTimeout = 60 * time.Second

// Postgres is a PostgreSQL server for tests.
type Postgres struct {
	admin  string   // DSN of a database from which others are created
	dir    string   // "" for a server that somebody else started
	binary string   // folder of initdb and postgres
	names  []string // databases made on somebody else's server

	process *os.Process
	ended   chan error
	output  *bytes.Buffer // of the server; read only after it ended
}

// Option changes how the server runs.
type Option func(*options)

type options struct{ settings []string }

// WithoutSync makes the server faster and forgetful: not for tests of durability.
func WithoutSync() Option {
	return func(o *options) { o.settings = append(o.settings, "-c", "fsync=off", "-c", "full_page_writes=off") }
}

// StartPostgres starts a server in a temporary folder on a Unix socket, as user
// postgres where the test runs as root. Stop it at the end; it also ends with
// the process.
func StartPostgres(ctx context.Context, opts ...Option) (*Postgres, error) {
	if dsn := os.Getenv(DSNVariable); dsn != "" {
		return &Postgres{admin: dsn}, nil
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	binary, err := findPostgres()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "countersign-pg-")
	if err != nil {
		return nil, fmt.Errorf("make the server's folder: %w", err)
	}
	p := &Postgres{
		admin: "postgres://postgres@/postgres?host=" + url.QueryEscape(dir), dir: dir, binary: binary,
		ended: make(chan error, 1), output: &bytes.Buffer{},
	}
	if err := p.run(ctx, o); err != nil {
		return nil, errors.Join(err, p.Stop()) //nolint:contextcheck // clean up whether or not ctx has ended
	}
	return p, nil
}

// findPostgres prefers the newest version that Debian's packages installed.
func findPostgres() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(newest), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("find PostgreSQL: expected initdb in /usr/lib/postgresql/*/bin or PATH; run: apt-get install -y postgresql")
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

func (p *Postgres) run(ctx context.Context, o options) error {
	owner, err := serverUser(p.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(p.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(p.binary, "initdb"),
		"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr = owner
	initdb.Dir = p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("run initdb: %w\n%s", err, out)
	}
	args := append([]string{
		"-D", data, "-k", p.dir, "-c", "listen_addresses=", "-c", "max_connections=200",
	}, o.settings...)
	if err := p.start(context.WithoutCancel(ctx), args, owner); err != nil {
		return err
	}
	return p.await(ctx)
}

// serverUser gives the folder to the user that the server will run as: PostgreSQL
// refuses root.
func serverUser(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("find user postgres, as whom the server runs: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
		return nil, fmt.Errorf("give %s to user postgres: %w", dir, err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// start keeps the starting thread until the server ends: the kernel ends the server
// with the thread that started it.
func (p *Postgres) start(ctx context.Context, args []string, owner *syscall.SysProcAttr) error {
	cmd := exec.CommandContext(ctx, filepath.Join(p.binary, "postgres"), args...)
	cmd.SysProcAttr = owner
	cmd.Dir = p.dir
	cmd.Stdout, cmd.Stderr = p.output, p.output
	endWithParent(cmd.SysProcAttr)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.process = cmd.Process
		}
		started <- err
		if err == nil {
			p.ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	return nil
}

// await waits until the server answers.
func (p *Postgres) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.admin)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case ended := <-p.ended:
			p.process = nil
			return fmt.Errorf("PostgreSQL ended while it started: %w\n%s", ended, p.output)
		case <-ctx.Done():
			return fmt.Errorf("wait for PostgreSQL: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Database creates an empty database and returns its DSN.
func (p *Postgres) Database(ctx context.Context) (string, error) {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("draw a database name: %w", err)
	}
	name := "countersign_" + hex.EncodeToString(random)
	if err := p.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return "", fmt.Errorf("create database %s: %w", name, err)
	}
	if p.dir != "" {
		return "postgres://postgres@/" + name + "?host=" + url.QueryEscape(p.dir), nil
	}
	p.names = append(p.names, name)
	return withDatabase(p.admin, name)
}

// withDatabase works on both forms of a connection string: of a keyword that comes
// twice, the last counts.
func withDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return dsn + " dbname=" + name, nil //nolint:nilerr // it is the keyword form then
	}
	u.Path = "/" + name
	return u.String(), nil
}

func (p *Postgres) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, p.admin)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// Stop ends the server and removes its folder. On somebody else's server it drops
// the databases that were made.
func (p *Postgres) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var errs []error
	for _, name := range p.names {
		errs = append(errs, p.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"))
	}
	if p.process != nil {
		errs = append(errs, p.process.Signal(syscall.SIGINT)) // fast shutdown
		select {
		case err := <-p.ended:
			errs = append(errs, err)
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("stop PostgreSQL: %w", ctx.Err()), p.process.Kill())
		}
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}
