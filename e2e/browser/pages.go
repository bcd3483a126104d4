package browser

import "fmt"

// Page is a page of the gate as one person sees it.
type Page struct {
	Name, Path string
	Who        string // login on GitHub; "" for nobody
	Status     int
	Main       bool // one of those that a newcomer looks at first
}

// Pages are all pages that a populated town has, as a maintainer and as an administrator
// see them, and signed out.
func Pages(t *Town, h History) []Page {
	widget := fmt.Sprintf("/repositories/github/%d", t.Teams["github"].Repo.ID)
	const maintainer, administrator = "cy", "eve"
	return []Page{
		{Name: "inbox", Path: "/", Who: maintainer, Status: 200, Main: true},
		{Name: "inbox-signed-out", Path: "/", Status: 200},
		{Name: "sign-in", Path: "/auth", Status: 200},
		{Name: "release-waiting", Path: "/releases/" + h.Waiting.ID, Who: maintainer, Status: 200, Main: true},
		{Name: "release-signed", Path: "/releases/" + h.Signed.ID, Status: 200},
		{Name: "release-denied", Path: "/releases/" + h.Denied.ID, Who: maintainer, Status: 200},
		{Name: "repositories", Path: "/repositories", Who: administrator, Status: 200},
		{Name: "repository", Path: widget, Who: administrator, Status: 200, Main: true},
		{Name: "policy", Path: widget + "/policy", Who: administrator, Status: 200},
		{Name: "choose", Path: "/repositories/new", Who: administrator, Status: 200},
		{Name: "keys", Path: "/keys", Who: administrator, Status: 200},
		{Name: "key", Path: "/keys/acme-release", Status: 200},
		{Name: "ledger", Path: "/ledger", Status: 200, Main: true},
		{Name: "entry", Path: h.Decision, Status: 200, Main: true},
		{Name: "entry-signature", Path: h.Signature, Status: 200},
		{Name: "operations", Path: "/operations", Who: administrator, Status: 200, Main: true},
		{Name: "doctor", Path: "/operations/doctor", Who: administrator, Status: 200, Main: true},
		{Name: "readiness", Path: widget + "/readiness", Who: maintainer, Status: 200},
		{Name: "manual", Path: "/docs/", Status: 200},
		{Name: "manual-policy", Path: "/docs/policy", Status: 200},
		{Name: "error", Path: "/errors/CS-1205", Status: 200},
		{Name: "problem", Path: "/operations", Who: maintainer, Status: 403},
	}
}
