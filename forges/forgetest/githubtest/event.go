package githubtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
)

// emit sends an event of repo to the App's webhook, with the parts that every payload
// has: action, repository, organization, sender and installation (docs, "Webhook
// events and payloads"). Nothing is sent for repositories without the App, or while
// no webhook is configured.
func (s *Server) emit(repo *repository, event, action string, sender *account, payload obj) {
	in := s.installationOf(repo)
	if in == nil || !s.app.hears(event) {
		return
	}
	body := obj{
		"repository": s.repositoryJSON(repo), "sender": s.userJSON(sender),
		"installation": obj{"id": in.id, "node_id": nodeID("MDIz", in.id)},
	}
	if owner := s.accounts[repo.owner]; owner.kind == "Organization" {
		body["organization"] = s.organizationJSON(owner)
	}
	if action != "" {
		body["action"] = action
	}
	maps.Copy(body, payload)
	s.delivery.add(&delivery{
		id: s.next("delivery"), guid: guid(), event: event, action: action, installation: in.id, repository: repo.id,
		body: encode(body),
	})
}

// organizationJSON is `components.schemas.organization-simple`.
func (s *Server) organizationJSON(owner *account) obj {
	self := s.api("/orgs/%s", owner.login)
	return obj{
		"login": owner.login, "id": owner.id, "node_id": nodeID("O", owner.id), "url": self, "description": nil,
		"repos_url": self + "/repos", "events_url": self + "/events", "hooks_url": self + "/hooks", "issues_url": self + "/issues",
		"members_url": self + "/members{/member}", "public_members_url": self + "/public_members{/member}",
		"avatar_url": s.web("/avatars/%d", owner.id),
	}
}

// guid is a random UUID, the X-GitHub-Delivery of one delivery.
func guid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// sign is X-Hub-Signature-256 (docs, "Validating webhook deliveries").
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
