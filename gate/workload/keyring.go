package workload

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/countersign/countersign/gate"
)

// When an issuer's keys are read. Whoever sends ID tokens with made-up key ids sets
// off one read per readPause, and none at all for a key id known to be absent
// (attack 8).
const (
	readPause   = 10 * time.Second
	readTimeout = 10 * time.Second
	refreshKeys = time.Hour      // a withdrawn key is forgotten by then
	keepKeys    = 24 * time.Hour // …or by then, while the issuer does not answer
	keepAbsent  = 5 * time.Minute
	minRSABits  = 2048
	maxDocument = 1 << 20
)

// keyring holds one issuer's public keys. It is safe for concurrent use.
type keyring struct {
	issuer string
	client *http.Client
	now    func() time.Time

	reading sync.Mutex // held while the issuer is asked

	mu     sync.Mutex // guards what follows
	keys   map[string]pinned
	read   time.Time // when keys were last read
	tried  time.Time
	failed error // of the last try
	absent map[string]time.Time
}

// find returns the keys with the given id.
func (k *keyring) find(ctx context.Context, kid string) (pinned, error) {
	if keys, err, done := k.known(kid); done {
		return keys, err
	}
	k.reading.Lock()
	defer k.reading.Unlock()
	if keys, err, done := k.known(kid); done { // somebody read while we waited
		return keys, err
	}
	// Whoever asked first may hang up; the others still want the keys.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	keys, err := k.fetch(ctx)
	k.keep(kid, keys, err)
	found, err, _ := k.known(kid)
	return found, err
}

// known answers from memory; done is false where the issuer should be asked.
func (k *keyring) known(kid string) (keys pinned, err error, done bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	age, paused := now.Sub(k.read), !k.tried.IsZero() && now.Sub(k.tried) < readPause
	keys = k.keys[kid]
	switch {
	case len(keys) > 0 && (age < refreshKeys || paused && age < keepKeys):
		return keys, nil, true
	case len(keys) == 0 && k.failed == nil && now.Sub(k.absent[kid]) < keepAbsent:
		return nil, k.noSuchKey(kid), true
	case !paused:
		return nil, nil, false
	case k.failed != nil:
		return nil, k.failed, true
	}
	return nil, k.noSuchKey(kid), true
}

func (k *keyring) noSuchKey(kid string) error {
	return refuse(gate.CodeTokenSignature, "the ID token names a key that its issuer does not have",
		"a key of "+k.issuer, "kid "+quoted(kid), "send the ID token exactly as the CI gave it")
}

// keep remembers what a read gave. A failed one leaves the keys that are there.
func (k *keyring) keep(kid string, keys map[string]pinned, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried, k.failed = k.now(), nil
	if err != nil {
		k.failed = &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeIssuerUnavailable, Text: "the issuer's keys cannot be read now",
			Expected: "the keys of " + k.issuer, Got: "no usable answer", Fix: "try again in a minute", Err: err,
		}
		return
	}
	k.keys, k.read = keys, k.tried
	if k.absent == nil {
		k.absent = map[string]time.Time{}
	}
	for old, since := range k.absent {
		if k.tried.Sub(since) >= keepAbsent {
			delete(k.absent, old)
		}
	}
	delete(k.absent, kid)
	if len(keys[kid]) == 0 {
		k.absent[kid] = k.tried
	}
}

// fetch reads the discovery document and the key set (OpenID Connect Discovery 1.0,
// section 4; RFC 7517).
func (k *keyring) fetch(ctx context.Context) (map[string]pinned, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), k.issuer)
	if err != nil {
		return nil, fmt.Errorf("discover issuer %s: %w", k.issuer, err)
	}
	var doc struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := provider.Claims(&doc); err != nil {
		return nil, fmt.Errorf("discover issuer %s: %w", k.issuer, err)
	}
	if err := sameOrigin(k.issuer, doc.JWKSURI); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, doc.JWKSURI, nil)
	if err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", k.issuer, err)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", k.issuer, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read keys of %s: expected 200, got %s", k.issuer, resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", k.issuer, err)
	}
	return usable(body)
}

// sameOrigin keeps a discovery document from sending us elsewhere.
func sameOrigin(issuer, keys string) error {
	a, errA := url.Parse(issuer)
	b, errB := url.Parse(keys)
	if errA != nil || errB != nil || a.Scheme != b.Scheme || a.Host != b.Host || b.User != nil {
		return fmt.Errorf("discover issuer %s: expected jwks_uri on the same host, got %s", issuer, quoted(keys))
	}
	return nil
}

// usable keeps the RSA keys that are meant for verifying signatures: go-jose would
// take a key whatever its use says.
func usable(body []byte) (map[string]pinned, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	out := map[string]pinned{}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		var meant struct {
			Ops []string `json:"key_ops"`
		}
		if key.UnmarshalJSON(raw) != nil || json.Unmarshal(raw, &meant) != nil {
			continue // of a kind that nothing here uses
		}
		pub, ok := key.Key.(*rsa.PublicKey)
		switch {
		case !ok, key.KeyID == "", pub.N.BitLen() < minRSABits:
		case key.Use != "" && key.Use != "sig", key.Algorithm != "" && key.Algorithm != oidc.RS256:
		case len(meant.Ops) > 0 && !slices.Contains(meant.Ops, "verify"):
		default:
			out[key.KeyID] = append(out[key.KeyID], pub)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("key set: expected at least one RSA key for signatures, got none")
	}
	return out, nil
}
