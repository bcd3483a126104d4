package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/setup"
)

// setupOptions are what the command line says; what it leaves open is asked for.
type setupOptions struct {
	dir, data, url, listen, health string
	module, token, pinFile         string
	softHSM                        bool
}

const (
	standardDir     = "/etc/countersign"
	standardData    = "/var/lib/countersign"
	standardClients = "/usr/share/countersign/clients"
)

func setupCommand(stdin io.Reader) *cobra.Command {
	var o setupOptions
	cmd := &cobra.Command{
		Use: "setup", Args: cobra.NoArgs,
		Short: "Set the gate up: from nothing to a running server",
		Long: `Set the gate up, from nothing to a running server.

The terminal asks what cannot be found out: the public URL, the PKCS#11 module, the token
and the file with its PIN. The rest is done in the browser, behind a link that works once:
the forge's App or bot, which repositories, the first administrator, the key. Then the
same process goes on as countersignd serve does, in audit mode.

Secrets are written to files of mode 0600 in --dir; none is ever on the command line. A
setup that was interrupted goes on where it stopped, and writes over nothing that it did
not write.`,
		Example: `  countersignd setup
  countersignd setup --url https://gate.example --module /usr/lib/softhsm/libsofthsm2.so --token trial --init-softhsm`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), &asker{in: bufio.NewReader(stdin), out: cmd.OutOrStdout()}, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", standardDir, "folder of the configuration and the secrets")
	f.StringVar(&o.data, "data", "", "folder of the database (default "+standardData+"; with another --dir, data in that)")
	f.StringVar(&o.url, "url", "", "public URL of this server")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to listen on, behind the proxy that has the public URL")
	f.StringVar(&o.health, "health-listen", "127.0.0.1:8081", "address of /livez and /readyz")
	f.StringVar(&o.module, "module", "", "path of the vendor's PKCS#11 module")
	f.StringVar(&o.token, "token", "", "label of the token")
	f.StringVar(&o.pinFile, "pin-file", "", "file that holds the token's user PIN (mode 0600)")
	f.BoolVar(&o.softHSM, "init-softhsm", false, "make the token, of a SoftHSM module, for a trial")
	return cmd
}

func (o setupOptions) run(ctx context.Context, ask *asker, stderr io.Writer) error {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", o.dir, err)
	}
	at := folder{dir}
	d, err := at.load()
	if err != nil {
		return err
	}
	self, err := newTool()
	if err != nil {
		return err
	}
	ask.say("Countersign is set up in %s.", dir)
	t := &terminal{asker: ask, tool: self, folder: at, options: o}
	if err := t.fill(ctx, &d); err != nil {
		return err
	}
	if err := at.save(d); err != nil {
		return err
	}
	site := &setupSite{folder: at, tool: self, log: logger(config.Log{Level: "info", Format: "text"}, stderr), began: make(chan *daemon, 1), draft: d}
	return site.serve(ctx, ask)
}

// standards completes what has a usual place.
func (o setupOptions) standards(dir string, d *draft) {
	d.Listen, d.HealthListen = o.listen, o.health
	switch {
	case o.data != "":
		d.Data = o.data
	case d.Data != "":
	case dir == standardDir:
		d.Data = standardData
	default:
		d.Data = filepath.Join(dir, "data")
	}
	if info, err := os.Stat(standardClients); err == nil && info.IsDir() {
		d.Clients = standardClients
	}
}

// relay passes requests on to whoever serves now.
type relay struct{ to atomic.Pointer[http.Handler] }

func (r *relay) set(h http.Handler) { r.to.Store(&h) }

// ServeHTTP is that of whoever serves now.
func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) { (*r.to.Load()).ServeHTTP(w, req) }

// serve serves the setup until it is done, and then the gate.
func (s *setupSite) serve(ctx context.Context, ask *asker) error {
	server, err := url.Parse(s.URL)
	if err != nil {
		return fmt.Errorf("public URL: %w", err)
	}
	secret := setup.NewSecret()
	front := &relay{}
	front.set(setup.Handler(setup.Config{
		Server: server, Secret: secret, Site: s, GitHub: s, GitLab: s, SignIn: s.SignIn, Log: s.log, Now: time.Now,
	}))
	public, err := listen(ctx, s.Listen, front)
	if err != nil {
		return err
	}
	public.Start()
	ask.say("Listening on %s; %s has to lead there.\n\nGo on in the browser. This link works once:\n\n  %s\n", s.Listen, s.URL, setup.Link(server, secret))
	select {
	case <-ctx.Done():
		ask.say("Not done yet: run countersignd setup again to go on.")
		return public.Close()
	case d := <-s.began:
		defer d.Close()
		front.set(d.public)
		ask.say("The gate is set up, and serves. From now on it is started with\n\n  countersignd serve --config %s", s.folder.at(configName))
		return d.Work(ctx, public)
	}
}

// asker talks to whoever sits at the terminal.
type asker struct {
	in  *bufio.Reader
	out io.Writer
}

func (a *asker) say(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

// ask asks for one line. Where nobody answers, the flag would have.
func (a *asker) ask(ctx context.Context, question, flag string) (string, error) {
	fmt.Fprintf(a.out, "\n%s\n> ", question)
	var line string
	read := make(chan error, 1)
	go func() {
		var err error
		line, err = a.in.ReadString('\n')
		read <- err
	}()
	var err error
	select {
	case <-ctx.Done(): // the read ends with the process
		return "", ctx.Err()
	case err = <-read:
	}
	if err != nil && line == "" {
		return "", &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: "nobody answers: standard input ended", Fix: "answer at the terminal, or say it with --" + flag,
		}
	}
	return trimmed(line), nil
}
