package authority_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/authority"
)

// tsa is somebody else's time-stamping authority.
type tsa struct {
	*httptest.Server

	key   *ecdsa.PrivateKey
	chain []*x509.Certificate // leaf, intermediate, root
	asked atomic.Int32
	open  atomic.Int32
	most  atomic.Int32
	// fault replaces what is answered, where it is set.
	fault func(w http.ResponseWriter, r *http.Request, asked *timestamp.Request, honest func(*timestamp.Timestamp) []byte)
}

// life is how long a test's certificates are valid, around a time.
func life(at time.Time) (from, until time.Time) { return at.Add(-100 * day), at.Add(100 * day) }

func newTSA(t *testing.T, at time.Time, usage pkix.Extension) *tsa {
	t.Helper()
	s := &tsa{}
	from, until := life(at)
	issue := func(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil {
			parent, by = template, k
		}
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), from, until
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &k.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, k
	}
	ca := func(name string) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	}
	root, rootKey := issue(ca("Root"), nil, nil)
	between, betweenKey := issue(ca("Between"), root, rootKey)
	leaf, key := issue(&x509.Certificate{Subject: pkix.Name{CommonName: "TSA"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{usage}}, between, betweenKey)
	s.key, s.chain = key, []*x509.Certificate{leaf, between, root}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func usage(critical bool, also ...asn1.ObjectIdentifier) pkix.Extension {
	value, err := asn1.Marshal(append([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}, also...))
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: value}
}

func (s *tsa) answer(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	open := s.open.Add(1)
	defer s.open.Add(-1)
	for most := s.most.Load(); open > most && !s.most.CompareAndSwap(most, open); most = s.most.Load() {
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "expected a query", http.StatusBadRequest)
		return
	}
	asked, err := timestamp.ParseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	honest := func(ts *timestamp.Timestamp) []byte {
		if ts.HashedMessage == nil {
			ts.HashedMessage = asked.HashedMessage
		}
		if ts.HashAlgorithm == 0 {
			ts.HashAlgorithm = asked.HashAlgorithm
		}
		if ts.Time.IsZero() {
			ts.Time = time.Now().UTC()
		}
		ts.Policy = asn1.ObjectIdentifier{1, 2, 3}
		out, err := ts.CreateResponseWithOpts(s.chain[0], s.key, crypto.SHA256)
		if err != nil {
			panic(err)
		}
		return out
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	if s.fault != nil {
		s.fault(w, r, asked, honest)
		return
	}
	_, _ = w.Write(honest(&timestamp.Timestamp{Nonce: asked.Nonce, AddTSACertificate: asked.Certificates}))
}

// with makes an authority whose time-stamps come from outside.
func (w *world) with(t *testing.T, s *tsa) *authority.Authority {
	t.Helper()
	w.config.Outside = &authority.Outside{URL: s.URL, Chains: [][]*x509.Certificate{s.chain}}
	return w.start(t)
}

func TestOutsideTimestamps(t *testing.T) {
	w := newWorld(t)
	w.drop(w.key(gate.PurposeTimestamp)) // not needed then
	s := newTSA(t, w.now, usage(true))
	a := w.with(t, s)
	if !a.Independent() {
		t.Error("expected somebody else's time-stamps to be independent")
	}
	whole, ts := stamp(t, a, []byte("a signature"))
	if ts.Nonce == nil || len(ts.Certificates) == 0 {
		t.Error("expected a nonce and the certificate to be asked for")
	}
	if _, again := stamp(t, a, []byte("a signature")); again.Nonce.Cmp(ts.Nonce) == 0 {
		t.Error("expected each request to have a nonce of its own")
	}
	in, signed := write(t, whole), write(t, []byte("a signature"))
	if out, err := openssl(t, "ts", "-verify", "-in", in, "-data", signed, "-CAfile", writePEM(t, s.chain[2]), "-untrusted", writePEM(t, s.chain[1])); err != nil {
		t.Errorf("openssl ts -verify: %v\n%s", err, out)
	}
}

// An operator may try an authority without a release.
func TestOutsideTry(t *testing.T) {
	now := time.Now()
	s, other := newTSA(t, now, usage(true)), newTSA(t, now, usage(true))
	o := authority.Outside{URL: s.URL, Chains: [][]*x509.Certificate{s.chain}}
	if err := o.Try(t.Context(), time.Now); err != nil {
		t.Error(err)
	}
	o.Chains = [][]*x509.Certificate{other.chain}
	if err := o.Try(t.Context(), time.Now); err == nil {
		t.Error("expected a time-stamp under another chain to be refused")
	}
	o.Chains = nil
	if err := o.Try(t.Context(), time.Now); err == nil {
		t.Error("expected no chain to be refused")
	}
}

func TestOutsideFaults(t *testing.T) {
	type fault = func(w http.ResponseWriter, r *http.Request, asked *timestamp.Request, honest func(*timestamp.Timestamp) []byte)
	answer := func(change func(*timestamp.Timestamp)) fault {
		return func(w http.ResponseWriter, _ *http.Request, asked *timestamp.Request, honest func(*timestamp.Timestamp) []byte) {
			ts := &timestamp.Timestamp{Nonce: asked.Nonce, AddTSACertificate: true}
			change(ts)
			_, _ = w.Write(honest(ts))
		}
	}
	raw := func(change func([]byte) []byte) fault {
		return func(w http.ResponseWriter, _ *http.Request, asked *timestamp.Request, honest func(*timestamp.Timestamp) []byte) {
			_, _ = w.Write(change(honest(&timestamp.Timestamp{Nonce: asked.Nonce, AddTSACertificate: true})))
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed to another host") }))
	t.Cleanup(elsewhere.Close)
	var all sync.WaitGroup
	for name, row := range map[string]struct {
		fault fault
		want  string
	}{
		"another imprint":   {answer(func(ts *timestamp.Timestamp) { ts.HashedMessage = make([]byte, 32) }), "over SHA-256"},
		"another hash":      {answer(func(ts *timestamp.Timestamp) { ts.HashAlgorithm, ts.HashedMessage = crypto.SHA512, make([]byte, 64) }), "over SHA-256"},
		"another nonce":     {answer(func(ts *timestamp.Timestamp) { ts.Nonce = big.NewInt(7) }), "nonce"},
		"no nonce":          {answer(func(ts *timestamp.Timestamp) { ts.Nonce = nil }), "nonce"},
		"a slow clock":      {answer(func(ts *timestamp.Timestamp) { ts.Time = time.Now().Add(-time.Hour) }), "clocks"},
		"a fast clock":      {answer(func(ts *timestamp.Timestamp) { ts.Time = time.Now().Add(time.Hour) }), "clocks"},
		"nothing":           {raw(func([]byte) []byte { return nil }), "read time-stamp"},
		"a page":            {raw(func([]byte) []byte { return []byte("<html>") }), "read time-stamp"},
		"half of it":        {raw(func(b []byte) []byte { return b[:len(b)/2] }), "read time-stamp"},
		"more after it":     {raw(func(b []byte) []byte { return append(b, 0) }), "trailing"},
		"a changed byte":    {raw(func(b []byte) []byte { b[len(b)-3] ^= 1; return b }), "time-stamp"},
		"far too much":      {raw(func([]byte) []byte { return make([]byte, 65<<10) }), "at most"},
		"another host":      {redirect(elsewhere.URL), "another host"},
		"the same for ever": {redirect("/again"), "redirects"},
		"an error": {func(w http.ResponseWriter, _ *http.Request, _ *timestamp.Request, _ func(*timestamp.Timestamp) []byte) {
			w.WriteHeader(500)
		}, "500"},
		"a refusal": {refusal, "rejected"},
		"a hand-over at 202": {func(w http.ResponseWriter, _ *http.Request, _ *timestamp.Request, _ func(*timestamp.Timestamp) []byte) {
			w.WriteHeader(202)
		}, "202"},
	} {
		w := newWorld(t)
		s := newTSA(t, w.now, usage(true))
		s.fault = row.fault
		a := w.with(t, s)
		all.Go(func() { // each waits before it asks again
			whole, err := a.Timestamp(t.Context(), []byte("a signature"))
			if gate.CodeOf(err) != gate.CodeTimestamp || gate.KindOf(err) != gate.Unavailable || !strings.Contains(err.Error(), row.want) || whole != nil {
				t.Errorf("%s: expected %s with %q, got %v", name, gate.CodeTimestamp, row.want, err)
			}
			if got := s.asked.Load(); got < 3 {
				t.Errorf("%s: expected it to be asked again, got %d requests", name, got)
			}
		})
	}
	all.Wait()
}

func redirect(to string) func(http.ResponseWriter, *http.Request, *timestamp.Request, func(*timestamp.Timestamp) []byte) {
	return func(w http.ResponseWriter, r *http.Request, _ *timestamp.Request, _ func(*timestamp.Timestamp) []byte) {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	}
}

func refusal(w http.ResponseWriter, _ *http.Request, _ *timestamp.Request, _ func(*timestamp.Timestamp) []byte) {
	out, err := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.TimeNotAvailable)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(out)
}

// What a stranger's key signed is refused, also where the answer brings its own certificates.
func TestOutsideStranger(t *testing.T) {
	w := newWorld(t)
	s, stranger := newTSA(t, w.now, usage(true)), newTSA(t, w.now, usage(true))
	w.config.Outside = &authority.Outside{URL: stranger.URL, Chains: [][]*x509.Certificate{s.chain}}
	if _, err := w.start(t).Timestamp(t.Context(), []byte("x")); gate.CodeOf(err) != gate.CodeTimestamp || !strings.Contains(err.Error(), "chain begins with") {
		t.Errorf("expected a refusal that names the certificate, got %v", err)
	}
	w.config.Outside.Chains = append(w.config.Outside.Chains, stranger.chain)
	if _, err := w.start(t).Timestamp(t.Context(), []byte("x")); err != nil {
		t.Errorf("with its chain configured too: %v", err)
	}
}

func TestOutsideChains(t *testing.T) {
	w := newWorld(t)
	for name, row := range map[string]struct {
		chain func() []*x509.Certificate
		want  string
	}{
		"usage that is not critical": {func() []*x509.Certificate { return newTSA(t, w.now, usage(false)).chain }, "critical"},
		"a further usage": {func() []*x509.Certificate {
			return newTSA(t, w.now, usage(true, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3})).chain
		}, "only"},
		"a chain with a gap": {func() []*x509.Certificate {
			c := newTSA(t, w.now, usage(true)).chain
			return []*x509.Certificate{c[0], c[2]}
		}, "unknown authority"},
		"a certificate alone": {func() []*x509.Certificate { return newTSA(t, w.now, usage(true)).chain[:1] }, "one certificate"},
		"no certificate":      {func() []*x509.Certificate { return nil }, "empty"},
		"somebody else's certificate": {func() []*x509.Certificate {
			return append(newTSA(t, w.now, usage(true)).chain[:1:1], newTSA(t, w.now, usage(true)).chain[1:]...)
		}, "unknown authority"},
	} {
		w.config.Outside = &authority.Outside{URL: "https://tsa.example.org", Chains: [][]*x509.Certificate{row.chain()}}
		if _, err := authority.New(w.config); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: expected an error with %q, got %v", name, row.want, err)
		}
	}
	// One that ran out still counts for the past, and not for today.
	old := newTSA(t, w.now.Add(-300*day), usage(true))
	if _, err := w.with(t, old).Timestamp(t.Context(), []byte("x")); gate.CodeOf(err) != gate.CodeTimestamp || !strings.Contains(err.Error(), "validity") && !strings.Contains(err.Error(), "expired") {
		t.Errorf("a chain that ran out: expected a refusal, got %v", err)
	}
	w.config.Outside.Chains = nil
	if _, err := authority.New(w.config); err == nil || !strings.Contains(err.Error(), "certificate chain") {
		t.Errorf("no chain: got %v", err)
	}
	for _, url := range []string{"", "tsa.example.org", "ftp://tsa.example.org", "https://user:secret@tsa.example.org"} {
		w.config.Outside = &authority.Outside{URL: url, Chains: [][]*x509.Certificate{old.chain}}
		if _, err := authority.New(w.config); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v", url, err)
		}
	}
}

// At most four are asked at once, and whoever gives up stops waiting.
func TestOutsideAtOnce(t *testing.T) {
	w := newWorld(t)
	s := newTSA(t, w.now, usage(true))
	held := make(chan struct{})
	s.fault = func(rw http.ResponseWriter, r *http.Request, asked *timestamp.Request, honest func(*timestamp.Timestamp) []byte) {
		select {
		case <-held:
		case <-r.Context().Done():
		}
		_, _ = rw.Write(honest(&timestamp.Timestamp{Nonce: asked.Nonce, AddTSACertificate: true}))
	}
	a := w.with(t, s)
	errs := make(chan error)
	for range 10 {
		go func() {
			_, err := a.Timestamp(t.Context(), []byte("x"))
			errs <- err
		}()
	}
	for s.asked.Load() < 4 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Timestamp(ctx, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("expected whoever gave up to be let go, got %v", err)
	}
	close(held)
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := s.most.Load(); got != 4 {
		t.Errorf("expected 4 at once, got %d", got)
	}
}

func TestParseChains(t *testing.T) {
	one, two := newTSA(t, time.Now(), usage(true)).chain, newTSA(t, time.Now(), usage(true)).chain
	read := func(certs ...*x509.Certificate) []byte {
		var b bytes.Buffer
		for _, c := range certs {
			b.Write(pemOf(c))
		}
		return b.Bytes()
	}
	chains, err := authority.ParseChains(append(read(one...), read(two...)...))
	if err != nil || len(chains) != 2 || len(chains[0]) != 3 || !chains[1][0].Equal(two[0]) {
		t.Errorf("expected two chains of three, got %d, %v", len(chains), err)
	}
	for name, row := range map[string]struct {
		text []byte
		want string
	}{
		"nothing":         {nil, "got none"},
		"no PEM":          {[]byte("-----BEGIN"), "PEM"},
		"a root first":    {read(one[2], one[0]), "signing certificate first"},
		"a key":           {[]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "CERTIFICATE"},
		"no certificate":  {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "read certificate chains"},
		"something after": {append(read(one...), "and more"...), "after them"},
		"far too much":    {make([]byte, 257<<10), "at most"},
	} {
		if _, err := authority.ParseChains(row.text); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: expected an error with %q, got %v", name, row.want, err)
		}
	}
}
