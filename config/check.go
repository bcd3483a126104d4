package config

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// checker turns a file into a configuration and collects what is wrong with it.
type checker struct {
	Config

	problems []string
}

func check(f file) *checker {
	c := &checker{}
	c.server(f)
	c.database(f)
	for i, x := range f.Forges {
		c.forge(fmt.Sprintf("forges[%d]", i), x)
	}
	if len(f.Forges) == 0 {
		c.wrong("forges", "at least one forge", "none")
	}
	for i, x := range f.HSM {
		c.token(fmt.Sprintf("hsm[%d]", i), x)
	}
	for i, x := range f.Keys {
		c.key(fmt.Sprintf("keys[%d]", i), x)
	}
	if len(f.Keys) == 0 {
		c.wrong("keys", "at least one key", "none")
	}
	c.ledger(f)
	c.evidence(f)
	for i, x := range f.Floors {
		c.floor(fmt.Sprintf("floors[%d]", i), x)
	}
	c.administrators(f.Administrators)
	c.Policies.Audit = c.oneOf("policies.mode", f.Policies.Mode, "enforce", "audit") == "audit"
	c.Policies.Cooldown = c.duration("policies.cooldown", f.Policies.Cooldown, time.Hour, maxCooldown)
	c.Log = Log{
		Level:  c.oneOf("log.level", f.Log.Level, "info", "debug", "warn", "error"),
		Format: c.oneOf("log.format", f.Log.Format, "json", "text"),
	}
	return c
}

func (c *checker) wrong(field, expected, got string) {
	c.problems = append(c.problems, fmt.Sprintf("%s: expected %s, got %s", field, expected, orNothing(got)))
}

// oneOf accepts one of the words; the first where there is none.
func (c *checker) oneOf(field, got string, words ...string) string {
	if got == "" {
		return words[0]
	}
	if !slices.Contains(words, got) {
		c.wrong(field, strings.Join(words, " or "), got)
	}
	return got
}

// maxCooldown is a week: longer, and nobody remembers what waits.
const maxCooldown = 7 * 24 * time.Hour

// duration accepts hours, minutes and seconds up to most, zero too.
func (c *checker) duration(field, got string, otherwise, most time.Duration) time.Duration {
	if got == "" {
		return otherwise
	}
	d, err := time.ParseDuration(got)
	if err != nil || d < 0 || d > most {
		c.wrong(field, "a time such as 1h or 90m, at most "+most.String(), got)
	}
	return d
}

func (c *checker) server(f file) {
	c.Server = Server{
		URL:          c.url("server.url", f.Server.URL, false),
		Listen:       c.address("server.listen", f.Server.Listen, "127.0.0.1:8080"),
		HealthListen: c.address("server.health_listen", f.Server.HealthListen, "127.0.0.1:8081"),
		Clients:      f.Server.Clients,
	}
	if info, err := os.Stat(f.Server.Clients); f.Server.Clients != "" && (err != nil || !info.IsDir()) {
		c.wrong("server.clients", "a folder that the server can read", f.Server.Clients)
	}
	if c.Server.Listen == c.Server.HealthListen && !strings.HasSuffix(c.Server.Listen, ":0") {
		c.wrong("server.health_listen", "an address of its own", c.Server.HealthListen)
	}
}

// url accepts https, or http on a loopback host: ID tokens and signatures travel
// over it. The host is written as every client writes it, since it is part of what
// ID tokens are made for.
func (c *checker) url(field, text string, path bool) *url.URL {
	const expected = "https://host, without user, query or fragment"
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		c.wrong(field, expected, text)
		return &url.URL{}
	}
	u.Path = strings.TrimRight(u.Path, "/")
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		c.wrong(field, "https (http only on a loopback address)", text)
	case u.Path != "" && !path:
		c.wrong(field, "no path", text)
	case u.Host != strings.ToLower(u.Host) || (u.Scheme == "https" && u.Port() == "443") || (u.Scheme == "http" && u.Port() == "80"):
		c.wrong(field, "a lower-case host without the scheme's own port", text)
	}
	return u
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (c *checker) address(field, text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	_, port, err := net.SplitHostPort(text)
	if _, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil {
		c.wrong(field, "host:port", text)
	}
	return text
}

// secret reads a required secret's file.
func (c *checker) secret(field, path string) Secret {
	if path == "" {
		c.wrong(field, "the path of a file with the secret", "")
		return Secret{}
	}
	s, err := ReadSecret(path)
	if err != nil {
		c.problems = append(c.problems, fmt.Sprintf("%s: %s cannot be used: %v", field, path, err))
	}
	return s
}

func (c *checker) database(f file) {
	c.Database.Engine = c.oneOf("database.engine", f.Database.Engine, "sqlite", "postgres")
	c.Database.Path = f.Database.Path
	switch c.Database.Engine {
	case "sqlite":
		if f.Database.Path == "" {
			c.wrong("database.path", "the path of the database file", "")
		}
	case "postgres":
		c.Database.DSN = c.secret("database.dsn_file", f.Database.DSNFile)
	}
}

var name = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (c *checker) name(field, text string) string {
	if !name.MatchString(text) {
		c.wrong(field, "lower-case letters, digits and inner hyphens", text)
	}
	return text
}

func (c *checker) forge(at string, x forgeFile) {
	f := Forge{
		Name:          gate.ForgeID(c.name(at+".name", x.Name)),
		Kind:          gate.ForgeKind(x.Kind),
		URL:           c.url(at+".url", x.URL, true).String(),
		WebhookSecret: c.webhookSecret(at+".webhook_secret_file", x.WebhookSecretFile), GitLabAudience: x.GitLabAudience,
	}
	if slices.ContainsFunc(c.Forges, func(o Forge) bool { return o.Name == f.Name }) {
		c.wrong(at+".name", "a name of its own", x.Name)
	}
	c.client(at, x, &f)
	switch f.Kind {
	case gate.GitHub:
		c.github(at, x, &f)
	case gate.GitLab:
		f.Token = c.secret(at+".token_file", x.TokenFile)
		f.APIURL, f.Issuer = f.URL+"/api/v4", c.issuer(at+".issuer", x.Issuer, f.URL, false)
	default:
		c.wrong(at+".kind", "github or gitlab", x.Kind)
	}
	// An ID token names its forge by its issuer alone.
	if slices.ContainsFunc(c.Forges, func(o Forge) bool { return o.Issuer == f.Issuer && f.Issuer != "" }) {
		c.wrong(at+".issuer", "an issuer of its own", f.Issuer)
	}
	c.Forges = append(c.Forges, f)
}

// github derives what github.com, GitHub Enterprise Cloud with data residency (hosts of
// its own under ghe.com) and GitHub Enterprise Server (paths on one host) fix.
func (c *checker) github(at string, x forgeFile, f *Forge) {
	f.AppID = x.AppID
	if x.AppID <= 0 {
		c.wrong(at+".app_id", "the App's number", fmt.Sprint(x.AppID))
	}
	f.PrivateKey = c.secret(at+".private_key_file", x.PrivateKeyFile)
	f.APIURL, f.Issuer = f.URL+"/api/v3", f.URL+"/_services/token"
	byGitHub := false
	host, https := strings.CutPrefix(f.URL, "https://")
	switch {
	case f.URL == "https://github.com":
		byGitHub = true
		f.APIURL, f.Issuer = "https://api.github.com", "https://token.actions.githubusercontent.com"
	case https && strings.HasSuffix(host, ".ghe.com"):
		byGitHub = true
		f.APIURL, f.Issuer = "https://api."+host, "https://token.actions."+host
	}
	if x.APIURL != "" {
		f.APIURL = c.url(at+".api_url", x.APIURL, true).String()
	}
	f.Issuer = c.issuer(at+".issuer", x.Issuer, f.Issuer, byGitHub)
}

func (c *checker) token(at string, x tokenFile) {
	for _, f := range []struct{ field, value string }{{"module", x.Module}, {"token", x.Token}, {"pin_file", x.PINFile}} {
		if f.value == "" {
			c.wrong(at+"."+f.field, "a value", "")
		}
	}
	if x.PINFile != "" {
		// Workers read the PIN themselves; here it is only made sure that they can.
		c.secret(at+".pin_file", x.PINFile)
	}
	if x.Workers < 0 || x.Workers > 64 {
		c.wrong(at+".workers", "1 to 64", fmt.Sprint(x.Workers))
	}
	if slices.ContainsFunc(c.HSM, func(o Token) bool { return o.Label == x.Token }) {
		c.wrong(at+".token", "a token that is not named twice", x.Token)
	}
	c.HSM = append(c.HSM, Token{Module: x.Module, Label: x.Token, PINFile: x.PINFile, Workers: max(x.Workers, 1)})
}

var fingerprint = regexp.MustCompile(`^SHA256:[0-9a-f]{64}$`)

func (c *checker) key(at string, x keyFile) {
	k := Key{
		Purpose: gate.Purpose(c.oneOf(at+".purpose", x.Purpose, purposes()...)),
		Lineage: c.name(at+".lineage", x.Lineage), Version: x.Version, Token: x.Token, Label: x.Label, Fingerprint: x.SPKI,
	}
	if x.Version < 1 {
		c.wrong(at+".version", "1 or more", fmt.Sprint(x.Version))
	}
	if !slices.ContainsFunc(c.HSM, func(o Token) bool { return o.Label == x.Token }) {
		c.wrong(at+".token", "one of hsm's tokens", x.Token)
	}
	if x.Label == "" {
		c.wrong(at+".label", "the key's label", "")
	}
	id, err := hex.DecodeString(x.ID)
	if err != nil || len(id) == 0 {
		c.wrong(at+".id", "the key's id in hex", x.ID)
	}
	k.ID = id
	if !fingerprint.MatchString(x.SPKI) {
		c.wrong(at+".spki", "SHA256: and 64 lower-case hex digits", x.SPKI)
	}
	if slices.ContainsFunc(c.Keys, func(o Key) bool { return o.Lineage == k.Lineage && o.Version == k.Version }) {
		c.wrong(at, "one entry per lineage and version", fmt.Sprintf("%s %d again", k.Lineage, k.Version))
	}
	if slices.ContainsFunc(c.Keys, func(o Key) bool { return o.Fingerprint == k.Fingerprint }) {
		c.wrong(at+".spki", "a key pair of its own: a key has one purpose and one lineage", x.SPKI+" again")
	}
	c.bind(at, x, &k)
	c.Keys = append(c.Keys, k)
}

// bind reads who may use the key. A release key that is bound to nobody is a mistake: nobody
// could ever use it. The gate's own keys are nobody's but the gate's.
func (c *checker) bind(at string, x keyFile, k *Key) {
	if k.Purpose != gate.PurposeRelease {
		if len(x.Repositories)+len(x.Owners) > 0 {
			c.wrong(at, "no repositories and owners: a "+string(k.Purpose)+" key is the gate's own", "some")
		}
		return
	}
	k.Repositories = c.numbers(at, x.Repositories)
	for _, id := range c.numbers(at, x.Owners) {
		k.Owners = append(k.Owners, gate.AccountID(id))
	}
	if len(x.Repositories)+len(x.Owners) == 0 {
		c.wrong(at, "repositories or owners that may use the key", "none: the key is bound to nobody")
	}
}

// numbers reads identities of the configured forges.
func (c *checker) numbers(at string, list []string) []gate.RepositoryID {
	var out []gate.RepositoryID
	for _, text := range list {
		id, err := gate.ParseRepositoryID(text)
		switch {
		case err != nil:
			c.wrong(at, "forge:number, such as github:1296269", text)
			continue
		case !slices.ContainsFunc(c.Forges, func(o Forge) bool { return o.Name == id.Forge }):
			c.wrong(at, "a configured forge", string(id.Forge))
		}
		out = append(out, id)
	}
	return out
}

// maxFloor bounds a floor's file, in bytes.
const maxFloor = 256 << 10

// floor reads a floor's file; what it asks for is gate/policy's to read.
func (c *checker) floor(at string, x floorFile) {
	f := Floor{Name: c.name(at+".name", x.Name), File: x.File}
	if slices.ContainsFunc(c.Floors, func(o Floor) bool { return o.Name == f.Name }) {
		c.wrong(at+".name", "a name of its own", x.Name)
	}
	for _, id := range c.numbers(at+".owners", x.Owners) {
		f.Owners = append(f.Owners, gate.AccountID(id))
	}
	if x.Owners != nil && len(x.Owners) == 0 {
		// An emptied list would hold everybody where somebody meant nobody.
		c.wrong(at+".owners", "owners, or no such line to hold everybody's repositories", "an empty list")
	}
	var err error
	if f.Content, err = read(x.File, maxFloor); err != nil {
		c.problems = append(c.problems, fmt.Sprintf("%s.file: %s cannot be read: %v", at, orNothing(x.File), err))
	}
	c.Floors = append(c.Floors, f)
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
