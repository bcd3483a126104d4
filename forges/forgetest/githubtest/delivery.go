package githubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// hookID is X-GitHub-Hook-ID of the App's one webhook.
const hookID = 73_001

// deliveryTimeout is how long GitHub Enterprise Server waits for an answer.
const deliveryTimeout = 30 * time.Second

// delivery is one webhook as it goes out; body is never changed.
type delivery struct {
	id                       int64
	guid, event, action      string
	installation, repository int64
	body                     []byte
	redelivery               bool
	status                   int
	answer                   string
	duration                 time.Duration
	when                     time.Time
	done                     bool
}

// deliveryQueue sends deliveries one after the other, in the order of the events. It
// has its own lock: receivers call back into the API while a delivery is under way.
type deliveryQueue struct {
	server      *Server
	mu          sync.Mutex
	changed     *sync.Cond
	url, secret string
	waiting     []*delivery
	sent        []*delivery
	busy        bool
	stopped     bool
	cancel      context.CancelFunc
	finished    chan struct{}
}

func (q *deliveryQueue) start(s *Server) {
	q.server, q.changed, q.finished = s, sync.NewCond(&q.mu), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	go q.run(ctx)
}

func (q *deliveryQueue) stop() {
	q.mu.Lock()
	q.stopped = true
	q.changed.Broadcast()
	q.mu.Unlock()
	q.cancel()
	<-q.finished
}

func (q *deliveryQueue) add(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.url == "" {
		return
	}
	q.waiting = append(q.waiting, d)
	q.changed.Broadcast()
}

func (q *deliveryQueue) run(ctx context.Context) {
	defer close(q.finished)
	client := &http.Client{Timeout: deliveryTimeout}
	defer client.CloseIdleConnections()
	for {
		q.mu.Lock()
		for len(q.waiting) == 0 && !q.stopped {
			q.changed.Wait()
		}
		if q.stopped {
			q.mu.Unlock()
			return
		}
		d := q.waiting[0]
		q.waiting, q.busy = q.waiting[1:], true
		to, secret := q.url, q.secret
		q.mu.Unlock()
		status, answer, took := send(ctx, client, to, secret, d, q.server)
		q.mu.Lock()
		d.status, d.answer, d.duration, d.done, d.when = status, answer, took, true, q.server.now()
		q.sent, q.busy = append(q.sent, d), false
		q.changed.Broadcast()
		q.mu.Unlock()
	}
}

// send posts one delivery; status 0 means that no answer came.
func send(ctx context.Context, client *http.Client, to, secret string, d *delivery, s *Server) (int, string, time.Duration) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(d.body))
	if err != nil {
		return 0, err.Error(), 0
	}
	for name, value := range d.headers(s.URL()) {
		req.Header.Set(name, value)
	}
	if secret != "" {
		req.Header.Set("X-Hub-Signature-256", sign(secret, d.body))
	}
	began := s.now()
	res, err := client.Do(req)
	if err != nil {
		return 0, err.Error(), s.now().Sub(began)
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return 0, err.Error(), s.now().Sub(began)
	}
	return res.StatusCode, string(answer), s.now().Sub(began)
}

// headers are those of every delivery (docs, "Webhook events and payloads", delivery
// headers). A redelivery has the delivery's own GUID again.
func (d *delivery) headers(host string) map[string]string {
	return map[string]string{
		"Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/double", "Accept": "*/*",
		"X-GitHub-Event": d.event, "X-GitHub-Delivery": d.guid, "X-GitHub-Hook-ID": strconv.Itoa(hookID),
		"X-GitHub-Hook-Installation-Target-ID":   strconv.FormatInt(appID, 10),
		"X-GitHub-Hook-Installation-Target-Type": "integration",
		"X-GitHub-Enterprise-Host":               host,
	}
}

// DeliverTo sends every webhook from now on to url, signed with secret.
func (s *Server) DeliverTo(url, secret string) {
	s.delivery.mu.Lock()
	defer s.delivery.mu.Unlock()
	s.delivery.url, s.delivery.secret = url, secret
}

// Redeliver sends the newest n deliveries again, in their order and unchanged.
func (s *Server) Redeliver(n int) {
	var newest []*delivery
	for _, d := range s.deliveries() {
		if !d.redelivery {
			newest = append(newest, d)
		}
	}
	newest = newest[max(len(newest)-n, 0):]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range newest {
		s.redeliver(d)
	}
}

func (s *Server) redeliver(d *delivery) {
	s.delivery.add(&delivery{
		id: s.next("delivery"), guid: d.guid, event: d.event, action: d.action, installation: d.installation,
		repository: d.repository, body: d.body, redelivery: true,
	})
}

// deliveries are those answered or failed so far, oldest first.
func (s *Server) deliveries() []*delivery {
	s.delivery.mu.Lock()
	defer s.delivery.mu.Unlock()
	return slices.Clone(s.delivery.sent)
}

// Settle waits until every webhook so far was answered, those included that the
// answers set off.
func (s *Server) Settle() {
	q := &s.delivery
	q.mu.Lock()
	defer q.mu.Unlock()
	for (len(q.waiting) > 0 || q.busy) && !q.stopped {
		q.changed.Wait()
	}
}

// listDeliveries is newest first, paged by cursor (API description of "List deliveries
// for an app webhook").
func listDeliveries(c *call) reply {
	all := c.deliveries()
	slices.Reverse(all)
	if cursor := c.query.Get("cursor"); cursor != "" {
		at := slices.IndexFunc(all, func(d *delivery) bool { return strconv.FormatInt(d.id, 10) == cursor })
		if at < 0 {
			return problem(http.StatusUnprocessableEntity, "Invalid cursor")
		}
		all = all[at:]
	}
	want := c.query.Get("status")
	all = slices.DeleteFunc(all, func(d *delivery) bool { return !d.classified(want) })
	per := c.pageSize()
	items := []obj{}
	for _, d := range all[:min(per, len(all))] {
		items = append(items, d.item())
	}
	rep := ok(items)
	if len(all) > per {
		next := c.pageURL("cursor", strconv.FormatInt(all[per].id, 10))
		rep.header = http.Header{"Link": {"<" + next + `>; rel="next"`}}
	}
	return rep
}

// item is `components.schemas.hook-delivery-item`.
func (d *delivery) item() obj {
	text := "OK"
	if d.status < 200 || d.status >= 300 {
		text = "Invalid HTTP Response: " + strconv.Itoa(d.status)
	}
	if d.status == 0 {
		text = "failed to connect to host"
	}
	return obj{
		"id": d.id, "guid": d.guid, "delivered_at": stamp(d.when), "redelivery": d.redelivery,
		"duration": d.duration.Seconds(), "status": text, "status_code": d.status, "event": d.event,
		"action": orNull(d.action), "installation_id": numberOrNull(d.installation), "repository_id": numberOrNull(d.repository), "throttled_at": nil,
	}
}

// numberOrNull is null where there is none: of a ping.
func numberOrNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func (c *call) deliveryOf() *delivery {
	for _, d := range c.deliveries() {
		if d.id == c.number("delivery_id") {
			return d
		}
	}
	return nil
}

func getDelivery(c *call) reply {
	d := c.deliveryOf()
	if d == nil {
		return notFound()
	}
	out := d.item()
	out["url"] = ""
	out["request"] = obj{"headers": d.headers(c.URL()), "payload": json.RawMessage(d.body)}
	out["response"] = obj{"headers": obj{}, "payload": d.answer}
	return ok(out)
}

func redeliver(c *call) reply {
	d := c.deliveryOf()
	if d == nil {
		return notFound()
	}
	c.redeliver(d)
	return reply{status: http.StatusAccepted, body: obj{}}
}
