package web

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
)

// handoutTime bounds how long handing a client out takes.
const handoutTime = 10 * time.Minute

// clientSums lists the clients that there are, as sha256sum checks it.
func (s *server) clientSums(w http.ResponseWriter, _ *http.Request) error {
	if s.Clients == nil {
		return noClients()
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, s.Clients.Sums()) // the reader is gone: nobody is left to tell
	return nil
}

// client hands the client of a platform out, with what it has to be: its SHA-256 as ETag
// and as Repr-Digest (RFC 9530).
func (s *server) client(w http.ResponseWriter, r *http.Request) error {
	if s.Clients == nil {
		return noClients()
	}
	name := path.Join(chi.URLParam(r, "platform"), chi.URLParam(r, "file"))
	c, ok := s.Clients.Find(name)
	if !ok {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodePathUnknown, Text: "there is no client for this platform here",
			Expected: "one of " + strings.Join(s.Clients.Platforms(), ", ") + ", with /countersign (Windows: /countersign.exe)",
			Got:      quoted(name), Fix: "take one of these, or build the client from source: go install github.com/countersign/countersign/cmd/countersign@latest",
		}
	}
	f, err := s.Clients.Open(c)
	if err != nil {
		return fmt.Errorf("hand out the client %s: %w", name, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	// A slow line takes longer than an answer otherwise may; not every writer has a deadline.
	_ = http.NewResponseController(w).SetWriteDeadline(s.Now().Add(handoutTime))
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+path.Base(name)+`"`)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+c.SHA256.String()+`"`)
	h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(c.SHA256[:])+":")
	http.ServeContent(w, r, "", c.Modified, f)
	return nil
}

// noClients says what an operator does to have clients handed out.
func noClients() error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodePathUnknown, Text: "this server hands out no clients",
		Expected: "server.clients in its configuration: a folder such as /usr/share/countersign/clients, which the container image holds and `make clients` builds",
		Fix:      "the operator names that folder and restarts; until then, install the client on the runner: go install github.com/countersign/countersign/cmd/countersign@latest",
	}
}
