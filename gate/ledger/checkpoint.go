package ledger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxCheckpoint bounds a signed checkpoint, in bytes: three lines and some forty
// cosignatures.
const MaxCheckpoint = 16 << 10

// Head is what a checkpoint says: how large the tree of a log is, and its root.
type Head struct {
	Origin string // the log's name, which is its key's name too
	Size   int64
	Root   tlog.Hash
}

// Text is the checkpoint's text (C2SP tlog-checkpoint), which is what gets signed: three
// lines, each with its line feed.
func (h Head) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", h.Origin, h.Size, base64.StdEncoding.EncodeToString(h.Root[:]))
}

// ParseHead reads a checkpoint's text. Extension lines are refused: this log has none.
func ParseHead(text string) (Head, error) {
	if len(text) > MaxCheckpoint {
		return Head{}, fmt.Errorf("read checkpoint: expected at most %d bytes, got %d", MaxCheckpoint, len(text))
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Head{}, fmt.Errorf("read checkpoint: expected three lines (origin, size, root), got %d", len(lines)-1)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Head{}, fmt.Errorf("read checkpoint: expected a size in decimal, got %q", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Head{}, fmt.Errorf("read checkpoint: expected a root of %d bytes in base64, got %q", tlog.HashSize, lines[2])
	}
	if lines[0] == "" {
		return Head{}, errors.New("read checkpoint: expected an origin, got none")
	}
	h := Head{Origin: lines[0], Size: size, Root: tlog.Hash(root)}
	// The decoder skips carriage returns: a head has one spelling.
	if h.Text() != text {
		return Head{}, fmt.Errorf("read checkpoint: expected %q, got %q", h.Text(), text)
	}
	return h, nil
}

// Open reads a signed checkpoint. It must be signed by the log's key, under the log's
// origin; who of the given witnesses cosigned it is returned too. Signatures by others are
// left aside, as C2SP signed-note asks.
func Open(signed []byte, key *LogKey, witnesses ...*WitnessKey) (Head, []Cosignature, error) {
	if len(signed) > MaxCheckpoint {
		return Head{}, nil, fmt.Errorf("read checkpoint: expected at most %d bytes, got %d", MaxCheckpoint, len(signed))
	}
	known := []note.Verifier{key}
	for _, w := range witnesses {
		known = append(known, w)
	}
	n, err := note.Open(signed, note.VerifierList(known...))
	if err != nil {
		return Head{}, nil, fmt.Errorf("read checkpoint of %s: %w", key.Name(), err)
	}
	h, err := ParseHead(n.Text)
	if err != nil {
		return Head{}, nil, err
	}
	if h.Origin != key.Name() {
		return Head{}, nil, fmt.Errorf("read checkpoint: expected origin %q, got %q", key.Name(), h.Origin)
	}
	byLog := false
	var by []Cosignature
	for _, s := range n.Sigs {
		if s.Name == key.Name() && s.Hash == key.KeyHash() {
			byLog = true
			continue
		}
		c, err := cosignatureOf(s)
		if err != nil {
			return Head{}, nil, err
		}
		by = append(by, c)
	}
	if !byLog {
		return Head{}, nil, fmt.Errorf("read checkpoint: it is not signed by the log's key %s", key.Name())
	}
	return h, by, nil
}

// Sign makes a signed checkpoint. sign signs the text as the key does: for P-256, DER over
// its SHA-256; for Ed25519, the text itself.
func Sign(h Head, key *LogKey, sign func(text []byte) ([]byte, error)) ([]byte, error) {
	if h.Origin != key.Name() {
		return nil, fmt.Errorf("sign checkpoint: the key is for origin %q, the checkpoint's is %q", key.Name(), h.Origin)
	}
	signed, err := note.Sign(&note.Note{Text: h.Text()}, noteSigner{key, sign})
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of %s: %w", h.Origin, err)
	}
	// What leaves the gate verifies.
	if _, _, err := Open(signed, key); err != nil {
		return nil, fmt.Errorf("sign checkpoint of %s: what came does not verify: %w", h.Origin, err)
	}
	return signed, nil
}

// noteSigner joins a key with what signs for it elsewhere.
type noteSigner struct {
	*LogKey

	sign func(text []byte) ([]byte, error)
}

func (s noteSigner) Sign(msg []byte) ([]byte, error) { return s.sign(msg) }
