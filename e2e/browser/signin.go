package browser

import (
	"context"
	"fmt"
	"net/url"
)

// SignIn signs a person in at a forge's double and, through its OAuth, at the gate. The tab
// is then where a sign-in from the inbox leads.
func (t *Town) SignIn(tab context.Context, forge, login string) error {
	if _, err := Open(tab, t.siteOf(forge)+"/test-login?login="+url.QueryEscape(login)); err != nil {
		return err
	}
	if _, err := Open(tab, t.URL+"/auth"); err != nil {
		return err
	}
	if err := Click(tab, `main form[action="/auth/`+forge+`"] button`); err != nil {
		return err
	}
	if err := t.consent(tab); err != nil {
		return err
	}
	if err := See(tab, "Signed in as"); err != nil {
		return fmt.Errorf("sign %s in through %s: %w", login, forge, err)
	}
	return nil
}

// consent lets the gate know who it is, where the forge asks: it does the first time.
func (t *Town) consent(tab context.Context) error {
	for _, button := range []string{`button[name="authorize"][value="1"]`, `button#authorize`} {
		asked, err := Has(tab, button)
		if err != nil {
			return err
		}
		if asked {
			return Click(tab, button)
		}
	}
	return nil
}

// siteOf is a double's web side.
func (t *Town) siteOf(forge string) string {
	if forge == "gitlab" {
		return t.GitLab.URL()
	}
	return t.GitHub.URL()
}
