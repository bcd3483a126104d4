package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/web/frame"
)

// LedgerBook is how the ledger is looked through.
type LedgerBook interface {
	// LedgerEntries lists entries before an index, the newest first; 0 starts at the newest.
	LedgerEntries(ctx context.Context, before int64, limit int) ([]gate.LedgerEntry, error)
	// FindLedger lists the entries that a text names, the newest first: an index, a hex SHA-256
	// of what was signed or of the leaf, or an id.
	FindLedger(ctx context.Context, text string, limit int) ([]gate.LedgerEntry, error)
	// Hashes reads the tree of the first size entries.
	Hashes(ctx context.Context, size int64) *ledger.Reader
}

// entriesShown is how many entries one page lists.
const entriesShown = 40

// ledgerBody is what the ledger's page shows.
type ledgerBody struct {
	// Published is the newest checkpoint; nil before the first.
	Published *gate.Checkpoint
	Epochs    []gate.Epoch
	Rows      []ledgerRow
	// Sought is what was looked for; "" for the newest.
	Sought string
	First  bool
	// Older is the path of the page that goes on; "" at the end.
	Older string
}

// ledgerRow is one entry in a list.
type ledgerRow struct {
	Index int64
	What  string
	Entry gate.LedgerEntry
	// Release is where it belongs, for who may see that.
	Release *gate.Request
	// Published is false for what no checkpoint covers yet.
	Published bool
}

// ledgerPage lists the ledger's entries, the newest first, or those that a word names.
func (s *server) ledgerPage(w http.ResponseWriter, r *http.Request) error {
	body := ledgerBody{Sought: r.URL.Query().Get("q")}
	before, err := beforeOf(r)
	if err != nil {
		return err
	}
	body.First = before == 0
	size, err := s.publishedSize(r.Context(), &body)
	if err != nil {
		return err
	}
	var entries []gate.LedgerEntry
	if body.Sought != "" {
		entries, err = s.Book.FindLedger(r.Context(), body.Sought, entriesShown)
	} else {
		entries, err = s.Book.LedgerEntries(r.Context(), before, entriesShown)
	}
	if err != nil {
		return err
	}
	if body.Sought != "" {
		if entries, err = s.named(r.Context(), body.Sought, entries); err != nil {
			return err
		}
	}
	if body.Rows, err = s.ledgerRows(r.Context(), entries, size); err != nil {
		return err
	}
	if n := len(entries); body.Sought == "" && n == entriesShown && entries[n-1].Index > 0 {
		body.Older = "/ledger?before=" + strconv.FormatInt(entries[n-1].Index, 10)
	}
	return s.render(w, r, http.StatusOK, "ledger", page{Title: "Ledger", Area: frame.Ledger, Body: body})
}

// named leaves out of what was found by an id those entries that the visitor may not read and
// whose public leaf does not name it: a signature's record does not say of which request it is.
func (s *server) named(ctx context.Context, sought string, found []gate.LedgerEntry) ([]gate.LedgerEntry, error) {
	var out []gate.LedgerEntry
	for _, e := range found {
		parsed, err := ledger.ParseEntry(e.Bytes)
		if err != nil {
			return nil, err
		}
		public := parsed.Leaf != nil && parsed.Leaf.ID == strings.TrimSpace(sought) || isHash(sought) || sought == strconv.FormatInt(e.Index, 10)
		if !public {
			if public, err = s.mayReadEntry(ctx, visitorOf(ctx), e); err != nil {
				return nil, err
			}
		}
		if public {
			out = append(out, e)
		}
	}
	return out, nil
}

// isHash reports whether a text is the SHA-256 of something, which what was found then has.
func isHash(text string) bool {
	hash, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "sha256:"))
	return err == nil && len(hash) == sha256.Size
}

func beforeOf(r *http.Request) (int64, error) {
	text := r.URL.Query().Get("before")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, badParameter("before", "the index of an entry", text)
	}
	return n, nil
}

// publishedSize is how many entries the newest checkpoint covers; 0 before the first.
func (s *server) publishedSize(ctx context.Context, body *ledgerBody) (int64, error) {
	c, err := s.published(ctx)
	switch {
	case gate.KindOf(err) == gate.NotFound:
		return 0, nil
	case err != nil:
		return 0, err
	}
	body.Published = &c
	body.Epochs, err = s.Ledger.Epochs(ctx)
	return c.Size, err
}

// ledgerRows tell of entries only what their public leaves tell, but to who may read more.
func (s *server) ledgerRows(ctx context.Context, entries []gate.LedgerEntry, size int64) ([]ledgerRow, error) {
	seen := map[string]*gate.Request{}
	var out []ledgerRow
	for _, e := range entries {
		row := ledgerRow{Index: e.Index, What: kindWord(e.Kind), Entry: e, Published: e.Index < size}
		if e.Request != "" {
			request, known := seen[e.Request]
			if !known {
				rec, err := s.readable(ctx, visitorOf(ctx), e.Request)
				if err != nil && gate.KindOf(err) != gate.NotFound {
					return nil, err
				}
				if err == nil {
					request = &rec.Request
				}
				seen[e.Request] = request
			}
			row.Release = request
		}
		out = append(out, row)
	}
	return out, nil
}

// entryBody is what the page of one entry shows.
type entryBody struct {
	ledgerRow

	Leaf     string // as it stands in the ledger
	LeafHash gate.Digest
	Record   *ledger.Record // of a signature
	Key      string         // fingerprint of the key that made it
	// Tiles are the paths of what the published log has of it: entries, and hashes.
	Tiles []string
	// Next is false for the last entry there is.
	Next bool
	// Open is set for who may read the document; Document is it, and Salt what binds the leaf
	// to it.
	Open           bool
	Document, Salt []byte
	Checkpoint     *gate.Checkpoint
	LogKey         []byte // DER SubjectPublicKeyInfo
	Path           merklePath
}

// entryPage shows one entry: what it stands for, and the proof that it is in the ledger.
func (s *server) entryPage(w http.ResponseWriter, r *http.Request) error {
	ctx, text := r.Context(), chi.URLParam(r, "index")
	index, err := strconv.ParseInt(text, 10, 64)
	if err != nil || index < 0 || strconv.FormatInt(index, 10) != text {
		return noEntry()
	}
	e, err := s.Ledger.LedgerEntry(ctx, index)
	if err != nil {
		return err
	}
	var list ledgerBody
	size, err := s.publishedSize(ctx, &list)
	if err != nil {
		return err
	}
	rows, err := s.ledgerRows(ctx, []gate.LedgerEntry{e}, size)
	if err != nil {
		return err
	}
	body := entryBody{ledgerRow: rows[0], Leaf: string(e.Bytes), LeafHash: leafHash(e.Bytes)}
	if err := s.openEntryFor(ctx, &body); err != nil {
		return err
	}
	following, err := s.Book.LedgerEntries(ctx, index+2, 1)
	if err != nil {
		return err
	}
	body.Next = len(following) > 0 && following[0].Index > index
	if body.Published {
		body.Tiles = tilesOf(index, size)
		body.Checkpoint, body.LogKey = list.Published, list.Epochs[len(list.Epochs)-1].SPKI
		proof, err := s.Book.Hashes(ctx, size).Inclusion(size, index)
		if err != nil {
			return err
		}
		body.Path = pathOf(body.LeafHash, index, size, proof)
	}
	title := "Entry " + text
	return s.render(w, r, http.StatusOK, "entry", page{Title: title, Area: frame.Ledger, Body: body})
}

// openEntryFor adds what only those see who may read what the entry is about.
func (s *server) openEntryFor(ctx context.Context, body *entryBody) error {
	v, e := visitorOf(ctx), body.Entry
	parsed, err := ledger.ParseEntry(e.Bytes)
	if err != nil {
		return err
	}
	if body.Record = parsed.Record; body.Record != nil {
		body.Key = fingerprintOf(*body.Record)
	}
	may, err := s.mayReadEntry(ctx, v, e)
	if err != nil || !may || personal(e.Kind) && !v.SignedIn {
		return err
	}
	body.Open, body.Document, body.Salt = true, e.Document, e.Salt
	return nil
}

// tilesOf are the tiles of entries and of hashes that hold an entry, as wide as a log of size
// entries has them (C2SP tlog-tiles).
func tilesOf(index, size int64) []string {
	t := ledger.Tile{Index: index >> ledger.TileHeight, Width: ledger.TileWidth}
	t.Width = int(min(ledger.TileWidth, size-t.Index<<ledger.TileHeight))
	var out []string
	for _, t.Level = range []int{ledger.EntriesLevel, 0} {
		out = append(out, "/log/"+t.Path())
	}
	return out
}

// fingerprintOf names the key of a signature's record as ssh-keygen -l does; "" for one that
// signs no releases.
func fingerprintOf(r ledger.Record) string {
	spki := r.Key
	if r.Certificate {
		c, err := x509.ParseCertificate(r.Key)
		if err != nil {
			return ""
		}
		spki = c.RawSubjectPublicKeyInfo
	}
	key, err := attest.ParseKey(spki)
	if err != nil {
		return ""
	}
	return key.Hint()
}

// prettyJSON is a document as people read it; what is none stays as it is.
func prettyJSON(document []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, document, "", "  "); err != nil {
		return string(document)
	}
	return b.String()
}
