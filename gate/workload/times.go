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

// validity is when an ID token serves (RFC 7519, section 4.1).
type validity struct{ issued, from, expires time.Time }

func (c *claims) validity() validity {
	at := func(name string) time.Time { return time.Unix(c.seconds(name), 0).UTC() }
	return validity{issued: at("iat"), from: at("nbf"), expires: at("exp")}
}

// at refuses an ID token that does not serve now.
func (t validity) at(now time.Time, kind gate.ForgeKind, want Audience) error {
	age, life := now.Sub(t.issued), t.expires.Sub(t.issued)
	bad := func(text, expected, got string) error {
		return refuse(gate.CodeTokenExpired, text, expected, got, getANewIDToken)
	}
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case !now.Before(t.expires):
		return bad("the ID token expired", "one that is valid at "+stamp(now), "expired "+stamp(t.expires))
	case age < -MaxSkew:
		return bad("the ID token was issued in the future", "issued by "+stamp(now), "issued "+stamp(t.issued))
	case now.Add(MaxSkew).Before(t.from):
		return bad("the ID token is not valid yet", "valid by "+stamp(now), "not before "+stamp(t.from))
	case life <= 0:
		return bad("the ID token expires before it is issued", "exp after iat", life.String())
	case kind == gate.GitHub && life > MaxLifeGitHub:
		return bad("the ID token lives too long", "at most "+MaxLifeGitHub.String(), life.String())
	case kind == gate.GitHub && age > MaxAgeGitHub:
		return bad("the ID token is too old", "at most "+MaxAgeGitHub.String(), age.Truncate(time.Second).String())
	case kind == gate.GitLab && !want.RunChecked && age > MaxAgeGitLab:
		return bad("the ID token is too old", "at most "+MaxAgeGitLab.String(), age.Truncate(time.Second).String())
	}
	return nil
}
