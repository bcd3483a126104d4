package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web"
)

// listen serves the world as the daemon does, on loopback.
func listen(t *testing.T, w *world, edit func(*http.Server)) (addr string, srv *http.Server) {
	t.Helper()
	srv = web.Server(w.handler)
	if edit != nil {
		edit(srv)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup // the server, and each connection until net/http lets go of it
	srv.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			running.Add(1)
		case http.StateClosed, http.StateHijacked:
			running.Done()
		case http.StateActive, http.StateIdle:
		}
	}
	running.Go(func() { _ = srv.Serve(l) }) // ends with Close
	t.Cleanup(func() {
		_ = srv.Close()
		running.Wait()
	})
	return l.Addr().String(), srv
}

// send writes raw bytes and reads until the server ends the connection.
func send(t *testing.T, addr, raw string) string {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(c, raw) }() // the server may close before the end
	answer, err := io.ReadAll(c)
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	return string(answer)
}

func TestEveryPhaseIsBounded(t *testing.T) {
	srv := web.Server(http.NotFoundHandler())
	if srv.ReadHeaderTimeout <= 0 || srv.ReadTimeout <= 0 || srv.WriteTimeout <= time.Minute || srv.IdleTimeout <= 0 ||
		srv.MaxHeaderBytes <= 0 || srv.MaxHeaderBytes > 1<<20 {
		t.Errorf("%+v", srv)
	}
}

// attack 63: who sends slowly is cut off, with what came and nothing stored.
func TestSlowBody(t *testing.T) {
	w := newWorld(t)
	addr, _ := listen(t, w, func(s *http.Server) { s.ReadTimeout = 200 * time.Millisecond })
	answer := send(t, addr, "POST "+hook+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"slow\":")
	if !strings.HasPrefix(answer, "HTTP/1.1 400") || !strings.Contains(answer, gate.CodeDeliveryMalformed.String()) {
		t.Errorf("answered %s", answer)
	}
	if len(w.inbox) > 0 {
		t.Error("something was stored")
	}
}

func TestSlowHeader(t *testing.T) {
	w := newWorld(t)
	addr, _ := listen(t, w, func(s *http.Server) { s.ReadHeaderTimeout = 200 * time.Millisecond })
	if answer := send(t, addr, "POST "+hook+" HTTP/1.1\r\nHost: x\r\nX-Slow: "); strings.HasPrefix(answer, "HTTP/1.1 2") {
		t.Errorf("answered %s", answer)
	}
}

// attack 63: what announces 1 GB is answered and cut off, not drained.
func TestAnnouncedFloodEndsTheConnection(t *testing.T) {
	w := newWorld(t)
	addr, _ := listen(t, w, nil)
	answer := send(t, addr, "POST "+hook+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n{")
	if !strings.HasPrefix(answer, "HTTP/1.1 413") || !strings.Contains(answer, "Connection: close") ||
		!strings.Contains(answer, gate.CodeDeliveryTooLarge.String()) {
		t.Errorf("answered %s", answer)
	}
}

// attack 63: so is one that does not say how much it is.
func TestSilentFloodEndsTheConnection(t *testing.T) {
	w := newWorld(t)
	addr, _ := listen(t, w, nil)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, strings.Repeat(" ", 1<<20))
	answer := send(t, addr, "POST /v1/releases HTTP/1.1\r\nHost: x\r\n"+auth+"\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat(chunk, 8))
	if !strings.HasPrefix(answer, "HTTP/1.1 413") || !strings.Contains(answer, "Connection: close") {
		t.Errorf("answered %.300s", answer)
	}
}

// attack 63: a truncated delivery leaves nothing behind.
func TestTruncatedDelivery(t *testing.T) {
	w := newWorld(t)
	addr, _ := listen(t, w, nil)
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "POST "+hook+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") || len(w.inbox) > 0 {
		t.Errorf("answered %q, %v, stored %d", answer, err, len(w.inbox))
	}
}

// A server that goes does not hold those who wait: each learns the state as it is.
func TestShutdownEndsWaiting(t *testing.T) {
	w := newWorld(t)
	w.shown = make(chan struct{}, 1)
	w.put(record(t, gate.StateWaiting))
	addr, srv := listen(t, w, nil)
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET "+release+"?wait=60s HTTP/1.1\r\nHost: x\r\n"+auth+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-w.shown
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second) // less than the wait
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Errorf("shut down: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || err != nil || !strings.Contains(string(body), `"state":"waiting"`) {
		t.Errorf("answered %d %s %v", resp.StatusCode, body, err)
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	w.handler = web.Health(w)
	for path, status := range map[string]int{"/livez": 200, "/readyz": 200, "/": 404, "/v1/releases": 404} {
		if got := w.call(t, http.MethodGet, path, ""); got.Code != status {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	if got := w.call(t, http.MethodHead, "/readyz", ""); got.Code != http.StatusOK {
		t.Errorf("HEAD /readyz: %d", got.Code)
	}
	w.fail = errDatabase
	got := w.call(t, http.MethodGet, "/readyz", "")
	if got.Code != http.StatusServiceUnavailable || strings.Contains(got.Body.String(), "10.1.2.3") {
		t.Errorf("/readyz: %d %s", got.Code, got.Body)
	}
	if got := w.call(t, http.MethodGet, "/livez", ""); got.Code != http.StatusOK {
		t.Errorf("/livez: %d", got.Code)
	}
}
