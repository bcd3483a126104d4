package gitlabtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hook is one webhook: the catch-all of DeliverTo, or one made through the API.
type hook struct {
	id       int64
	project  *project // nil: a group's, or every project's
	group    *group
	url      string
	token    string
	signing  bool            // the token is a signing token
	events   map[string]bool // nil: all; by the API's names, "push_events" and so on
	ssl      bool
	filter   string
	template string
	created  time.Time
	failures int // in a row
	log      []hookEvent
}

// hookEvent is what became of one delivery.
type hookEvent struct {
	id      int64
	trigger string
	status  int // 0: no answer
}

// delivery is one event for one hook, kept after it was sent.
type delivery struct {
	hook      *hook
	event     string // X-Gitlab-Event
	body      []byte
	key       string // Idempotency-Key: the same whenever it is sent again
	eventUUID string
}

// courier sends deliveries one after another, in order.
type courier struct {
	opts     Options
	instance string
	client   *http.Client
	cancel   context.CancelFunc
	done     chan struct{}

	mu    sync.Mutex
	wake  *sync.Cond
	queue []*delivery
	busy  bool
	over  bool
	sent  []*delivery
}

func newCourier(instance string, opts Options) *courier {
	ctx, cancel := context.WithCancel(context.Background())
	c := &courier{
		opts: opts, instance: instance, cancel: cancel, done: make(chan struct{}),
		// source: gitlab.webhook_timeout, 10 s
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	c.wake = sync.NewCond(&c.mu)
	go c.run(ctx)
	return c
}

func (c *courier) close() {
	c.cancel()
	c.mu.Lock()
	c.over = true
	c.wake.Broadcast()
	c.mu.Unlock()
	<-c.done
}

func (c *courier) enqueue(deliveries ...*delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, deliveries...)
	c.wake.Broadcast()
}

func (c *courier) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for (len(c.queue) > 0 || c.busy) && !c.over {
		c.wake.Wait()
	}
}

func (c *courier) redeliver(n int) {
	c.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, slices.Clone(c.sent[max(0, len(c.sent)-n):])...)
	c.wake.Broadcast()
}

func (c *courier) run(ctx context.Context) {
	defer close(c.done)
	for {
		d := c.next()
		if d == nil {
			return
		}
		c.send(ctx, d)
		c.mu.Lock()
		c.busy = false
		c.wake.Broadcast()
		c.mu.Unlock()
	}
}

func (c *courier) next() *delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 && !c.over {
		c.wake.Wait()
	}
	if c.over {
		return nil
	}
	d := c.queue[0]
	c.queue, c.busy = c.queue[1:], true
	if !slices.Contains(c.sent, d) {
		c.sent = append(c.sent, d)
	}
	return d
}

// send posts one delivery as WebHookService does (source:
// app/services/web_hook_service.rb, build_headers). A failure is kept, not retried.
func (c *courier) send(ctx context.Context, d *delivery) {
	c.mu.Lock()
	url, token, failures := d.hook.url, d.hook.token, d.hook.failures
	c.mu.Unlock()
	if url == "" || (c.opts.DisableFailingHooks && failures >= maxHookFailures) {
		return
	}
	ok, status := false, 0
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		d.hook.log = append(d.hook.log, hookEvent{
			id: int64(len(d.hook.log) + 1), status: status, trigger: strings.ReplaceAll(strings.ToLower(d.event), " ", "_") + "s",
		})
		d.hook.failures++
		if ok {
			d.hook.failures = 0
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "GitLab/"+c.opts.Version)
	req.Header.Set("Idempotency-Key", d.key)
	req.Header.Set("X-Gitlab-Event", d.event)
	req.Header.Set("X-Gitlab-Webhook-UUID", newUUID()) // of this sending
	req.Header.Set("X-Gitlab-Event-UUID", d.eventUUID)
	req.Header.Set("X-Gitlab-Instance", c.instance)
	prove(req.Header, token, d, c.opts.Now())
	res, err := c.client.Do(req)
	if err != nil {
		return
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	status = res.StatusCode
	ok = res.StatusCode < 400 // source: response.success? || response.redirection?
}

// maxHookFailures in a row turn a hook off (docs: webhooks, auto-disabled webhooks).
const maxHookFailures = 4

// prove adds the secret: the plain token, or for a signing token ("whsec_" and 32
// bytes in base64) a signature over "id.timestamp.body" in the manner of Standard
// Webhooks (API docs: webhooks, signing tokens; feature flag webhook_signing_token).
func prove(header http.Header, token string, d *delivery, now time.Time) {
	encoded, signing := strings.CutPrefix(token, "whsec_")
	if !signing {
		if token != "" {
			header.Set("X-Gitlab-Token", token)
		}
		return
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		panic(fmt.Sprintf("signing token of a webhook: expected whsec_ and base64: %v", err))
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(d.key + "." + stamp + "."))
	_, _ = mac.Write(d.body)
	header.Set("Webhook-Id", d.key)
	header.Set("Webhook-Timestamp", stamp)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// DeliverTo points the catch-all hook at url; an empty url takes it away.
func (s *Server) DeliverTo(url, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.catchAll == nil {
		s.catchAll = &hook{id: s.id("hook"), created: s.tick()}
	}
	s.courier.mu.Lock()
	defer s.courier.mu.Unlock()
	s.catchAll.url, s.catchAll.token, s.catchAll.failures = url, secret, 0
}

// Redeliver sends the newest n deliveries again: the same body, Idempotency-Key
// and X-Gitlab-Event-UUID, to where their hook points now.
func (s *Server) Redeliver(n int) { s.courier.redeliver(n) }

// Settle waits until every delivery so far was answered or failed.
func (s *Server) Settle() { s.courier.settle() }

// EnableHooks turns hooks on again that failures disabled.
func (s *Server) EnableHooks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.courier.mu.Lock()
	defer s.courier.mu.Unlock()
	for _, h := range s.allHooks() {
		h.failures = 0
	}
}

func (s *Server) allHooks() []*hook {
	var out []*hook
	if s.catchAll != nil {
		out = append(out, s.catchAll)
	}
	for _, p := range s.projects {
		out = append(out, p.hooks...)
	}
	for _, g := range s.groups {
		out = append(out, g.hooks...)
	}
	return out
}

// send queues an event for every hook of p, and of the groups around it, that wants it.
func (s *Server) send(p *project, event, want string, payload obj) {
	hooks := slices.Clone(p.hooks)
	for at := p.group.path; at != "." && at != "/"; at = path.Dir(at) {
		if g := s.groups[at]; g != nil {
			hooks = append(hooks, g.hooks...)
		}
	}
	if s.catchAll != nil && s.catchAll.url != "" {
		hooks = append([]*hook{s.catchAll}, hooks...)
	}
	s.deliver(slices.DeleteFunc(hooks, func(h *hook) bool { return h.events != nil && !h.events[want] }), event, payload)
}

func (s *Server) deliver(hooks []*hook, event string, payload obj) {
	body, err := json.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("encode a %s: %v", event, err))
	}
	eventUUID := newUUID()
	for _, h := range hooks {
		s.courier.enqueue(&delivery{hook: h, event: event, body: body, key: newUUID(), eventUUID: eventUUID})
	}
}
