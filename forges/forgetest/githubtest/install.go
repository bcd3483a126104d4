package githubtest

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/countersign/countersign/forges/forgetest"
)

// installable are the repositories that the person administrates and the App is not on. A
// private App goes to its owner's only; who owns an organisation is not modelled.
func (c *call) installable(who *account) []*repository {
	var out []*repository
	for _, r := range sorted(c.repositories) {
		if r.roles[who.id].role == forgetest.RoleAdmin && c.installationOf(r) == nil {
			out = append(out, r)
		}
	}
	return out
}

// installPage lets who is signed in choose the repositories for the App.
func (c *call) installPage() reply {
	who := c.signedIn()
	if who == nil {
		return c.toLogin()
	}
	type row struct {
		ID   int64
		Name string
	}
	var rows []row
	for _, r := range c.installable(who) {
		rows = append(rows, row{r.id, c.fullName(r)})
	}
	nonce := random(16)
	c.site.asked[nonce] = &authorizing{account: who.id}
	return htmlPage(http.StatusOK, "Install "+c.app.name, `<form method="post"><input type="hidden" name="authenticity_token" value="{{.Nonce}}">
{{range .Rows}}<p><label><input type="checkbox" name="repository" value="{{.ID}}" checked> {{.Name}}</label></p>{{else}}<p>No repository to choose.</p>{{end}}
<button type="submit">Install</button></form>`, struct {
		Nonce string
		Rows  []row
	}{nonce, rows})
}

// installApp installs the App and sends the browser to its setup URL (docs, "About the setup
// URL"), with the installation's number, which proves nothing.
func (c *call) installApp() reply {
	nonce, who := c.form().Get("authenticity_token"), c.signedIn()
	asked := c.site.asked[nonce]
	if asked == nil || who == nil || asked.account != who.id {
		return htmlPage(http.StatusUnprocessableEntity, "Your session has expired", `<p>Start again.</p>`, nil)
	}
	delete(c.site.asked, nonce)
	var last *repository
	for _, r := range c.installable(who) {
		for _, id := range c.form()["repository"] {
			if id == strconv.FormatInt(r.id, 10) {
				c.install(r)
				last = r
			}
		}
	}
	if last == nil {
		return htmlPage(http.StatusUnprocessableEntity, "Nothing chosen", `<p>Choose at least one repository.</p>`, nil)
	}
	if c.app.setup == "" {
		return htmlPage(http.StatusOK, "Installed", `<p>Installed.</p>`, nil)
	}
	q := url.Values{"installation_id": {strconv.FormatInt(c.installationOf(last).id, 10)}, "setup_action": {"install"}}
	return redirect(c.app.setup + "?" + q.Encode())
}
