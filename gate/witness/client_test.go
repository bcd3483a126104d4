package witness_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/witness"
)

// log is one of 10 entries or more, signed in software.
type log struct {
	key    *ledger.LogKey
	secret ed25519.PrivateKey
	stored []tlog.Hash
	leaves int64
}

func newLog(t testing.TB) *log {
	t.Helper()
	secret := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	spki, err := x509.MarshalPKIXPublicKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ledger.NewLogKey("log.example", spki)
	if err != nil {
		t.Fatal(err)
	}
	return &log{key: key, secret: secret}
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, l.stored[i])
	}
	return out, nil
}

func (l *log) add(t testing.TB, n int, what string) {
	t.Helper()
	for range n {
		hashes, err := tlog.StoredHashes(l.leaves, fmt.Appendf(nil, "%s %d", what, l.leaves), l)
		if err != nil {
			t.Fatal(err)
		}
		l.stored = append(l.stored, hashes...)
		l.leaves++
	}
}

// submit is a submission of the first size entries.
func (l *log) submit(t testing.TB, size, old int64) ledger.Submission {
	t.Helper()
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		t.Fatal(err)
	}
	h := ledger.Head{Origin: l.key.Name(), Size: size, Root: root}
	signed, err := ledger.Sign(h, l.key, func(text []byte) ([]byte, error) { return ed25519.Sign(l.secret, text), nil })
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Submission{Note: signed, Head: h, Old: old, Prove: func(old int64) ([]tlog.Hash, error) { return tlog.ProveTree(size, old, l) }}
}

// voice makes what a witness of the name and seed would say.
func voice(name string, seed byte) (vkey string, cosign func(h ledger.Head) string) {
	secret := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	typed := append([]byte{4}, secret.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), typed...))
	return fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(typed)), func(h ledger.Head) string {
		sig := ed25519.Sign(secret, fmt.Appendf(nil, "cosignature/v1\ntime 1700000000\n%s", h.Text()))
		raw := bytes.Join([][]byte{sum[:4], binary.BigEndian.AppendUint64(nil, 1_700_000_000), sig}, nil)
		return fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(raw))
	}
}

// say is one answer of a witness.
type say struct {
	status int
	kind   string
	body   string
}

// scripted answers one after the other; the last one stays.
func scripted(t *testing.T, asked *[]string, answers ...say) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = append(*asked, r.Method+" "+r.URL.Path+"\n"+string(body))
		a := answers[min(len(*asked), len(answers))-1]
		if a.kind != "" {
			w.Header().Set("Content-Type", a.kind)
		}
		if a.status >= 300 && a.status < 400 {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestCosign(t *testing.T) {
	l := newLog(t)
	l.add(t, 20, "entry")
	vkey, cosign := voice("w.example", 5)
	_, namesake := voice("w.example", 6)
	_, stranger := voice("x.example", 5)
	s := l.submit(t, 20, 10)
	smaller := l.submit(t, 10, 0).Head
	size := func(n string) say { return say{409, "text/x.tlog.size", n + "\n"} }
	ok := say{200, "", cosign(s.Head)}

	for name, x := range map[string]struct {
		old     int64
		answers []say
		asked   int
		want    string // in the error; "" for a cosignature
		forked  bool
		ahead   int64
	}{
		"the first time":                  {old: 0, answers: []say{ok}, asked: 1},
		"from the size it saw":            {old: 10, answers: []say{ok}, asked: 1},
		"the same once more":              {old: 20, answers: []say{ok}, asked: 1},
		"from another size":               {old: 0, answers: []say{size("7"), ok}, asked: 2},
		"it saw nothing":                  {old: 10, answers: []say{size("0"), ok}, asked: 2},
		"lines of others too":             {old: 0, answers: []say{{200, "", stranger(s.Head) + namesake(s.Head) + cosign(s.Head)}}, asked: 1},
		"it saw more":                     {old: 10, answers: []say{size("21")}, asked: 1, want: "21 entries", ahead: 21},
		"it saw more, meanwhile":          {old: 0, answers: []say{size("7"), size("30")}, asked: 2, want: "30 entries", ahead: 30},
		"it moves on":                     {old: 0, answers: []say{size("7"), size("8")}, asked: 2, want: "saw 8 entries"},
		"another tree of that size":       {old: 20, answers: []say{size("20")}, asked: 1, want: "another tree", forked: true},
		"another tree, found out":         {old: 0, answers: []say{size("20"), size("20")}, asked: 2, want: "another tree", forked: true},
		"it does not follow the proof":    {old: 10, answers: []say{{422, "", "bad proof"}}, asked: 1, want: "bad proof", forked: true},
		"nor after it said its size":      {old: 0, answers: []say{size("10"), {422, "", ""}}, asked: 2, want: "another tree", forked: true},
		"an unknown log":                  {answers: []say{{404, "", "unknown log"}}, asked: 1, want: "does not know this log"},
		"another log key":                 {answers: []say{{403, "", "invalid signature"}}, asked: 1, want: "another key"},
		"a bad request":                   {answers: []say{{400, "", "invalid input"}}, asked: 1, want: "does not read"},
		"busy":                            {answers: []say{{503, "", ""}}, asked: 1, want: "busy"},
		"another status":                  {answers: []say{{500, "", "oops"}}, asked: 1, want: "status 500"},
		"nothing":                         {answers: []say{{204, "", ""}}, asked: 1, want: "status 204"},
		"elsewhere":                       {answers: []say{{307, "", ""}}, asked: 1, want: "it moved"},
		"a conflict without its size":     {answers: []say{{409, "text/plain", "7\n"}}, asked: 1, want: "text/x.tlog.size"},
		"a conflict that is no number":    {answers: []say{size("seven")}, asked: 1, want: "text/x.tlog.size"},
		"a negative size":                 {answers: []say{size("-1")}, asked: 1, want: "text/x.tlog.size"},
		"a huge size":                     {answers: []say{size("99999999999999999999999999")}, asked: 1, want: "text/x.tlog.size"},
		"an empty answer":                 {answers: []say{{200, "", ""}}, asked: 1, want: "that verifies"},
		"no line":                         {answers: []say{{200, "", "thanks\n"}}, asked: 1, want: "that verifies"},
		"half a line":                     {answers: []say{{200, "", strings.TrimSuffix(cosign(s.Head), "\n")}}, asked: 1, want: "that verifies"},
		"of another checkpoint":           {answers: []say{{200, "", cosign(smaller)}}, asked: 1, want: "that verifies"},
		"by another key":                  {answers: []say{{200, "", namesake(s.Head)}}, asked: 1, want: "that verifies"},
		"by another witness":              {answers: []say{{200, "", stranger(s.Head)}}, asked: 1, want: "that verifies"},
		"a note of its own":               {answers: []say{{200, "", smaller.Text() + "\n" + cosign(smaller)}}, asked: 1, want: "that verifies"},
		"more than anybody should say":    {answers: []say{{200, "", strings.Repeat("x", 65<<10)}}, asked: 1, want: "at most 65536 bytes"},
		"more, where it refuses":          {answers: []say{{500, "", strings.Repeat("x", 65<<10)}}, asked: 1, want: "at most 65536 bytes"},
		"a long refusal, shown in part":   {answers: []say{{500, "", strings.Repeat("x", 60<<10)}}, asked: 1, want: "status 500"},
		"control characters in a refusal": {answers: []say{{500, "", "\x1b[31m"}}, asked: 1, want: `\x1b`},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			c, err := witness.New(scripted(t, &asked, x.answers...)+"/prefix/", vkey, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := s
			s.Old = x.old
			line, err := c.Cosign(t.Context(), s)
			if len(asked) != x.asked || !strings.HasPrefix(asked[0], "POST /prefix/add-checkpoint\nold ") {
				t.Errorf("expected %d requests, got %q", x.asked, asked)
			}
			if x.want == "" {
				if err != nil || string(line) != cosign(s.Head) {
					t.Errorf("got %q, %v", line, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), "w.example") || len(err.Error()) > 700 {
				t.Errorf("expected %q in it, got %q, %v", x.want, line, err)
			}
			var ahead *ledger.AheadError
			if errors.Is(err, ledger.ErrForked) != x.forked || errors.As(err, &ahead) != (x.ahead > 0) || ahead != nil && ahead.Size != x.ahead {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The request is C2SP tlog-witness's, byte for byte.
func TestRequest(t *testing.T) {
	l := newLog(t)
	l.add(t, 20, "entry")
	vkey, cosign := voice("w.example", 5)
	for _, old := range []int64{0, 1, 13, 20} {
		s := l.submit(t, 20, old)
		var asked []string
		c, err := witness.New(scripted(t, &asked, say{200, "", cosign(s.Head)}), vkey, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Cosign(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("POST /add-checkpoint\nold %d\n", old)
		if old > 0 && old < 20 {
			proof, err := s.Prove(old)
			if err != nil || len(proof) == 0 {
				t.Fatal(err)
			}
			for _, h := range proof {
				want += base64.StdEncoding.EncodeToString(h[:]) + "\n"
			}
		}
		want += "\n" + string(s.Note)
		if asked[0] != want {
			t.Errorf("old %d: expected %q, got %q", old, want, asked[0])
		}
	}
}

func TestProofThatFails(t *testing.T) {
	l := newLog(t)
	l.add(t, 20, "entry")
	vkey, cosign := voice("w.example", 5)
	s := l.submit(t, 20, 10)
	var asked []string
	c, err := witness.New(scripted(t, &asked, say{200, "", cosign(s.Head)}), vkey, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Prove = func(int64) ([]tlog.Hash, error) { return nil, io.ErrUnexpectedEOF }
	if _, err := c.Cosign(t.Context(), s); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	s.Prove = func(int64) ([]tlog.Hash, error) { return make([]tlog.Hash, 64), nil }
	if _, err := c.Cosign(t.Context(), s); err == nil {
		t.Error("a proof of 64 lines: expected a refusal")
	}
	if len(asked) != 0 {
		t.Errorf("expected nothing to be sent, got %q", asked)
	}
}

// A witness that does not answer holds nobody longer than the context, or its own bound, says.
func TestWitnessThatHangs(t *testing.T) {
	l := newLog(t)
	l.add(t, 1, "entry")
	vkey, _ := voice("w.example", 5)
	held := make(chan struct{})
	c, err := witness.New("http://w.example", vkey, hanging(held))
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-held }()
	if _, err := c.Cosign(canceled(t), l.submit(t, 1, 0)); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v", err)
	}
	if witness.Patience > time.Minute {
		t.Error("expected to wait for less than a minute")
	}
}

func TestNewRefuses(t *testing.T) {
	vkey, _ := voice("w.example", 5)
	for name, x := range map[string]struct{ url, key string }{
		"no URL":     {"", vkey},
		"no host":    {"https://", vkey},
		"a path":     {"/witness", vkey},
		"another":    {"ftp://w.example", vkey},
		"a query":    {"https://w.example/?a=b", vkey},
		"a fragment": {"https://w.example/#a", vkey},
		"a user":     {"https://a:b@w.example/", vkey},
		"no key":     {"https://w.example", ""},
		"a log key":  {"https://w.example", newLog(t).key.String()},
	} {
		if c, err := witness.New(x.url, x.key, nil); err == nil {
			t.Errorf("%s: expected a refusal, got %v", name, c.Key().Name())
		}
	}
}

func FuzzCosignature(f *testing.F) {
	l := newLog(f)
	l.add(f, 3, "entry")
	h := l.submit(f, 3, 0).Head
	vkey, cosign := voice("w.example", 5)
	key, err := ledger.ParseWitnessKey(vkey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(cosign(h)))
	f.Add([]byte(h.Text() + "\n" + cosign(h)))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if line, err := witness.Cosignature(answer, h, key); err == nil && string(line) != cosign(h) {
			t.Errorf("nobody signed %q", line)
		}
	})
}
