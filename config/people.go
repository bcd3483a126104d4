package config

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
)

// administrators reads who may put policies in force: accounts by number, since a name can
// be taken over by somebody else.
func (c *checker) administrators(list []string) {
	for i, id := range c.numbers("administrators", list) {
		who := gate.AccountID(id)
		if slices.Contains(c.Administrators, who) {
			c.wrong(fmt.Sprintf("administrators[%d]", i), "every account once", who.String()+" again")
		}
		c.Administrators = append(c.Administrators, who)
	}
}

// client reads the OAuth client that people sign in through: a whole one, or none.
func (c *checker) client(at string, x forgeFile, f *Forge) {
	f.ClientID = x.ClientID
	switch {
	case x.ClientID == "" && x.ClientSecretFile == "":
	case x.ClientID == "":
		c.wrong(at+".client_id", "the OAuth client that client_secret_file is for", "")
	default:
		f.ClientSecret = c.secret(at+".client_secret_file", x.ClientSecretFile)
	}
}
