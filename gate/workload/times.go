package workload

import (
	"time"

	"github.com/countersign/countersign/gate"
)

// How long an ID token serves. The forges give far longer lives than an ask needs,
// so age is counted from iat (attack 9).
const (
	MaxSkew        = 60 * time.Second  // how far an issuer's clock may be ahead
	MaxLifeGitHub  = 900 * time.Second // exp - iat; documented: 300 s
	MaxAgeGitHub   = 300 * time.Second
	MaxAgeGitLab   = 10 * time.Minute // unless the caller checks that the job runs
	getANewIDToken = "get a new ID token and ask at once"
)

// times reads when the ID token serves (RFC 7519, section 4.1), and refuses one that
// does not serve now.
func (c *claims) times(r reading) (issued, expires time.Time) {
	at := func(name string) time.Time { return time.Unix(c.seconds(name), 0).UTC() }
	issued, expires = at("iat"), at("exp")
	from := at("nbf")
	ages, lives := c.fine("iat"), c.fine("iat", "exp")
	age, life := r.now.Sub(issued), expires.Sub(issued)
	maxAge, maxLife := r.limits()

	late := func(is bool, name, text, expected, got string) {
		if is {
			c.refuse(refuse(gate.CodeTokenExpired, text, expected, got, getANewIDToken), name, expected)
		}
	}
	now := stamp(r.now)
	late(c.fine("exp") && !r.now.Before(expires), "exp", "the ID token expired", "one that is valid at "+now, "expired "+stamp(expires))
	late(ages && age < -MaxSkew, "iat", "the ID token was issued in the future", "issued by "+now, "issued "+stamp(issued))
	late(c.fine("nbf") && r.now.Add(MaxSkew).Before(from), "nbf", "the ID token is not valid yet", "valid by "+now, "not before "+stamp(from))
	late(lives && life <= 0, "exp", "the ID token expires before it is issued", "exp after iat", life.String())
	late(lives && maxLife > 0 && life > maxLife, "exp", "the ID token lives too long", "at most "+maxLife.String()+" after iat", life.String())
	late(ages && maxAge > 0 && age > maxAge, "iat", "the ID token is too old", "at most "+maxAge.String()+" before "+now, age.Truncate(time.Second).String())

	c.pin("iat", "by "+now)
	if maxAge > 0 {
		c.pin("iat", "at most "+maxAge.String()+" before "+now)
	}
	c.pin("nbf", "by "+now)
	c.pin("exp", "after "+now)
	if maxLife > 0 {
		c.pin("exp", "after "+now+", at most "+maxLife.String()+" after iat")
	}
	return issued, expires
}

// limits are the longest age and life of the forge's ID tokens; 0 for any.
func (r reading) limits() (age, life time.Duration) {
	switch {
	case r.issuer.Kind == gate.GitHub:
		return MaxAgeGitHub, MaxLifeGitHub
	case r.runChecked:
		return 0, 0
	}
	return MaxAgeGitLab, 0
}
