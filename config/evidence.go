package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
)

// purposes are those of keys, the release's first: it is what an entry without one is for.
func purposes() []string {
	out := []string{string(gate.PurposeRelease)}
	for _, p := range gate.AuthorityPurposes() {
		out = append(out, string(p))
	}
	return out
}

// host is what an origin has to be for verifiers to find the log's key by it: the host of
// a URL.
var host = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// maxWitnesses bounds how many cosignatures a checkpoint carries.
const maxWitnesses = 16

func (c *checker) ledger(f file) {
	l := f.Ledger
	c.Ledger = Ledger{Origin: l.Origin, Guard: l.Guard, Signers: l.Signers}
	if l.Origin == "" {
		c.Ledger.Origin = c.Server.URL.Hostname()
	}
	if o := c.Ledger.Origin; !host.MatchString(o) && net.ParseIP(o) == nil {
		c.wrong("ledger.origin", "a lower-case host name without scheme, port and path", o)
	}
	switch {
	case l.Guard != "":
	case c.Database.Engine == "sqlite":
		c.Ledger.Guard = c.Database.Path + ".published"
	default:
		c.wrong("ledger.guard_file", "the path of a file outside the database, on a disk that outlives the process", "")
	}
	if l.Signers != "" {
		if _, err := read(l.Signers, maxSigners); err != nil {
			c.problems = append(c.problems, fmt.Sprintf("ledger.signers_file: %s cannot be read: %v", l.Signers, err))
		}
	}
	c.Ledger.Every = c.duration("ledger.every", l.Every, time.Hour, maxEvery)
	if c.Ledger.Every < time.Second {
		c.wrong("ledger.every", "a second or more", l.Every)
	}
	for i, w := range l.Witnesses {
		at := fmt.Sprintf("ledger.witnesses[%d]", i)
		c.url(at+".url", w.URL, true)
		if w.Key == "" || slices.ContainsFunc(c.Ledger.Witnesses, func(o Witness) bool { return o.Key == w.Key }) {
			c.wrong(at+".key", "the witness's verifier key, name+hash+key, once", w.Key)
		}
		c.Ledger.Witnesses = append(c.Ledger.Witnesses, Witness(w))
	}
	if len(l.Witnesses) > maxWitnesses {
		c.wrong("ledger.witnesses", fmt.Sprintf("at most %d", maxWitnesses), fmt.Sprint(len(l.Witnesses)))
	}
}

const (
	maxSigners = 64 << 10
	maxEvery   = 24 * time.Hour
	maxChain   = 64 << 10 // bytes
)

// evidence reads what stands around signatures, and wants a key for each part of it.
func (c *checker) evidence(f file) {
	t := f.Timestamps
	if (t.URL == "") != (t.Chain == "") {
		c.wrong("timestamps", "both url and chain_file, or neither", t.URL+t.Chain)
	} else if t.URL != "" {
		c.Timestamps.URL = c.tsa(t.URL)
		var err error
		if c.Timestamps.Chain, err = read(t.Chain, maxChain); err != nil {
			c.problems = append(c.problems, fmt.Sprintf("timestamps.chain_file: %s cannot be read: %v", t.Chain, err))
		}
	}
	x := c.oneOf("certificates.for", f.Certificates.For, "public", "all", "none")
	c.Certificates = Certificates{Organization: f.Certificates.Organization, Private: x == "all", Off: x == "none"}
	if c.Certificates.Organization == "" {
		c.Certificates.Organization = c.Server.URL.Hostname()
	}
}

// tsa accepts http too: a time stamp is signed, and many authorities serve nothing else.
func (c *checker) tsa(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		c.wrong("timestamps.url", "http(s)://host/path, without user and fragment", text)
	}
	return text
}

// Missing lists the purposes for which no key is configured and one is needed.
func (c Config) Missing() []gate.Purpose {
	var out []gate.Purpose
	for _, p := range gate.AuthorityPurposes() {
		has := slices.ContainsFunc(c.Keys, func(k Key) bool { return k.Purpose == p })
		outside := p == gate.PurposeTimestamp && c.Timestamps.URL != "" || p == gate.PurposeCT && c.Certificates.Off
		if !has && !outside {
			out = append(out, p)
		}
	}
	return out
}
