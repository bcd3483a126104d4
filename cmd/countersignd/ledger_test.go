package main_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	main "github.com/countersign/countersign/cmd/countersignd"
	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// server is a configuration with a token, whose ledger the test publishes as serve does.
type server struct {
	t     *testing.T
	dir   string
	token hsmtest.Token
	pins  []hsm.KeyPin
	// administrators' SSH keys
	ana, bo string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), token: softhsm(t)}
	s.pins = append([]hsm.KeyPin{s.token.Pin(t, "acme", 1)}, s.token.PinAuthority(t)...)
	for _, name := range []string{"github-app.pem", "github-webhook", "github-client", "gitlab-token", "gitlab-webhook"} {
		s.write(name, "s3cret-of-"+name)
	}
	s.ana, s.bo = s.person("ana"), s.person("bo")
	s.write("signers", fmt.Sprintf("github:583231 namespaces=\"epoch@countersign\" %s\ngithub:2 %s\n", s.read("ana.pub"), s.read("bo.pub")))
	s.configure("countersign.example", s.pins)
	return s
}

func (s *server) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *server) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *server) person(name string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path).CombinedOutput(); err != nil {
		s.t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	return path
}

// sign is what an administrator does with a document.
func (s *server) sign(key, document string) string {
	s.t.Helper()
	to := document + "." + filepath.Base(key)
	in, err := os.Open(document)
	if err != nil {
		s.t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("ssh-keygen", "-q", "-Y", "sign", "-n", keeper.EpochNamespace, "-f", key)
	cmd.Stdin = in
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("ssh-keygen -Y sign: %v", err)
	}
	if err := os.WriteFile(to, out, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return to
}

var (
	keysBlock = regexp.MustCompile(`(?s)\nkeys:.*?\nledger:\n`)
	hsmBlock  = regexp.MustCompile(`(?s)\nhsm:.*?\nkeys:`)
)

func (s *server) configure(origin string, pins []hsm.KeyPin) {
	s.t.Helper()
	keys := "\nkeys:\n"
	for _, p := range pins {
		purpose, bound := p.Purpose, ""
		if purpose == "" || purpose == gate.PurposeRelease {
			purpose, bound = gate.PurposeRelease, `, repositories: ["github:1296269"]`
		}
		keys += fmt.Sprintf("  - {purpose: %s, lineage: %s, version: %d, token: %s, label: %s, id: %q, spki: %q%s}\n",
			purpose, p.Lineage, p.Version, s.token.TokenLabel, p.Label, hex.EncodeToString(p.ID), p.Fingerprint, bound)
	}
	text := strings.NewReplacer("/etc/countersign", s.dir, "/var/lib/countersign", s.dir, `administrators: ["github:583231"]`, `administrators: ["github:583231", "github:2"]`,
		"  # signers_file:", "  signers_file:").Replace(config.Example())
	text = keysBlock.ReplaceAllLiteralString(text, keys+"\nledger:\n  origin: "+origin+"\n")
	text = hsmBlock.ReplaceAllLiteralString(text, fmt.Sprintf("\nhsm:\n  - {module: %s, token: %s, pin_file: %s, workers: 1}\n\nkeys:", s.token.Module, s.token.TokenLabel, s.token.PINFile))
	s.write("countersign.yaml", text)
}

func (s *server) run(args ...string) (int, string, string) {
	s.t.Helper()
	return run(s.t, append(args, "--config", filepath.Join(s.dir, "countersign.yaml"))...)
}

// notary has the token's log key sign.
type notary struct {
	signers *main.Signers
	key     gate.AuthorityKey
	log     *ledger.LogKey
}

func (n notary) Checkpoint(ctx context.Context, h ledger.Head) ([]byte, error) {
	return ledger.Sign(h, n.log, func(text []byte) ([]byte, error) { return n.signers.Seal(ctx, n.key, text) })
}

// publish stores one entry and publishes all, as a running server does.
func (s *server) publish(adoption string) gate.Checkpoint {
	s.t.Helper()
	c, err := config.Load(filepath.Join(s.dir, "countersign.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	signers, err := main.StartSigners(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	defer signers.Close()
	n := notary{signers: signers}
	for _, k := range signers.AuthorityKeys() {
		if k.Purpose == gate.PurposeLog && k.Version > n.key.Version {
			n.key = k
		}
	}
	if n.log, err = ledger.NewLogKey(c.Ledger.Origin, n.key.SPKI); err != nil {
		s.t.Fatal(err)
	}
	shelf, err := store.Open(s.t.Context(), store.Config{Engine: store.SQLite, Path: c.Database.Path, Now: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	defer shelf.Close()
	k, err := keeper.New(keeper.Config{
		Shelf: shelf, Notary: n, Guard: keeper.File{Path: c.Ledger.Guard}, Key: n.log, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Every: time.Hour, Patience: time.Minute,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := k.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if err := shelf.Adopt(s.t.Context(), gate.Adoption{
		ID: adoption, Repository: gate.RepositoryID{Forge: "github", ID: 1296269}, Name: "acme/widget",
		Owner: gate.AccountID{Forge: "github", ID: 100}, File: []byte("x"), Commit: commit, Baseline: commit, DefaultBranch: "trunk", By: "root", At: time.Now(),
	}); err != nil {
		s.t.Fatal(err)
	}
	size, err := shelf.LedgerSize(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	published, err := k.Covering(s.t.Context(), size, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return published
}

func (s *server) wants(code int, args []string, parts ...string) string {
	s.t.Helper()
	got, stdout, stderr := s.run(args...)
	if got != code {
		s.t.Errorf("%v: expected exit code %d, got %d: %s%s", args, code, got, stdout, stderr)
	}
	for _, part := range parts {
		if !strings.Contains(stdout+stderr, part) {
			s.t.Errorf("%v: expected %q in it, got %s%s", args, part, stdout, stderr)
		}
	}
	return stdout
}

const adoptionID = "0197f3a0-0000-7000-8000-00000000000"

// What an operator sees of a ledger, from its beginning to a new epoch after a restore.
func TestLedgerCommands(t *testing.T) {
	s := newServer(t)
	s.wants(2, []string{"ledger", "status"}, "there is no database", "countersignd serve")
	s.publish(adoptionID + "1")
	s.wants(0, []string{"ledger", "status"}, "entries    2 in the database", "published  2, root ", "guard      2 in epoch 1", "log        countersign.example+", "fit        yes")
	backup := s.read("countersign.db")
	last := s.publish(adoptionID + "2")
	s.wants(0, []string{"ledger", "checkpoint"}, string(last.Note))
	s.wants(0, []string{"ledger", "verify"}, "entries       3, root "+last.Root.String(), "commitments   3", "checkpoints   2", "epochs        1")

	// The database of before is put back.
	for _, name := range []string{"countersign.db", "countersign.db-wal", "countersign.db-shm"} {
		_ = os.Remove(filepath.Join(s.dir, name))
	}
	s.write("countersign.db", backup)
	s.wants(1, []string{"ledger", "status"}, "fit        no", "CS-1510", "3 entries, as the guard's file says", "2 entries in the database")
	s.wants(0, []string{"ledger", "verify"}, "entries       2")
	s.wants(2, []string{"ledger", "epoch", "draft", "--reason", "disk lost"}, "CS-1515", "origin is not new")

	// Another origin and log key are configured; two administrators sign.
	next, err := hsm.Generate(t.Context(), hsm.GenerateConfig{
		Module: s.token.Module, TokenLabel: s.token.TokenLabel, PINFile: s.token.PINFile, Label: "log-2", Purpose: gate.PurposeLog, Type: hsm.Ed25519,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.configure("log2.example", append(s.pins, hsm.KeyPin{
		Lineage: "log", Version: 2, Purpose: gate.PurposeLog, Label: next.Label, ID: next.ID, Fingerprint: next.Fingerprint,
	}))
	s.wants(1, []string{"ledger", "status"}, "CS-1515", "log2.example", "not those of the ledger's epoch")
	drafted := s.wants(0, []string{"ledger", "epoch", "draft", "--reason", "disk lost"}, "entries 2 to 2 are lost", "ssh-keygen -Y sign")
	document := s.write("epoch.json", drafted)
	ana, bo := s.sign(s.ana, document), s.sign(s.bo, document)
	begin := []string{"ledger", "epoch", "begin", "--document", document}
	s.wants(2, append(begin, "--signature", ana), "CS-1515", "too few administrators")
	s.wants(2, append(begin, "--signature", ana, "--signature", ana), "signed twice")
	s.wants(2, append(begin, "--signature", ana, "--signature", document), "signature 2 does not hold")
	s.wants(2, append(begin, "--signature", ana, "--signature", bo+".none"), "cannot be read")
	s.wants(0, append(begin, "--signature", ana, "--signature", bo), "Epoch 2 of the ledger has begun under log2.example", "  log2.example+")
	s.wants(2, append(begin, "--signature", ana, "--signature", bo), "CS-1515")
	s.wants(0, []string{"ledger", "status"}, "entries    3", "published  nothing yet", "guard      epoch 1", "epoch 2    log2.example", "fit        yes")
	if c := s.publish(adoptionID + "3"); c.Origin != "log2.example" || c.Size != 4 {
		t.Errorf("got %+v", c)
	}
	s.wants(0, []string{"ledger", "verify"}, "entries       4", "epochs        2", "checkpoints   2")
	s.wants(0, []string{"ledger", "status"}, "guard      4 in epoch 2", "fit        yes")
}

func TestLedgerJSON(t *testing.T) {
	s := newServer(t)
	last := s.publish(adoptionID + "1")
	var status struct {
		Entries   int64           `json:"entries"`
		Published gate.Checkpoint `json:"published"`
		Fit       bool            `json:"fit"`
		Witnesses []any           `json:"witnesses"`
	}
	if err := json.Unmarshal([]byte(s.wants(0, []string{"ledger", "status", "--json"})), &status); err != nil ||
		!status.Fit || status.Entries != 2 || status.Published.Root != last.Root || status.Witnesses == nil {
		t.Errorf("got %+v, %v", status, err)
	}
	var figures keeper.Figures
	if err := json.Unmarshal([]byte(s.wants(0, []string{"ledger", "verify", "--json"})), &figures); err != nil ||
		figures.Entries != 2 || figures.Wrong != 0 || figures.Problems == nil {
		t.Errorf("got %+v, %v", figures, err)
	}
}

// Without keys of administrators nobody begins an epoch.
func TestEpochNeedsSigners(t *testing.T) {
	s := newServer(t)
	s.publish(adoptionID + "1")
	s.write("countersign.yaml", strings.Replace(s.read("countersign.yaml"), "  signers_file:", "  # signers_file:", 1))
	s.wants(2, []string{"ledger", "epoch", "begin", "--document", s.write("d", "{}\n"), "--signature", s.write("s", "x")}, "ledger.signers_file")
	s.wants(2, []string{"ledger", "epoch", "draft"}, "required flag")
}
