package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/gatetest"
)

// polled is how a long poll ended.
type polled struct {
	*httptest.ResponseRecorder

	after time.Duration
}

func (p polled) state(t *testing.T) gate.State {
	t.Helper()
	var r api.Release
	if err := json.Unmarshal(p.Body.Bytes(), &r); err != nil || p.Code != http.StatusOK {
		t.Fatalf("answered %d: %v: %s", p.Code, err, p.Body)
	}
	return r.State
}

// poll asks for the state with a wait, beside what happens meanwhile, on a fake clock.
func poll(t *testing.T, wait string, meanwhile func(w *world, cancel func())) (*world, polled) {
	t.Helper()
	w := newWorld(t)
	w.put(record(t, gate.StateWaiting))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, release+"?wait="+wait, nil)
	r.Header.Set("Authorization", "Bearer "+goodJob)
	out := polled{ResponseRecorder: httptest.NewRecorder()}
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.handler.ServeHTTP(out, r)
		out.after = time.Since(began)
	}()
	synctest.Wait()
	meanwhile(w, cancel)
	<-done
	return w, out
}

func changed(state gate.State) gate.Record {
	rec := fresh()
	rec.State, rec.Version = state, 3
	return rec
}

func TestWaitEndsWhenSomethingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, got := poll(t, "30s", func(w *world, _ func()) {
			time.Sleep(5*time.Second + 300*time.Millisecond)
			w.put(changed(gate.StateGranted))
		})
		if state := got.state(t); state != gate.StateGranted || got.after != 5300*time.Millisecond {
			t.Errorf("answered %s after %s", state, got.after)
		}
	})
}

func TestWaitSleepsThroughWhatIsNotItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, got := poll(t, "30s", func(w *world, _ func()) {
			other := changed(gate.StateSigned)
			other.Request.ID = unsigned
			w.put(other)
		})
		if state := got.state(t); state != gate.StateWaiting || got.after != 30*time.Second {
			t.Errorf("answered %s after %s", state, got.after)
		}
	})
}

// Another replica wakes nobody here.
func TestWaitSeesOtherReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, got := poll(t, "30s", func(w *world, _ func()) {
			time.Sleep(2500 * time.Millisecond)
			w.mu.Lock()
			w.records[gatetest.RequestID] = changed(gate.StateSigned)
			w.mu.Unlock()
		})
		if state := got.state(t); state != gate.StateSigned || got.after > 4*time.Second {
			t.Errorf("answered %s after %s", state, got.after)
		}
	})
}

func TestWaitIsNoLongerThanAsked(t *testing.T) {
	for _, wait := range []string{"1s", "1500ms", "60s", "1m"} {
		synctest.Test(t, func(t *testing.T) {
			_, got := poll(t, wait, func(*world, func()) {})
			want, err := time.ParseDuration(wait)
			if err != nil {
				t.Fatal(err)
			}
			if got.state(t) != gate.StateWaiting || got.after != want {
				t.Errorf("asked for %s, took %s", wait, got.after)
			}
		})
	}
}

func TestWaitEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, got := poll(t, "60s", func(_ *world, cancel func()) {
			time.Sleep(3 * time.Second)
			cancel()
		})
		if got.after != 3*time.Second || strings.Contains(w.logs(), "ERROR") {
			t.Errorf("ended after %s, logged %s", got.after, w.logs())
		}
	})
}

// A client that goes while its request is read leaves a line, and no alarm.
func TestClientThatLeft(t *testing.T) {
	w := newWorld(t)
	w.put(record(t, gate.StateWaiting))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, release, nil)
	r.Header.Set("Authorization", "Bearer "+goodJob)
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, r)
	if out.Code == http.StatusOK || !strings.Contains(w.logs(), `"status":499`) || strings.Contains(w.logs(), "ERROR") {
		t.Errorf("answered %d, logged %s", out.Code, w.logs())
	}
}

func TestWaitTellsOfAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, got := poll(t, "60s", func(w *world, _ func()) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fail = &gate.Error{Kind: gate.Unavailable, Code: gate.CodeStoreUnavailable, Text: "the database is away", Fix: "wait"}
		})
		refuses(t, got.ResponseRecorder, http.StatusServiceUnavailable, gate.CodeStoreUnavailable)
	})
}

func TestNoWaitForWhatIsSettled(t *testing.T) {
	for _, state := range []gate.State{
		gate.StateSigned, gate.StatePublished, gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid, gate.StateFailed,
	} {
		w := newWorld(t)
		w.put(changed(state))
		if got := w.call(t, http.MethodGet, release+"?wait=60s", "", auth); got.Code != http.StatusOK {
			t.Errorf("%s: %d", state, got.Code)
		}
	}
}

// Without wait the state is read once; the ID token has to be for this request.
func TestShow(t *testing.T) {
	w := newWorld(t)
	w.put(record(t, gate.StateWaiting))
	got := w.call(t, http.MethodGet, release, "", auth)
	var r api.Release
	if err := json.Unmarshal(got.Body.Bytes(), &r); err != nil || len(r.Checks) != 14 || r.Coverage[0].Number != 412 {
		t.Errorf("answered %d %v %s", got.Code, err, got.Body)
	}
	if w.reads != 1 {
		t.Errorf("read %d times", w.reads)
	}
	want := w.wants[0]
	if want.GitHub != "countersign:sign.example.org:request:"+gatetest.RequestID || want.GitLab != origin || !want.RunChecked {
		t.Errorf("the ID token has to be for %+v", want)
	}
}

func TestCollect(t *testing.T) {
	w := newWorld(t)
	w.put(record(t, gate.StateWaiting))
	refuses(t, w.call(t, http.MethodPost, release+"/collect", "", auth), http.StatusConflict, gate.CodeNotSigned)
	w.put(record(t, gate.StateSigned))
	got := w.call(t, http.MethodPost, release+"/collect", "", auth)
	var c api.Collected
	if err := json.Unmarshal(got.Body.Bytes(), &c); err != nil || got.Code != http.StatusOK {
		t.Fatalf("answered %d %v %s", got.Code, err, got.Body)
	}
	if c.Release.State != gate.StateSigned || len(c.Files) != 2 || string(c.Files[1].Content) != "signature" {
		t.Errorf("collected %+v", c)
	}
}

func TestKeysAndForges(t *testing.T) {
	w := newWorld(t)
	if got := w.call(t, http.MethodGet, "/v1/keys/acme.release.pem", ""); got.Body.String() != pemOf(2)+pemOf(1) {
		t.Errorf("answered %d %s", got.Code, got.Body)
	}
	for path, part := range map[string]string{"/v1/keys": `"lineage":"acme.release"`, "/v1/forges": `"name":"github"`} {
		if got := w.call(t, http.MethodGet, path, ""); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), part) {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
}
