package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// Prove checks that GitHub itself sent body, and makes it a delivery. The signature is
// X-Hub-Signature-256: HMAC-SHA256 under the webhook secret over the body's bytes as
// they came (docs, "Validating webhook deliveries"); go-github's own validation also
// takes SHA-1, form bodies and an empty secret. Errors: CodeDeliveryUnsigned,
// CodeDeliverySignature, CodeDeliveryMalformed.
func (f *Forge) Prove(r *http.Request, body []byte) (gate.Delivery, error) {
	if err := f.checkSignature(r.Header, body); err != nil {
		return gate.Delivery{}, err
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return gate.Delivery{}, malformed("the delivery is not JSON", "Content-Type application/json", r.Header.Get("Content-Type"),
			"set the webhook's content type to application/json")
	}
	event, err := oneHeader(r.Header, "X-GitHub-Event", "a name in small letters", isEvent)
	if err != nil {
		return gate.Delivery{}, err
	}
	id, err := oneHeader(r.Header, "X-GitHub-Delivery", "a GUID", isGUID)
	if err != nil {
		return gate.Delivery{}, err
	}
	if kind := r.Header.Get("X-GitHub-Hook-Installation-Target-Type"); kind == "integration" {
		target := r.Header.Get("X-GitHub-Hook-Installation-Target-ID")
		if target != strconv.FormatInt(f.cfg.AppID, 10) {
			return gate.Delivery{}, malformed("the delivery is for another App", strconv.FormatInt(f.cfg.AppID, 10), target,
				"point that App's webhook elsewhere")
		}
	}
	p, err := parsePayload(body)
	if err != nil {
		return gate.Delivery{}, err
	}
	return gate.Delivery{
		Forge: f.cfg.Forge, ID: id, Event: event, Body: body, Received: f.cfg.Now(), Thread: p.order(event), Tenant: f.tenantOf(p),
	}, nil
}

func (f *Forge) checkSignature(h http.Header, body []byte) error {
	values := h.Values("X-Hub-Signature-256")
	if len(values) == 0 {
		got := "none"
		if h.Get("X-Hub-Signature") != "" {
			got = "SHA-1 alone (X-Hub-Signature)"
		}
		return &gate.Error{
			Kind: gate.Unidentified, Code: gate.CodeDeliveryUnsigned, Text: "the delivery is not signed",
			Expected: "a signature in X-Hub-Signature-256", Got: got, Fix: "give the App's webhook the secret that the server is configured with",
		}
	}
	mac := hmac.New(sha256.New, f.cfg.WebhookSecret)
	mac.Write(body)
	given, hexOK := strings.CutPrefix(values[0], "sha256=")
	sum, err := hex.DecodeString(given)
	if len(values) != 1 || !hexOK || err != nil || !hmac.Equal(sum, mac.Sum(nil)) {
		return &gate.Error{
			Kind: gate.Unidentified, Code: gate.CodeDeliverySignature, Text: "the delivery's signature does not hold",
			Expected: "sha256=HMAC of the body under the webhook secret", Got: "another value",
			Fix: "give the App's webhook the secret that the server is configured with",
		}
	}
	return nil
}

func malformed(text, expected, got, fix string) *gate.Error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeDeliveryMalformed, Text: text, Expected: expected, Got: strconv.QuoteToASCII(short(got)), Fix: fix,
	}
}

func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// isEvent and isGUID bound what of a header is kept: an event's name is small letters, digits
// and underscores and begins with a letter, a GUID is letters, digits and dashes.
func isEvent(s string) bool {
	return s != "" && len(s) <= 64 && s[0] >= 'a' && s[0] <= 'z' && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

func isGUID(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func oneHeader(h http.Header, name, form string, fits func(string) bool) (string, error) {
	values := h.Values(name)
	if len(values) != 1 || !fits(values[0]) {
		return "", malformed("the delivery's header "+name+" is missing or odd", name+" once: "+form,
			strings.Join(values, ", "), "send it again from the App's settings, Advanced, Recent Deliveries")
	}
	return values[0], nil
}

// payload is what the gate takes from a webhook's body, all of it a hint.
type payload struct {
	Action       string     `json:"action"`
	Installation *numbered  `json:"installation"`
	Repository   *numbered  `json:"repository"`
	Issue        *issueHint `json:"issue"`
	Pull         *struct {
		Number int64 `json:"number"`
	} `json:"pull_request"`
	Changes json.RawMessage `json:"changes"` // an object of many shapes
	Comment *struct {
		ID   int64    `json:"id"`
		User *userRaw `json:"user"`
	} `json:"comment"`
	CheckRun *struct {
		HeadSHA string `json:"head_sha"`
	} `json:"check_run"`
	WorkflowRun *struct {
		HeadSHA string `json:"head_sha"`
	} `json:"workflow_run"`
	Release *struct {
		Tag string `json:"tag_name"`
	} `json:"release"`
	Repositories        []numbered `json:"repositories"`
	RepositoriesAdded   []numbered `json:"repositories_added"`
	RepositoriesRemoved []numbered `json:"repositories_removed"`
}

type numbered struct {
	ID int64 `json:"id"`
}

type userRaw struct {
	Type string `json:"type"`
}

type issueHint struct {
	Number int64           `json:"number"`
	Pull   json.RawMessage `json:"pull_request"`
}

func parsePayload(body []byte) (payload, error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		e := malformed("the delivery's body is not the JSON of a webhook", "a JSON object", "something else",
			"send it again from the App's settings, Advanced, Recent Deliveries")
		e.Got, e.Err = "a body that does not decode", err
		return payload{}, e
	}
	return p, nil
}

// tenantOf is whose delivery it is: of one installation, which GitHub names in all that it
// sends to an App (docs, "Webhook events and payloads"), under its signature; else of the
// repository. An owner's repositories take their turns together, so that nobody gets
// more turns by making more of them.
func (f *Forge) tenantOf(p payload) string {
	switch {
	case p.Installation != nil && p.Installation.ID > 0:
		return string(f.cfg.Forge) + ":installation/" + strconv.FormatInt(p.Installation.ID, 10)
	case p.Repository != nil && p.Repository.ID > 0:
		return f.repositoryID(p.Repository.ID).String()
	}
	return string(f.cfg.Forge) + ":" // names nobody
}

// order is the thread whose deliveries keep their order.
func (p payload) order(event string) string {
	if p.Repository == nil {
		return ""
	}
	repo := strconv.FormatInt(p.Repository.ID, 10)
	switch {
	case event == "issue_comment" && p.Issue != nil:
		return repo + "#" + strconv.FormatInt(p.Issue.Number, 10)
	case strings.HasPrefix(event, "pull_request") && p.Pull != nil:
		return repo + "#" + strconv.FormatInt(p.Pull.Number, 10)
	}
	return repo
}
