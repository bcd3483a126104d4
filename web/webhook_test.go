package web_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
)

const hook = "/webhooks/github/github"

func signature(body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	return "X-Hub-Signature-256: sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func (w *world) deliver(t *testing.T, id, body string) *httptest.ResponseRecorder {
	t.Helper()
	return w.call(t, http.MethodPost, hook, body, signature(body), "X-GitHub-Delivery: "+id)
}

// attack 59: a delivery that comes again is acknowledged and stored once.
func TestDeliveryIsStoredOnce(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		if got := w.deliver(t, "d-1", `{"zen":1}`); got.Code != http.StatusAccepted || got.Body.Len() > 0 {
			t.Errorf("answered %d %s", got.Code, got.Body)
		}
	}
	if d := w.inbox["d-1"]; len(w.inbox) != 1 || string(d.Body) != `{"zen":1}` {
		t.Errorf("stored %v", w.inbox)
	}
	if strings.Contains(w.logs(), "zen") {
		t.Error("a delivery's body is logged")
	}
}

// attack 58: what is not proved is not stored.
func TestUnprovedDelivery(t *testing.T) {
	w := newWorld(t)
	for _, header := range []string{"", signature("another body"), "X-Hub-Signature: sha1=00"} {
		got := w.call(t, http.MethodPost, hook, "{}", header, "X-GitHub-Delivery: d-1")
		refuses(t, got, http.StatusUnauthorized, gate.CodeDeliverySignature)
		if c := got.Header().Get("WWW-Authenticate"); strings.HasPrefix(c, "Bearer") || c == "" {
			t.Errorf("challenge %s", c)
		}
	}
	if len(w.inbox) > 0 {
		t.Errorf("stored %v", w.inbox)
	}
}

// What could not be stored is answered so that the forge shows it as failed.
func TestDeliveryThatCouldNotBeStored(t *testing.T) {
	for _, err := range []error{
		errDatabase,
		&gate.Error{Kind: gate.Internal, Code: gate.CodeInternal, Text: "broken constraint", Err: errDatabase},
		&gate.Error{Kind: gate.Unavailable, Code: gate.CodeStoreUnavailable, Text: "away", Fix: "wait", Err: errDatabase},
	} {
		w := newWorld(t)
		w.fail = err
		got := w.deliver(t, "d-1", "{}")
		refuses(t, got, http.StatusServiceUnavailable, gate.CodeStoreUnavailable)
		if got.Header().Get("Retry-After") == "" || strings.Contains(got.Body.String(), "10.1.2.3") {
			t.Errorf("answered %v %s", got.Header(), got.Body)
		}
		if !strings.Contains(w.logs(), "10.1.2.3") {
			t.Errorf("the operator does not learn why: %s", w.logs())
		}
	}
}

// A sender that hangs up after its whole delivery came loses nothing.
func TestDeliveryOutlivesItsSender(t *testing.T) {
	w := newWorld(t)
	w.storing = make(chan struct{})
	ctx, hangUp := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, hook, strings.NewReader("{}"))
	name, value, _ := strings.Cut(signature("{}"), ": ")
	r.Header.Set(name, value)
	r.Header.Set("X-GitHub-Delivery", "d-1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.handler.ServeHTTP(httptest.NewRecorder(), r)
	}()
	hangUp()
	close(w.storing)
	<-done
	if _, stored := w.inbox["d-1"]; !stored {
		t.Error("the delivery is lost")
	}
	if !w.bounded {
		t.Error("storing may take for ever")
	}
}

// counted counts what is read of an endless body.
type counted struct{ read int64 }

func (c *counted) Read(b []byte) (int, error) {
	c.read += int64(len(b))
	return len(b), nil
}

// attack 63: neither an announced nor a silent flood is read beyond the limit.
func TestOversizedBodies(t *testing.T) {
	const mb = 1 << 20
	for _, row := range []struct {
		path  string
		limit int64
		code  gate.Code
	}{
		{hook, 25 * mb, gate.CodeDeliveryTooLarge},
		{"/v1/releases", mb, gate.CodeBodyTooLarge},
	} {
		for _, announced := range []int64{-1, row.limit + 1, 1 << 40} {
			w := newWorld(t)
			flood := &counted{}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, row.path, flood)
			r.ContentLength = announced
			r.Header.Set("Authorization", "Bearer "+goodJob)
			out := httptest.NewRecorder()
			w.handler.ServeHTTP(out, r)
			p := refuses(t, out, http.StatusRequestEntityTooLarge, row.code)
			if p.Expected == "" || p.Got == "" || out.Header().Get("Connection") != "close" {
				t.Errorf("answered %v %s", out.Header(), out.Body)
			}
			if announced > 0 && flood.read > 0 || flood.read > row.limit+mb {
				t.Errorf("read %d bytes of a body announced as %d", flood.read, announced)
			}
		}
	}
}

// The largest delivery that a forge sends is taken.
func TestLargestDelivery(t *testing.T) {
	w := newWorld(t)
	if got := w.deliver(t, "d-1", strings.Repeat(" ", 25<<20)); got.Code != http.StatusAccepted {
		t.Errorf("answered %d %s", got.Code, got.Body)
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	for path, code := range map[string]gate.Code{hook: gate.CodeDeliveryMalformed, "/v1/releases": gate.CodeBodyMalformed} {
		w := newWorld(t)
		body := io.MultiReader(strings.NewReader(`{"ref":`), broken{})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, body)
		r.Header.Set("Authorization", "Bearer "+goodJob)
		out := httptest.NewRecorder()
		w.handler.ServeHTTP(out, r)
		if p := refuses(t, out, http.StatusBadRequest, code); p.Got != "its first 7 bytes" {
			t.Errorf("got %q", p.Got)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer 10.1.2.3") }
