package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/countersign/countersign/gate/ledger"
)

// Bounds of one exchange.
const (
	Patience  = 10 * time.Second
	maxAnswer = 64 << 10 // bytes
	maxProof  = 63       // lines, C2SP tlog-witness
)

// sizeType is the content type of a witness's size in an answer 409.
const sizeType = "text/x.tlog.size"

// Client asks one witness. It may be used by many at once.
type Client struct {
	url  string
	key  *ledger.WitnessKey
	http *http.Client
}

// New gives the client of a witness: its submission prefix, as its operator publishes it, and
// its verifier key ("name+hash+base64"). transport is nil for the usual one. Redirects are
// not followed: a checkpoint goes where the configuration says.
func New(prefix, vkey string, transport http.RoundTripper) (*Client, error) {
	key, err := ledger.ParseWitnessKey(vkey)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(prefix)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("witness %s: expected the URL of its submission prefix, without query and fragment, got %q", key.Name(), prefix)
	}
	return &Client{
		url: strings.TrimSuffix(prefix, "/") + "/add-checkpoint", key: key,
		http: &http.Client{
			Transport: transport, Timeout: Patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Key is what the witness's cosignatures verify under.
func (c *Client) Key() *ledger.WitnessKey { return c.key }

// conflict is an answer 409: the size of the tree that the witness saw last.
type conflict int64

func (c conflict) Error() string { return fmt.Sprintf("it saw %d entries last", int64(c)) }

// Cosign asks for a cosignature of a checkpoint, and gives it as a line of a signed note,
// verified under the witness's key over the very checkpoint. Where the witness saw another
// size last than s.Old, it is asked once more, with the proof from there.
//
// Errors: a *ledger.AheadError where it saw more of the log than the checkpoint has;
// ledger.ErrForked where it saw another tree. Anything else may be tried again.
func (c *Client) Cosign(ctx context.Context, s ledger.Submission) ([]byte, error) {
	line, err := c.submit(ctx, s, s.Old)
	var seen conflict
	if errors.As(err, &seen) && int64(seen) != s.Old && int64(seen) <= s.Head.Size {
		line, err = c.submit(ctx, s, int64(seen))
	}
	before := seen
	conflicts := errors.As(err, &seen)
	switch {
	case err == nil:
		return line, nil
	case conflicts && int64(seen) > s.Head.Size:
		return nil, &ledger.AheadError{Witness: c.key.Name(), Size: int64(seen), Submitted: s.Head.Size}
	case conflicts && seen == before:
		// It names the very size that the proof led from: it is the tree that differs.
		return nil, fmt.Errorf("witness %s: %w: its first %d entries are others", c.key.Name(), ledger.ErrForked, int64(seen))
	}
	return nil, fmt.Errorf("witness %s: %w", c.key.Name(), err)
}

func (c *Client) submit(ctx context.Context, s ledger.Submission, old int64) ([]byte, error) {
	body, err := request(s, old)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("submit the checkpoint: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("read the answer: expected at most %d bytes", maxAnswer)
	}
	if resp.StatusCode == http.StatusOK {
		return Cosignature(answer, s.Head, c.key)
	}
	return nil, refusal(resp, answer)
}

// request is the body of add-checkpoint.
func request(s ledger.Submission, old int64) ([]byte, error) {
	body := fmt.Appendf(nil, "old %d\n", old)
	if old > 0 && old < s.Head.Size {
		proof, err := s.Prove(old)
		if err != nil {
			return nil, fmt.Errorf("prove that %d entries extend %d: %w", s.Head.Size, old, err)
		}
		if len(proof) > maxProof {
			return nil, fmt.Errorf("prove that %d entries extend %d: expected at most %d hashes, got %d", s.Head.Size, old, maxProof, len(proof))
		}
		for _, h := range proof {
			body = base64.StdEncoding.AppendEncode(body, h[:])
			body = append(body, '\n')
		}
	}
	return append(append(body, '\n'), s.Note...), nil
}

// refusal reads an answer that is no cosignature.
func refusal(resp *http.Response, answer []byte) error {
	text := strings.TrimSpace(string(answer[:min(len(answer), 200)]))
	switch resp.StatusCode {
	case http.StatusConflict:
		size, err := strconv.ParseInt(strings.TrimSuffix(string(answer[:min(len(answer), 30)]), "\n"), 10, 64)
		if err != nil || size < 0 || resp.Header.Get("Content-Type") != sizeType {
			return fmt.Errorf("expected its size as %s with status 409, got %q", sizeType, text)
		}
		return conflict(size)
	case http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: it does not follow the consistency proof (%q)", ledger.ErrForked, text)
	case http.StatusNotFound:
		return fmt.Errorf("it does not know this log: give its operator origin and log key (%q)", text)
	case http.StatusForbidden:
		return fmt.Errorf("it knows the log under another key: give its operator the log key (%q)", text)
	case http.StatusBadRequest:
		return fmt.Errorf("it does not read the submission (%q)", text)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return fmt.Errorf("it is busy: status %d", resp.StatusCode)
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return fmt.Errorf("it moved to %q: configure that URL if it is right", clip(resp.Header.Get("Location")))
	}
	return fmt.Errorf("expected a cosignature, got status %d (%q)", resp.StatusCode, text)
}

func clip(s string) string { return s[:min(len(s), 200)] }

// Cosignature finds the witness's signature line in an answer, and gives it if it verifies
// over the checkpoint. Lines of others are left aside.
func Cosignature(answer []byte, h ledger.Head, key *ledger.WitnessKey) ([]byte, error) {
	signed := append([]byte(h.Text()+"\n"), answer...)
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return nil, fmt.Errorf("expected a cosignature of %d entries by %s that verifies: %w", h.Size, key.Name(), err)
	}
	if n.Text != h.Text() || len(n.Sigs) != 1 {
		return nil, fmt.Errorf("expected signature lines, got a note of its own: %.80q", answer)
	}
	return fmt.Appendf(nil, "— %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64), nil
}
