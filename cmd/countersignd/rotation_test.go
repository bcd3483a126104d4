package main_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	main "github.com/countersign/countersign/cmd/countersignd"
)

// notebook keeps what a server logs.
type notebook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notebook) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notebook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// serving is a site whose server runs in this process.
type serving struct {
	*site
	url string
	log *notebook
}

// serves starts the site's server; it ends with the test.
func (s *site) serves() *serving {
	s.t.Helper()
	v := &serving{site: s, log: &notebook{}}
	var at []string
	for range 2 {
		l, err := (&net.ListenConfig{}).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		at = append(at, l.Addr().String())
		if err := l.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	v.url = "http://" + at[0]
	s.edit(`server: {url: "https://sign.example.org", listen: "127.0.0.1:9", health_listen: "127.0.0.1:10"}`, fmt.Sprintf(`server: {url: "https://sign.example.org", listen: "%s", health_listen: "%s"}`, at[0], at[1]))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- main.Run(ctx, []string{"serve", "--config", s.config}, io.Discard, v.log) }()
	s.t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			s.t.Errorf("serve: exit %d\n%s", code, v.log)
		}
	})
	v.logs(`"msg":"serving"`, 1)
	return v
}

// logs waits until a text was logged so often.
func (v *serving) logs(text string, times int) {
	v.t.Helper()
	for range 600 {
		if strings.Count(v.log.String(), text) >= times {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	v.t.Fatalf("expected %q logged %d times:\n%s", text, times, v.log)
}

// told has the server read all secrets anew, and waits until it has.
func (v *serving) told(says string) {
	v.t.Helper()
	times := strings.Count(v.log.String(), says)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		v.t.Fatal(err)
	}
	v.logs(says, times+1)
}

// delivers sends a ping that is signed with a secret, and returns the answer's status.
func (v *serving) delivers(secret string) int {
	body := []byte(`{"zen":"Keep it logically awesome.","hook_id":1}`)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, v.url+"/webhooks/github/github", bytes.NewReader(body))
	if err != nil {
		v.t.Error(err)
		return 0
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", "ping")
	r.Header.Set("X-GitHub-Delivery", fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]))
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		v.t.Error(err)
		return 0
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode
}

// While a webhook secret takes another's place either proves, no delivery is lost, and a
// file that holds nothing changes nothing.
func TestWebhookSecretRotates(t *testing.T) {
	v := newSite(t).serves()
	const before, after = hook, "the-webhook-secret-after-it"
	const taken = `"msg":"secrets taken anew","of":"forge github"`
	if got := v.delivers(before); got != http.StatusAccepted {
		t.Fatalf("before: %d", got)
	}
	if got := v.delivers(after); got != http.StatusUnauthorized {
		t.Fatalf("a secret that is none yet: %d", got)
	}
	v.write("hook", []byte(after+"\n"+before+"\n"))
	v.told(taken)
	for _, secret := range []string{before, after} {
		if got := v.delivers(secret); got != http.StatusAccepted {
			t.Errorf("both are valid, and one was answered %d", got)
		}
	}
	// The forge sends on while the old one goes.
	var lost atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sender.Go(func() {
		for ctx.Err() == nil {
			if v.delivers(after) != http.StatusAccepted {
				lost.Add(1)
			}
		}
	})
	v.write("hook", []byte(after+"\n"))
	v.told(taken)
	stop()
	sender.Wait()
	if lost.Load() > 0 {
		t.Errorf("%d deliveries were lost", lost.Load())
	}
	if got := v.delivers(before); got != http.StatusUnauthorized {
		t.Errorf("the old secret still proves: %d", got)
	}
	v.write("hook", nil)
	v.told(`"msg":"new secret refused, the old one stays","of":"forge github"`)
	if got := v.delivers(after); got != http.StatusAccepted {
		t.Errorf("an empty file changed something: %d", got)
	}
	for _, secret := range []string{before, after} {
		if strings.Contains(v.log.String(), secret) {
			t.Error("the log tells a secret")
		}
	}
}

// A changed file counts by itself once it stayed the same for a while.
func TestSecretsAreWatched(t *testing.T) {
	v := newSite(t).serves()
	v.write("hook", []byte("another-webhook-secret\n"))
	v.logs(`"msg":"secrets taken anew","of":"forge github"`, 1)
	if got := v.delivers("another-webhook-secret"); got != http.StatusAccepted {
		t.Errorf("the new secret: %d", got)
	}
}

// A credential that the forge does not take, or a key that is none, leaves the old one.
func TestCredentialRotates(t *testing.T) {
	v := newSite(t).serves()
	const refused = `"msg":"new secret refused, the old one stays","of":"forge `
	v.write("gitlab-token", []byte("glpat-nobody-has-this-one\n"))
	v.told(refused + `gitlab","error":"CS-1602: the forge refuses the credential`)
	v.write("app.pem", []byte("no key\n"))
	v.told(refused + `github","error":"CS-1801: forge github cannot be used`)
	if strings.Contains(v.log.String(), "glpat-nobody") {
		t.Error("the log tells a token")
	}
	v.write("gitlab-token", []byte(v.gitlab.BotToken()))
	v.write("app.pem", v.github.AppPrivateKey())
	v.told(`"msg":"secrets taken anew","of":"token countersign"`) // and of nobody else: nothing changed
	if strings.Contains(v.log.String(), `"msg":"secrets taken anew","of":"forge`) {
		t.Errorf("a refused secret was taken:\n%s", v.log)
	}
}

// A new PIN is tried once, by workers beside the old ones.
func TestPINRotates(t *testing.T) {
	s := newSite(t)
	pin := s.token.PIN
	v := s.serves()
	change := func(file string) {
		t.Helper()
		if err := os.WriteFile(s.token.PINFile, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("00000000\n")
	v.told(`"msg":"new secret refused, the old one stays","of":"token countersign","error":"CS-1505`)
	s.token.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error { return m.SetPIN(h, pin, "24681357") })
	change("24681357\n")
	v.told(`"msg":"secrets taken anew","of":"token countersign"`)
	if n := strings.Count(v.log.String(), `"msg":"signing worker ready"`); n != 2 {
		t.Errorf("expected the first worker and its successor, got %d", n)
	}
	if strings.Contains(v.log.String(), "24681357") {
		t.Error("the log tells the PIN")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "data", "countersign.db")); err != nil {
		t.Error(err)
	}
}
