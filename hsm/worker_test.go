package hsm_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// These tests speak to a worker as a daemon would that was taken over: with frames that
// [hsm.Signer] never writes (attack 79).

// worker is a bare worker process.
type worker struct {
	t   *testing.T
	in  io.WriteCloser
	out io.Reader
	cmd *exec.Cmd
}

func startWorker(t *testing.T, c hsm.Config) *worker {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.Command[0], c.Command[1:]...)
	cmd.Env = append(cmd.Environ(), c.Env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &worker{t: t, in: in, out: out, cmd: cmd}
}

// openWorker starts a worker and has it open its token.
func openWorker(t *testing.T, c hsm.Config) *worker {
	t.Helper()
	w := startWorker(t, c)
	keys, err := json.Marshal(c.Keys)
	if err != nil {
		t.Fatal(err)
	}
	answer := w.say(`{"module":"` + c.Module + `","token":"` + c.TokenLabel + `","pin_file":"` + c.PINFile + `","keys":` + string(keys) + `}`)
	if !strings.HasPrefix(answer, `{"ready":`) {
		t.Fatalf("the worker is not ready: %s", answer)
	}
	return w
}

func (w *worker) write(b []byte) {
	w.t.Helper()
	if _, err := w.in.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

// say writes a frame and reads the answer.
func (w *worker) say(frame string) string {
	w.t.Helper()
	w.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	var head [4]byte
	if _, err := io.ReadFull(w.out, head[:]); err != nil {
		w.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(w.out, b); err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// end closes the worker's input and returns how it ended.
func (w *worker) end() error {
	w.t.Helper()
	if err := w.in.Close(); err != nil {
		w.t.Fatal(err)
	}
	return w.cmd.Wait()
}

func frameFields(fingerprint string, deadline time.Time) map[string]any {
	return map[string]any{
		"key": fingerprint, "purpose": "release", "mechanism": "ecdsa-p256-sha256",
		"digest": make([]byte, 32), "deadline": deadline.UTC().Format(time.RFC3339Nano),
	}
}

func batchOf(t *testing.T, orders ...map[string]any) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"orders": orders})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWorkerSignsNothingButOrders(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	c := hsmtest.Config(t, tok, tok.Pin(t, "acme-release", 1))
	w := openWorker(t, c)
	good := func() map[string]any { return frameFields(c.Keys[0].Fingerprint, time.Now().Add(10*time.Second)) }
	with := func(field string, value any) string {
		o := good()
		o[field] = value
		return batchOf(t, o)
	}
	deny := map[string]string{
		"no digest":                    with("digest", nil),
		"digest of 1 byte":             with("digest", make([]byte, 1)),
		"digest of 31 bytes":           with("digest", make([]byte, 31)),
		"digest of 33 bytes":           with("digest", make([]byte, 33)),
		"digest of 200 bytes":          with("digest", make([]byte, 200)),
		"digest in hex":                with("digest", strings.Repeat("00", 32)),
		"another key":                  with("key", hsm.Fingerprint(nil)),
		"no key":                       with("key", ""),
		"another purpose":              with("purpose", "log"),
		"a purpose that nobody knows":  with("purpose", "checkpoint"),
		"a message beside the digest":  with("message", []byte("message")),
		"no purpose":                   with("purpose", ""),
		"another mechanism":            with("mechanism", "ecdsa-p384-sha384"),
		"the mechanism of Ed25519":     with("mechanism", "ed25519"),
		"no mechanism":                 with("mechanism", ""),
		"deadline passed":              with("deadline", time.Now().Add(-time.Second)),
		"no deadline":                  with("deadline", time.Time{}),
		"deadline that no grant has":   with("deadline", time.Now().Add(time.Hour)),
		"one bad order among good":     batchOf(t, good(), good(), frameFields("", time.Now().Add(time.Second))),
		"a field that nobody knows":    with("payload", "sign this"),
		"no orders":                    `{"orders":[]}`,
		"no batch":                     `{}`,
		"no object":                    `7`,
		"no JSON":                      `sign this`,
		"two values":                   batchOf(t, good()) + batchOf(t, good()),
		"the first frame once more":    `{"module":"/x","token":"y","pin_file":"/z","keys":[]}`,
		"another operation altogether": `{"generate":{"label":"mine"}}`,
	}
	for name, frame := range deny {
		answer := w.say(frame)
		if !strings.HasPrefix(answer, `{"fault":`) || strings.Contains(answer, "broken") {
			t.Errorf("%s: %s, expected a refusal", name, answer)
		}
	}
	if answer := w.say(batchOf(t, good(), good())); !strings.HasPrefix(answer, `{"signatures":["`) {
		t.Errorf("%s, expected two signatures after all refusals", answer)
	}
	if err := w.end(); err != nil {
		t.Errorf("the worker ended with %v, expected to end well", err)
	}
}

// Each key signs for the purpose that it is pinned with, and what its type signs.
func TestWorkerHoldsKeysToTheirPurpose(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	c := hsmtest.Config(t, tok, append(tok.PinAuthority(t), tok.Pin(t, "acme-release", 1))...)
	w := openWorker(t, c)
	purposes := append(gate.AuthorityPurposes(), gate.PurposeRelease)
	for i, held := range purposes {
		for _, asked := range append(purposes, "") {
			o := frameFields(c.Keys[i].Fingerprint, time.Now().Add(10*time.Second))
			o["purpose"] = asked
			if held == gate.PurposeLog {
				o["mechanism"], o["message"] = "ed25519", []byte("message")
				delete(o, "digest")
			}
			answer := w.say(batchOf(t, o))
			if good := strings.HasPrefix(answer, `{"signatures":["`); good != (asked == held) {
				t.Errorf("the %s key for %q: %s", held, asked, answer)
			}
		}
	}
	log := func(edit map[string]any) string {
		o := frameFields(c.Keys[0].Fingerprint, time.Now().Add(10*time.Second))
		delete(o, "digest")
		o["purpose"], o["mechanism"], o["message"] = "log", "ed25519", []byte("message")
		maps.Copy(o, edit)
		return batchOf(t, o)
	}
	for name, frame := range map[string]string{
		"no message":                   log(map[string]any{"message": nil}),
		"an empty message":             log(map[string]any{"message": []byte{}}),
		"a message of 4097 bytes":      log(map[string]any{"message": make([]byte, 4097)}),
		"a digest beside the message":  log(map[string]any{"digest": make([]byte, 32)}),
		"a digest alone":               log(map[string]any{"message": nil, "digest": make([]byte, 32)}),
		"the mechanism of P-256":       log(map[string]any{"mechanism": "ecdsa-p256-sha256"}),
		"a deadline that no grant has": log(map[string]any{"deadline": time.Now().Add(time.Hour)}),
	} {
		if answer := w.say(frame); !strings.HasPrefix(answer, `{"fault":`) || strings.Contains(answer, "broken") {
			t.Errorf("%s: %s, expected a refusal", name, answer)
		}
	}
	if err := w.end(); err != nil {
		t.Error(err)
	}
}

func TestWorkerRefusesABadFirstFrame(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	c := hsmtest.Config(t, tok)
	for name, frame := range map[string]string{
		"no JSON":         "hello",
		"a PIN in it":     `{"module":"/m","token":"t","pin":"1234","keys":[]}`,
		"no keys":         `{"module":"/m","token":"t","pin_file":"/p","keys":[]}`,
		"a batch":         `{"orders":[]}`,
		"no module named": `{"module":"","token":"t","pin_file":"/p","keys":[{"lineage":"l","version":1,"label":"l","id":"AQ==","fingerprint":"` + hsm.Fingerprint(nil) + `"}]}`,
	} {
		w := startWorker(t, c)
		if answer := w.say(frame); !strings.HasPrefix(answer, `{"fault":`) {
			t.Errorf("%s: %s, expected a fault", name, answer)
		}
		if err := w.end(); err == nil {
			t.Errorf("%s: the worker ended well, expected an error", name)
		}
	}
}

func TestWorkerEndsOnTornFrames(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	c := hsmtest.Config(t, tok, tok.Pin(t, "acme-release", 1))
	for name, bytes := range map[string][]byte{
		"half a length":      {0, 0},
		"half a frame":       {0, 0, 0, 9, '{'},
		"a frame of 4 GB":    {0xff, 0xff, 0xff, 0xff},
		"one byte too large": {0, 0x10, 0, 1},
	} {
		w := openWorker(t, c)
		w.write(bytes)
		if err := w.end(); err == nil {
			t.Errorf("%s: the worker ended well, expected an error", name)
		}
	}
}

func TestWorkerThatWasNeverAskedEndsWell(t *testing.T) {
	t.Parallel()
	w := startWorker(t, hsmtest.Config(t, hsmtest.NewToken(t)))
	if err := w.end(); err != nil {
		t.Errorf("the worker ended with %v", err)
	}
}

func TestRunWorkerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- hsm.RunWorker(ctx, r, io.Discard, time.Now) }()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if err := w.Close(); err != nil { // what reads the pipe ends with it
		t.Fatal(err)
	}
}

// The daemon is gone and the module is stuck: the worker must not wait for it.
func TestStuckWorkerEndsWithItsInput(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	w := openWorker(t, c)
	before := f.Calls(t, "C_Sign")
	f.Set(t, "C_Sign 2 1 hang")
	frame := batchOf(t, frameFields(c.Keys[0].Fingerprint, time.Now().Add(10*time.Second)))
	w.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	waitFor(t, func() bool { return f.Calls(t, "C_Sign") > before })
	if err := w.end(); err == nil {
		t.Error("the worker ended well, expected it to say that the module is stuck")
	}
}
