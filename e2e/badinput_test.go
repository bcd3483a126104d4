package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/store"
)

// answer is what the daemon said to one request.
type answer struct {
	status  int
	header  http.Header
	problem api.Problem
	body    string
}

// hostile is a running daemon that is sent what it must refuse, and the database that
// must not grow by it.
type hostile struct {
	*stage.Stage

	world  forgetest.World
	team   *stage.Team
	job    forgetest.Job
	open   string // id of a request that waits
	db     *sql.DB
	server string // host:port
	repos  map[string]forgetest.Repository
}

// onRecord expects that the ledger says under which administrators and in which mode the
// server does what it does from now on.
func onRecord(t *testing.T, database string) {
	t.Helper()
	got, err := column(t.Context(), ledgerOf(t, database), `SELECT kind FROM leaves WHERE leaf_id = 'server' ORDER BY kind`)
	must(t, err)
	if strings.Join(got, " ") != "administrators certificate certificate epoch server-mode trusted-root" {
		t.Errorf("expected that the server is on record, got %q", got)
	}
}

// Whatever is wrong with what comes in has its own stable code, says what was expected,
// what came and what to do next, and leaves not one row behind.
func TestBadInput(t *testing.T) {
	t.Parallel()
	log, err := os.Create(filepath.Join(t.TempDir(), "daemon.log"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage.New(t.Context(), stage.Options{Dir: t.TempDir(), Bin: bin, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		_ = log.Close() // written by the daemon alone
	})
	teams := map[string]*stage.Team{}
	var owners []string
	for _, name := range forges() {
		teams[name] = stage.Gather(s.Worlds[name])
		owners = append(owners, teams[name].Owner())
	}
	key, err := s.CreateKey(t.Context())
	must(t, err)
	must(t, s.Configure(key, owners...))
	for _, name := range forges() {
		must(t, s.Adopt(t.Context(), teams[name]))
	}
	must(t, s.Start(t.Context()))
	onRecord(t, s.Database())
	checked := &story{Stage: s, tb: t, log: log.Name(), db: store.Config{Engine: store.SQLite, Path: s.Database()}}
	for _, name := range forges() {
		t.Run(name, func(t *testing.T) {
			h := &hostile{
				Stage: s, world: s.Worlds[name], team: teams[name], server: strings.TrimPrefix(s.URL, "http://"),
				db: ledgerOf(t, s.Database()),
			}
			h.job = h.team.Release("eve", "v1.0.0")
			h.populate(t)
			t.Run("deliveries", h.deliveries)
			t.Run("identity", h.identity)
			t.Run("asks", h.asks)
			t.Run("repositories", h.repositories)
			h.begin(t)
			t.Run("requests", h.requests)
		})
	}
	must(t, s.Stop())
	checked.holds(t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin opens one good request: what was refused before does not stand in its way.
func (h *hostile) begin(t *testing.T) {
	t.Helper()
	h.quiet(t)
	before, err := counts(t.Context(), h.db)
	must(t, err)
	req := h.plea(built("widget.tgz")).request(t)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	var r api.Release
	if err := json.Unmarshal(body, &r); err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("a good ask: expected 202, got %d %s", resp.StatusCode, body)
	}
	h.open = r.ID
	h.quiet(t)
	after, err := counts(t.Context(), h.db)
	must(t, err)
	if d := grown(before, after); len(d) == 0 || after["requests"] != before["requests"]+1 || after["token_uses"] != before["token_uses"]+1 {
		t.Fatalf("a good ask: expected one request and one use of an ID token more, got %v", d)
	}
}

func (h *hostile) plea(subjects ...subject) *plea {
	return asking(h.Stage, h.world, h.job, subjects...)
}

// quiet waits until nothing is under way: every request judged, everything heard and told.
func (h *hostile) quiet(t *testing.T) {
	t.Helper()
	const busy = `SELECT
		(SELECT COUNT(*) FROM posts WHERE state = 'open') + (SELECT COUNT(*) FROM inbox WHERE done_at = 0) +
		(SELECT COUNT(*) FROM requests WHERE ended = 0 AND decision = '')`
	deadline := time.Now().Add(patience)
	for idle := 0; idle < 2; {
		for _, w := range h.Worlds {
			w.Settle()
		}
		var n int
		must(t, h.db.QueryRowContext(t.Context(), busy).Scan(&n))
		if idle++; n > 0 {
			idle = 0
			time.Sleep(50 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d pieces of work are still under way", n)
		}
	}
}

// refuse sends a request that must be answered with a problem of this status and code.
func (h *hostile) refuse(t *testing.T, name string, status int, code gate.Code, req func(t *testing.T) *http.Request) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		h.refused(t, status, code, func() answer { return sent(t, req(t)) })
	})
}

// refused holds one answer, and the database around it, against what must hold of all.
func (h *hostile) refused(t *testing.T, status int, code gate.Code, send func() answer) {
	t.Helper()
	h.quiet(t)
	before, err := counts(t.Context(), h.db)
	must(t, err)
	got := send()
	h.quiet(t)
	after, err := counts(t.Context(), h.db)
	must(t, err)
	if got.status != status || got.problem.Code != code.String() {
		t.Errorf("expected %d %s, got %d %.600s", status, code, got.status, got.body)
	}
	if d := grown(before, after); len(d) > 0 {
		t.Errorf("it left rows behind: %v", d)
	}
	p := got.problem
	switch {
	case got.header.Get("Content-Type") != api.MediaProblem:
		t.Errorf("expected %s, got %s", api.MediaProblem, got.header.Get("Content-Type"))
	case p.Title == "" || p.Expected == "" || p.Got == "" || p.Fix == "":
		t.Errorf("expected what is wrong, what was expected, what came and what to do, got %.600s", got.body)
	case p.Status != got.status || p.Type != h.URL+"/errors/"+p.Code:
		t.Errorf("the problem contradicts itself: %.600s", got.body)
	}
	if strings.Contains(got.body, h.WebhookSecret()) {
		t.Error("the answer tells the webhook's secret")
	}
}

// sent sends a request without the comforts of an HTTP client: a server that has heard
// enough may answer before everything was written.
func sent(t *testing.T, req *http.Request) answer {
	t.Helper()
	req.Header.Set("Accept-Encoding", "identity") // the answer is read as it comes
	head, err := httputil.DumpRequestOut(req, false)
	must(t, err)
	var body []byte
	if req.Body != nil {
		body, err = io.ReadAll(req.Body)
		must(t, err)
	}
	return raw(t, req.URL.Host, req.Method, head, body)
}

// raw writes bytes to the server, does what comes after, and reads the answer.
func raw(t *testing.T, host, method string, head, body []byte, after ...func(*net.TCPConn) error) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	must(t, err)
	defer func() { _ = conn.Close() }() // the answer was read
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.Copy(conn, io.MultiReader(bytes.NewReader(head), bytes.NewReader(body))) // the server may have hung up
		for _, f := range after {
			_ = f(conn.(*net.TCPConn)) //nolint:forcetypeassert // it was dialled as TCP
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	must(t, err)
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	_ = resp.Body.Close() // in memory
	_ = conn.Close()      // ends the writing
	<-written
	out := answer{status: resp.StatusCode, header: resp.Header, body: string(text)}
	if err := json.Unmarshal(text, &out.problem); err != nil && resp.StatusCode != http.StatusAccepted {
		t.Errorf("expected a JSON problem, got %.300s", text)
	}
	return out
}
