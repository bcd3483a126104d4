package gate_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
)

// An order covers what was granted and nothing else (attack 79).
func TestOrderNeedsGrantAndIntent(t *testing.T) {
	g, ok := gate.Decide(with(pr(1, "ana"), approve("bo")), now).Grant()
	if !ok {
		t.Fatal("expected a grant")
	}
	intent := func(edit func(*gate.Intent)) gate.Intent {
		i := gate.Intent{
			ID: "i1", Request: "r1", Attempt: 1, Kind: gate.IntentSubject, Name: "widget",
			Digest: gate.SHA256([]byte("w")), Key: g.Key(),
		}
		edit(&i)
		return i
	}
	if _, err := g.Order(intent(func(*gate.Intent) {})); err != nil {
		t.Errorf("the granted subject: %v", err)
	}
	for name, i := range map[string]gate.Intent{
		"no durable intent":      intent(func(i *gate.Intent) { i.ID = "" }),
		"no attempt":             intent(func(i *gate.Intent) { i.Attempt = 0 }),
		"another request":        intent(func(i *gate.Intent) { i.Request = "r2" }),
		"another key":            intent(func(i *gate.Intent) { i.Key.Lineage = "other" }),
		"another key version":    intent(func(i *gate.Intent) { i.Key.SPKI = []byte{2} }),
		"arbitrary bytes":        intent(func(i *gate.Intent) { i.Digest = gate.SHA256([]byte("evil")) }),
		"an unnamed key version": intent(func(i *gate.Intent) { i.Key.Version = 2 }),
		"a statement of no payload (attack 79)": intent(func(i *gate.Intent) {
			i.Kind, i.Name, i.Digest = gate.IntentStatement, "", gate.SHA256([]byte("evil"))
		}),
		"another name":          intent(func(i *gate.Intent) { i.Name = "gadget" }),
		"another kind of thing": intent(func(i *gate.Intent) { i.Kind = "checkpoint" }),
	} {
		if _, err := g.Order(i); err == nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
	if _, err := (gate.Grant{}).Order(intent(func(*gate.Intent) {})); err == nil {
		t.Error("the zero grant: expected a refusal")
	}
}

// SHA256SUMS is signed in the forms that formats have for it, over the granted manifest and
// nothing else (attack 79).
func TestOrderCoversSums(t *testing.T) {
	point := bytes.Repeat([]byte{4}, 65)
	c := with(pr(1, "ana"), approve("bo"))
	c.Key.Version.SPKI = append([]byte("any header"), point...)
	g, ok := gate.Decide(c, now).Grant()
	if !ok {
		t.Fatal("expected a grant")
	}
	m := g.Request().Manifest
	other := gate.Manifest{Subjects: []gate.Subject{{Name: "evil", SHA256: gate.SHA256([]byte("evil"))}}}
	order := func(f gate.Format, m gate.Manifest, payload []byte) error {
		digest, err := gate.SumsDigest(f, m, payload)
		if err != nil {
			return err
		}
		_, err = g.Order(gate.Intent{
			ID: "i1", Request: "r1", Attempt: 1, Kind: gate.IntentSums, Name: string(f), Digest: digest, Payload: payload, Key: g.Key(),
		})
		return err
	}
	key := append([]byte{0x99, 0, 80}, point...)
	for name, x := range map[string]struct {
		format  gate.Format
		of      gate.Manifest
		payload []byte
		granted bool
	}{
		"raw":                         {gate.FormatRaw, m, nil, true},
		"ssh":                         {gate.FormatSSH, m, nil, true},
		"openpgp":                     {gate.FormatOpenPGP, m, []byte{4, 0, 19, 8}, true},
		"the key's own certification": {gate.FormatOpenPGPKey, m, key, true},
		"another manifest":            {gate.FormatRaw, other, nil, false},
		"another manifest, ssh":       {gate.FormatSSH, other, nil, false},
		"another manifest, openpgp":   {gate.FormatOpenPGP, other, []byte{4, 0, 19, 8}, false},
		"another key's certification": {gate.FormatOpenPGPKey, m, []byte{0x99, 0, 80, 1, 2, 3}, false},
		"a certification as a format": {gate.FormatOpenPGP, m, []byte{4, 0x13, 19, 8}, false},
		"bytes around raw":            {gate.FormatRaw, m, []byte("evil"), false},
		"bytes around ssh":            {gate.FormatSSH, m, []byte("evil"), false},
		"no format":                   {"", m, nil, false},
		"a bundle":                    {gate.FormatSigstore, m, nil, false},
		"a long payload":              {gate.FormatOpenPGP, m, append([]byte{4, 0}, make([]byte, gate.MaxSumsPayload)...), false},
	} {
		if err := order(x.format, x.of, x.payload); (err == nil) != x.granted {
			t.Errorf("%s: granted %t, expected %t: %v", name, err == nil, x.granted, err)
		}
	}
}

// A decision that was stored and read again grants nothing.
func TestStoredDecisionGrantsNothing(t *testing.T) {
	d := gate.Decide(with(pr(1, "ana"), approve("bo")), now)
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var again gate.Decision
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if _, ok := again.Grant(); ok || again.Outcome != gate.Granted {
		t.Errorf("expected the outcome without the grant, got %s and %v", again.Outcome, ok)
	}
	if _, ok := (gate.Decision{}).Grant(); ok {
		t.Error("the zero decision grants")
	}
}

// The zero case is refused, and every check of it says why.
func TestZeroCase(t *testing.T) {
	d := gate.Decide(gate.Case{}, now)
	if _, ok := d.Grant(); ok || d.Outcome == gate.Granted {
		t.Error("the zero case grants")
	}
}

func TestFactsSpellOutWhatIsNotKnown(t *testing.T) {
	for want, f := range map[string]gate.Fact[int]{
		`{"known":3}`:                      gate.Known(3),
		`{"absent":"404"}`:                 gate.Absent[int]("404"),
		`{"unknown":"it was not read"}`:    {},
		`{"unknown":"the forge hides it"}`: gate.Unknown[int]("the forge hides it"),
	} {
		if b, err := json.Marshal(f); err != nil || string(b) != want {
			t.Errorf("expected %s, got %s, %v", want, b, err)
		}
	}
}

func TestDigestTextIsCanonical(t *testing.T) {
	d := gate.SHA256([]byte("w"))
	for _, bad := range []string{"", d.String()[:63], d.String() + "0", strings.ToUpper(d.String()), strings.Repeat("g", 64)} {
		var got gate.Digest
		if err := got.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q: expected a refusal", bad)
		}
	}
	var got gate.Digest
	if err := got.UnmarshalText([]byte(d.String())); err != nil || got != d {
		t.Errorf("expected %s, got %s, %v", d, got, err)
	}
}

// What could not be read never grants, whatever it is (I2, attack 70).
func TestUnreadNeverGrants(t *testing.T) {
	r := row{t}
	for name, x := range map[string]struct {
		blind func(*gate.Evidence)
		on    gate.CheckName
	}{
		"repository": {func(e *gate.Evidence) { e.Repository = gate.Fact[gate.RepositoryFacts]{} }, gate.CheckRepository},
		"ref":        {func(e *gate.Evidence) { e.Ref = gate.Fact[gate.RefFacts]{} }, gate.CheckRef},
		"commit":     {func(e *gate.Evidence) { e.Commit = gate.Fact[gate.Commit]{} }, gate.CheckIndependent},
		"branch":     {func(e *gate.Evidence) { e.Branch = gate.Fact[gate.BranchFacts]{} }, gate.CheckBranch},
		"changes":    {func(e *gate.Evidence) { e.Changes = gate.Fact[[]gate.Change]{} }, gate.CheckCoverage},
		"comments":   {func(e *gate.Evidence) { e.Comments = nil }, gate.CheckApprovals},
		"roles":      {func(e *gate.Evidence) { e.Roles = nil }, gate.CheckApprovals},
		"age":        {func(e *gate.Evidence) { e.ReadAt = e.ReadAt.AddDate(-1, 0, 0) }, gate.CheckEvidence},
	} {
		c := with(pr(1, "ana"), approve("bo"), evidence(x.blind))
		r.waits(name, c, x.on, "")
		if d := gate.Decide(c, now); !d.Unread() {
			t.Errorf("%s: expected the decision to say that it waits for reading", name)
		}
	}
	for name, blind := range map[string]func(*gate.Change){
		"opener":  func(c *gate.Change) { c.Opener = gate.Fact[gate.Account]{} },
		"pushers": func(c *gate.Change) { c.Pushers = gate.Fact[[]gate.Account]{} },
		"author":  func(c *gate.Change) { c.Commits[0].People[0].Account = gate.Fact[gate.Account]{} },
	} {
		r.waits(name, with(pr(1, "ana", blind), approve("bo")), gate.CheckCoverage, "could not be read")
	}
	r.grant("unread reviews cover nothing, and hide nobody", with(
		pr(1, "ana", func(c *gate.Change) { c.Reviews = gate.Fact[[]gate.Review]{} }), approve("bo")))
}

func TestIdentitiesAreTextInJSON(t *testing.T) {
	for want, a := range map[string]gate.Account{
		`{"id":"github:1","login":"ana","human":true}`: who("ana"),
		`{"id":":0","login":"","human":false}`:         {},
	} {
		b, err := json.Marshal(a)
		if err != nil || string(b) != want {
			t.Errorf("expected %s, got %s, %v", want, b, err)
		}
		var again gate.Account
		if err := json.Unmarshal(b, &again); err != nil || again != a {
			t.Errorf("%s: read again as %+v, %v", want, again, err)
		}
	}
	for _, bad := range []string{`""`, `"github"`, `"github:x"`, `"github:-1"`, `":1"`, `7`} {
		var id gate.AccountID
		if err := json.Unmarshal([]byte(bad), &id); err == nil {
			t.Errorf("%s: expected a refusal, got %v", bad, id)
		}
	}
}
