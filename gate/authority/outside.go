package authority

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
)

const (
	atOnce       = 4                // requests to an authority outside
	triesOutside = 3                // for one time-stamp
	perTry       = 10 * time.Second // for one request
	maxRedirects = 3
	maxChains    = 256 << 10 // bytes of PEM

	queryType = "application/timestamp-query" // RFC 3161, 3.4
	replyType = "application/timestamp-reply"
)

// outside asks somebody else's time-stamping authority.
type outside struct {
	url    string
	chains [][]*x509.Certificate
	client *http.Client
	slots  chan struct{}
}

func newOutside(c Outside) (*outside, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, errors.New("time-stamping authority: expected an http(s) URL without user and password")
	}
	if len(c.Chains) == 0 {
		return nil, errors.New("time-stamping authority: expected its certificate chain, got none")
	}
	for _, chain := range c.Chains {
		if len(chain) == 0 {
			return nil, errors.New("time-stamping authority: expected a certificate chain, got an empty one")
		}
		// One that ran out is kept for what it signed; that it is in order shows at its end.
		if err := checkChain(chain, chain[0].NotAfter); err != nil {
			return nil, fmt.Errorf("time-stamping authority: %w", err)
		}
	}
	client := http.Client{}
	if c.Client != nil {
		client = *c.Client
	}
	client.CheckRedirect = sameHost
	return &outside{url: u.String(), chains: c.Chains, client: &client, slots: make(chan struct{}, atOnce)}, nil
}

// sameHost follows redirects within one host: the operator named it, and no other.
func sameHost(next *http.Request, via []*http.Request) error {
	if first := via[0].URL; next.URL.Host != first.Host || next.URL.Scheme != first.Scheme {
		return fmt.Errorf("expected answers by %s://%s, got a redirect to another host", first.Scheme, first.Host)
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("expected at most %d redirects, got more", maxRedirects)
	}
	return nil
}

// ParseChains reads PEM certificates as the chains of a time-stamping authority. A chain begins
// with its signing certificate and ends with its root; the next one may follow.
func ParseChains(text []byte) ([][]*x509.Certificate, error) {
	if len(text) > maxChains {
		return nil, fmt.Errorf("read certificate chains: expected at most %d bytes, got %d", maxChains, len(text))
	}
	var out [][]*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if text = rest; block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("read certificate chains: expected PEM blocks of type CERTIFICATE, got %q", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read certificate chains: %w", err)
		}
		switch {
		case !c.IsCA:
			out = append(out, []*x509.Certificate{c})
		case len(out) == 0:
			return nil, fmt.Errorf("read certificate chains: expected the signing certificate first, got the authority %q", c.Subject)
		default:
			out[len(out)-1] = append(out[len(out)-1], c)
		}
	}
	if len(bytes.TrimSpace(text)) > 0 {
		return nil, errors.New("read certificate chains: expected PEM blocks alone, got something after them")
	}
	if len(out) == 0 {
		return nil, errors.New("read certificate chains: expected PEM certificates, got none")
	}
	return out, nil
}

// stamp asks a few times. What came is verified before it counts as an answer.
func (o *outside) stamp(ctx context.Context, imprint gate.Digest, now func() time.Time) ([]byte, error) {
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a time-stamp: %w", ctx.Err())
	}
	return backoff.Retry(ctx, func() ([]byte, error) {
		nonce, err := serial()
		if err != nil {
			return nil, backoff.Permanent(err)
		}
		response, err := o.ask(ctx, imprint, nonce)
		if err != nil {
			return nil, err
		}
		return response, checkToken(response, asked{imprint: imprint, nonce: nonce, now: now()}, o.chains)
	}, backoff.WithMaxTries(triesOutside))
}

// Try asks for one time-stamp, over random bytes, and verifies it.
func (c Outside) Try(ctx context.Context, now func() time.Time) error {
	o, err := newOutside(c)
	if err != nil {
		return err
	}
	var random gate.Digest
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("make something to stamp: %w", err)
	}
	_, err = o.stamp(ctx, random, now)
	return err
}

func (o *outside) ask(ctx context.Context, imprint gate.Digest, nonce *big.Int) ([]byte, error) {
	query, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: imprint[:], Certificates: true, Nonce: nonce}).Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode time-stamp request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, perTry)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(query))
	if err != nil {
		return nil, fmt.Errorf("ask for a time-stamp: %w", err)
	}
	req.Header.Set("Content-Type", queryType)
	req.Header.Set("Accept", replyType)
	answer, err := o.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for a time-stamp: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for a time-stamp: expected status 200, got %s", answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("read time-stamp: %w", err)
	}
	if len(body) > maxResponse {
		return nil, fmt.Errorf("read time-stamp: expected at most %d bytes, got more", maxResponse)
	}
	return body, nil
}
