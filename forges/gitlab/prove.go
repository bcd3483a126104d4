package gitlab

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// proof is how deliveries are proved: by a plain token, or by a signing token's key.
type proof struct {
	plain []byte
	key   []byte
}

// signatureAge is how far a signed delivery's timestamp may be from now, either way.
const signatureAge = 5 * time.Minute

// maxHeader bounds what is taken over from a header.
const maxHeader = 200

// Prove checks that the instance sent the delivery, over the raw body. A payload
// is then still only a hint: whoever maintains a project can write its template
// (attack 61).
func (f *Forge) Prove(r *http.Request, body []byte) (gate.Delivery, error) {
	id, err := f.proof.check(r.Header, body, f.now())
	if err != nil {
		return gate.Delivery{}, err
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return gate.Delivery{}, badDelivery("its Content-Type", "application/json", r.Header.Get("Content-Type"))
	}
	event := r.Header.Get("X-Gitlab-Event")
	if event == "" || len(event) > maxHeader {
		return gate.Delivery{}, badDelivery("X-Gitlab-Event", "the event's name", event)
	}
	if id == "" {
		id = r.Header.Get("Idempotency-Key")
	}
	if id == "" {
		id = r.Header.Get("X-Gitlab-Event-UUID") // GitLab before 17.4 sends no key
	}
	if id == "" || len(id) > maxHeader {
		return gate.Delivery{}, badDelivery("Idempotency-Key", "what tells deliveries apart", id)
	}
	var p payload
	if !json.Valid(body) || !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return gate.Delivery{}, badDelivery("the body", "a JSON object", "something else")
	}
	_ = json.Unmarshal(body, &p) // only for the thread; Interpret says what is wrong with it
	return gate.Delivery{
		Forge: f.forge, ID: id, Event: event, Body: body, Received: f.now(), Thread: f.threadOf(event, p), Tenant: f.tenantOf(p),
	}, nil
}

func badDelivery(what, expected, got string) error {
	if len(got) > maxHeader {
		got = got[:maxHeader]
	}
	if got == "" {
		got = "nothing"
	}
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeDeliveryMalformed, Text: "the delivery is malformed: " + what,
		Expected: expected, Got: strconv.Quote(got), Fix: "send what GitLab's webhooks send",
	}
}

func unsigned(expected string) error {
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeDeliveryUnsigned, Text: "the delivery carries no proof of its sender",
		Expected: expected, Got: "none", Fix: "set the secret in the webhook's settings at GitLab",
	}
}

func badSignature(expected, got string) error {
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeDeliverySignature, Text: "the delivery's proof of its sender does not hold",
		Expected: expected, Got: got, Fix: "set the same secret here and in the webhook's settings at GitLab",
	}
}

// check returns the delivery's id where the proof covers it.
func (p proof) check(h http.Header, body []byte, now time.Time) (string, error) {
	if p.key != nil {
		return p.checkSigned(h, body, now)
	}
	token := h.Values("X-Gitlab-Token")
	if len(token) == 0 || token[0] == "" {
		return "", unsigned("an X-Gitlab-Token")
	}
	want, got := sha256.Sum256(p.plain), sha256.Sum256([]byte(token[0]))
	if len(token) != 1 || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return "", badSignature("the webhook's secret token", "another one")
	}
	return "", nil
}

// checkSigned proves id, time and body together (docs: webhooks, signing tokens,
// in the manner of Standard Webhooks). The signed id is the delivery's: the
// unsigned Idempotency-Key could make a replay look new.
func (p proof) checkSigned(h http.Header, body []byte, now time.Time) (string, error) {
	id, stamp, signatures := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), h.Get("Webhook-Signature")
	if signatures == "" {
		return "", unsigned("a webhook-signature")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil {
		return "", badSignature("a webhook-id and a webhook-timestamp in seconds", "none")
	}
	mac := hmac.New(sha256.New, p.key)
	_, _ = mac.Write([]byte(id + "." + stamp + "."))
	_, _ = mac.Write(body)
	want := mac.Sum(nil)
	holds := false
	for _, one := range strings.Fields(signatures) {
		encoded, ok := strings.CutPrefix(one, "v1,")
		got, err := base64.StdEncoding.DecodeString(encoded)
		holds = holds || (ok && err == nil && hmac.Equal(want, got))
	}
	if !holds {
		return "", badSignature("a v1 signature by the webhook's signing token", "none that holds")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > signatureAge || age < -signatureAge {
		return "", badSignature("a timestamp within "+signatureAge.String(), "one "+age.Round(time.Second).String()+" old")
	}
	return id, nil
}
