package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what must not count
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
)

// proof is the header with which a forge proves body under a secret.
func (h *hostile) proof(body []byte, secret string) (name, value string) {
	if h.world.Name() == "gitlab" {
		return "X-Gitlab-Token", secret
	}
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body)
	return "X-Hub-Signature-256", "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// delivery is a proved one, with headers replaced or, where "", taken away.
func (h *hostile) delivery(body string, headers map[string]string) func(*testing.T) *http.Request {
	return func(t *testing.T) *http.Request {
		t.Helper()
		name := h.world.Name()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/webhooks/"+name+"/"+name, strings.NewReader(body))
		must(t, err)
		all := map[string]string{
			"Content-Type": "application/json", "X-GitHub-Event": "issue_comment", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
		}
		if name == "gitlab" {
			all = map[string]string{"Content-Type": "application/json", "X-Gitlab-Event": "Note Hook", "Idempotency-Key": "13792a34-cac6"}
		}
		proof, value := h.proof([]byte(body), h.WebhookSecret())
		all[proof] = value
		maps.Copy(all, headers)
		for k, v := range all {
			if v != "" {
				req.Header.Set(k, v)
			}
		}
		return req
	}
}

func (h *hostile) deliveries(t *testing.T) {
	const body = `{"action":"created","comment":{"id":1}}`
	proof, _ := h.proof(nil, "")
	_, guessed := h.proof([]byte(body), "a-secret-that-was-guessed")
	form := "payload=" + url.QueryEscape(body)
	deny := func(name string, status int, code gate.Code, body string, headers map[string]string) {
		t.Helper()
		h.refuse(t, name, status, code, h.delivery(body, headers))
	}
	deny("unsigned", 401, gate.CodeDeliveryUnsigned, body, map[string]string{proof: ""})
	deny("signed with another secret", 401, gate.CodeDeliverySignature, body, map[string]string{proof: guessed})
	deny("form-encoded", 400, gate.CodeDeliveryMalformed, form, map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
	deny("a form that calls itself JSON", 400, gate.CodeDeliveryMalformed, form, nil)
	deny("no JSON", 400, gate.CodeDeliveryMalformed, "approve, please", nil)
	deny("JSON that breaks off", 400, gate.CodeDeliveryMalformed, body[:20], nil)
	deny("no object", 400, gate.CodeDeliveryMalformed, `["created"]`, nil)
	deny("nothing at all", 400, gate.CodeDeliveryMalformed, "", nil)
	deny("two objects", 400, gate.CodeDeliveryMalformed, body+body, nil)
	event := map[string]string{"github": "X-GitHub-Event", "gitlab": "X-Gitlab-Event"}[h.world.Name()]
	deny("no event", 400, gate.CodeDeliveryMalformed, body, map[string]string{event: ""})
	if h.world.Name() == "github" {
		mac := hmac.New(sha1.New, []byte(h.WebhookSecret()))
		_, _ = mac.Write([]byte(body))
		old := "sha1=" + hex.EncodeToString(mac.Sum(nil))
		deny("SHA-1 alone", 401, gate.CodeDeliveryUnsigned, body, map[string]string{proof: "", "X-Hub-Signature": old})
		deny("SHA-1 in SHA-256's place", 401, gate.CodeDeliverySignature, body, map[string]string{proof: old})
		deny("signed over another body", 401, gate.CodeDeliverySignature, body+" ", map[string]string{proof: func() string {
			_, v := h.proof([]byte(body), h.WebhookSecret())
			return v
		}()})
		deny("no id", 400, gate.CodeDeliveryMalformed, body, map[string]string{"X-GitHub-Delivery": ""})
		deny("for another App", 400, gate.CodeDeliveryMalformed, body, map[string]string{
			"X-GitHub-Hook-Installation-Target-Type": "integration", "X-GitHub-Hook-Installation-Target-ID": "7",
		})
	} else {
		deny("no id", 400, gate.CodeDeliveryMalformed, body, map[string]string{"Idempotency-Key": ""})
	}
	h.refuse(t, "to a forge that is not configured", 404, gate.CodeForgeUnknown, func(t *testing.T) *http.Request {
		req := h.delivery(body, nil)(t)
		req.URL.Path = "/webhooks/" + h.world.Name() + "/elsewhere"
		return req
	})
	t.Run("oversized", h.oversized)
	t.Run("body that breaks off", func(t *testing.T) {
		h.refused(t, 400, gate.CodeDeliveryMalformed, func() answer {
			return raw(t, h.server, http.MethodPost, h.head(t, "Content-Length: 1000"), []byte(body), (*net.TCPConn).CloseWrite)
		})
	})
}

// head is a proved delivery's head with another way to say how long it is.
func (h *hostile) head(t *testing.T, length string) []byte {
	t.Helper()
	var b bytes.Buffer
	req := h.delivery("{}", nil)(t)
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", req.URL.Path, h.server, length)
	must(t, req.Header.Write(&b))
	return append(b.Bytes(), "\r\n"...)
}

// One byte more than any forge sends, announced and not.
func (h *hostile) oversized(t *testing.T) {
	const limit = 25 << 20
	body := bytes.Repeat([]byte(" "), limit+1)
	copy(body, "{")
	body[limit] = '}'
	h.refuse(t, "announced", 413, gate.CodeDeliveryTooLarge, h.delivery(string(body), nil))
	t.Run("in chunks", func(t *testing.T) {
		h.refused(t, 413, gate.CodeDeliveryTooLarge, func() answer {
			chunked := append(fmt.Appendf(nil, "%x\r\n", len(body)), body...)
			return raw(t, h.server, http.MethodPost, h.head(t, "Transfer-Encoding: chunked"), append(chunked, "\r\n0\r\n\r\n"...))
		})
	})
	t.Run("announced and never sent", func(t *testing.T) {
		h.refused(t, 413, gate.CodeDeliveryTooLarge, func() answer {
			return raw(t, h.server, http.MethodPost, h.head(t, fmt.Sprintf("Content-Length: %d", 1<<40)), nil)
		})
	})
}
