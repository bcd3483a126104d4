package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Ledger is the published ledger. Errors: CodeLogRange of kind NotFound for what it has not.
type Ledger interface {
	// Tile is a tile of hashes or of entries, of any width up to what is there.
	Tile(ctx context.Context, t ledger.Tile) ([]byte, error)
	// LatestCheckpoint is the newest that was published under an origin; false where none was.
	LatestCheckpoint(ctx context.Context, origin string) (gate.Checkpoint, bool, error)
	// Epochs lists them all, the first one first.
	Epochs(ctx context.Context) ([]gate.Epoch, error)
	// LedgerEntry is one entry with what opens it.
	LedgerEntry(ctx context.Context, index int64) (gate.LedgerEntry, error)
	// Verdict is what was signed about a request that ended denied; false where nothing was.
	Verdict(ctx context.Context, request string) (gate.SignedVerdict, []gate.LogEntry, bool, error)
}

// logRoutes are the paths of the published evidence, where there is any.
func (s *server) logRoutes(r chi.Router) {
	if s.Ledger != nil {
		r.Get("/log/checkpoint", s.api(s.logCheckpoint))
		r.Get("/log/epochs/{epoch}/checkpoint", s.api(s.epochCheckpoint))
		r.Get("/log/tile/*", s.api(s.logTile))
		r.Get("/v1/log/entries/{index}", s.logEntry())
	}
	if s.Ledger != nil && s.Book != nil {
		r.Get("/ledger", s.page(s.ledgerPage))
		r.Get("/ledger/{index}", s.page(s.entryPage))
	}
	if s.Roots != nil {
		r.Get("/v1/trusted_root.json", s.api(s.trustedRoot))
		r.Get("/v1/trusted_root/{file}", s.api(s.trustedRootVersion))
	}
}

// How long answers of the log may be kept by whoever stands between. A full tile never
// changes; a narrower one is soon superseded, and a checkpoint by the next release.
const (
	keepForever = "public, max-age=31536000, immutable"
	keepAMinute = "public, max-age=60"
	keepBriefly = "public, max-age=2"
)

// logCheckpoint answers the newest published checkpoint (C2SP tlog-tiles).
func (s *server) logCheckpoint(w http.ResponseWriter, r *http.Request) error {
	c, err := s.published(r.Context())
	if err != nil {
		return err
	}
	writeCheckpoint(w, c, keepBriefly)
	return nil
}

// epochCheckpoint answers the last checkpoint of an epoch, by its number.
func (s *server) epochCheckpoint(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Ledger.Epochs(r.Context())
	if err != nil {
		return err
	}
	n := chi.URLParam(r, "epoch")
	for _, e := range all {
		if strconv.Itoa(e.Number) != n {
			continue
		}
		c, ok, err := s.Ledger.LatestCheckpoint(r.Context(), e.Origin)
		switch {
		case err != nil:
			return err
		case ok:
			writeCheckpoint(w, c, keepBriefly)
			return nil
		}
	}
	return notInLog("the number of an epoch that published a checkpoint", n)
}

func writeCheckpoint(w http.ResponseWriter, c gate.Checkpoint, keep string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", keep)
	_, _ = w.Write(c.Note) // the client is gone: nobody is left to tell
}

// logTile answers a tile as far as it was published: what lies beyond the newest checkpoint
// may still come to nothing.
func (s *server) logTile(w http.ResponseWriter, r *http.Request) error {
	path := "tile/" + chi.URLParam(r, "*")
	t, err := ledger.ParseTile(path)
	if err != nil {
		return notInLog("tile/<level or entries>/<index>[.p/<width>] as C2SP tlog-tiles spells it", path)
	}
	c, err := s.published(r.Context())
	if err != nil {
		return err
	}
	if !t.In(c.Size) {
		return notInLog("a tile of a tree of "+strconv.FormatInt(c.Size, 10)+" entries", path)
	}
	data, err := s.Ledger.Tile(r.Context(), t)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", keepAMinute)
	if t.Width == ledger.TileWidth {
		w.Header().Set("Cache-Control", keepForever)
	}
	_, _ = w.Write(data) // as above
	return nil
}

// published is the newest checkpoint of the newest epoch.
func (s *server) published(ctx context.Context) (gate.Checkpoint, error) {
	all, err := s.Ledger.Epochs(ctx)
	if err != nil {
		return gate.Checkpoint{}, err
	}
	if len(all) > 0 {
		c, ok, err := s.Ledger.LatestCheckpoint(ctx, all[len(all)-1].Origin)
		if err != nil || ok {
			return c, err
		}
	}
	return gate.Checkpoint{}, notInLog("a ledger with a published checkpoint", "none yet")
}

func notInLog(expected, got string) error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeLogRange, Text: "the ledger has published no such thing",
		Expected: expected, Got: quoted(got), Fix: "stay within the size that /log/checkpoint says",
	}
}
