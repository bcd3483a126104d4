package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/verify"
)

// verifyFlags are those of verify: whom to trust, and what to expect.
type verifyFlags struct {
	root      string
	keys      []string
	revoked   []string
	witnesses []string
	minimum   int
	logged    bool
	loggedSet bool
	bundle    string
	evidence  string
	verbose   bool

	server, repository, tag, ref, commit, policy string
	hardware                                     bool
	approvers                                    int
	notBefore, notAfter                          string
}

func (v *verifyFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&v.root, "trusted-root", "", "the gate's trusted_root.json: its logs, authorities and time-stamps")
	f.StringArrayVar(&v.keys, "key", nil, "release key that must have signed: PEM file, or fingerprint SHA256:…; several: any of them")
	f.StringArrayVar(&v.revoked, "revoked", nil, "fingerprint of a key that does not count, or from when it does not: SHA256:…@2026-11-23T00:00:00Z")
	f.StringArrayVar(&v.witnesses, "witness", nil, "verifier key (name+hash+key) of a witness of the log")
	f.IntVar(&v.minimum, "require-witnesses", 0, "how many of the witnesses must have cosigned the log (default: all that are given)")
	f.BoolVar(&v.logged, "require-log", true, "refuse bundles without log entry or timestamp; without --trusted-root neither is checked")
	f.StringVar(&v.bundle, "bundle", "", "bundle of the one artifact, where it is not beside it")
	f.StringVar(&v.evidence, "evidence", "", "folder of the release's files, where it is not that of the artifacts")
	f.BoolVarP(&v.verbose, "verbose", "v", false, "show every step, also below what verified")
	f.StringVar(&v.server, "server", "", "URL of the gate that must have judged")
	f.StringVar(&v.repository, "repository", "", "repository that it must come from: URL, or number (forge:number), which outlives names")
	f.StringVar(&v.tag, "tag", "", "tag that must have been released")
	f.StringVar(&v.ref, "ref", "", "full ref that must have been released, such as refs/heads/main")
	f.StringVar(&v.commit, "commit", "", "commit that must have been released")
	f.StringVar(&v.policy, "policy", "", "SHA-256 of the policy that must have been in force")
	f.BoolVar(&v.hardware, "hardware", false, "refuse keys that live in software")
	f.IntVar(&v.approvers, "require-approvers", 0, "how many people must have approved, none of whom wrote all of it")
	f.StringVar(&v.notBefore, "not-before", "", "date or time (RFC 3339) before which it must not be signed")
	f.StringVar(&v.notAfter, "not-after", "", "date or time (RFC 3339) after which it must not be signed")
}

// trust reads whom the command line trusts.
func (v *verifyFlags) trust() (verify.Trust, error) {
	var t verify.Trust
	if v.root == "" && len(v.keys) == 0 {
		return t, usage("nobody is trusted yet", "--trusted-root trusted_root.json, --key countersign.pem, or both", "neither",
			"take them from where you trust them, not from the release: the gate serves them at /v1/trusted_root.json and /v1/keys, "+
				"or keep copies in your own repository")
	}
	if v.root != "" {
		text, err := readSmall(v.root)
		if err != nil {
			return t, usage("--trusted-root cannot be read", "the gate's trusted_root.json", err.Error(), "check its path")
		}
		if t.Root, err = verify.ParseRoot(text); err != nil {
			return t, usage("--trusted-root does not read", "a trusted_root.json as a gate serves it", err.Error(), "fetch it again from the gate's /v1/trusted_root.json")
		}
	}
	if err := v.trustKeys(&t); err != nil {
		return t, err
	}
	for _, s := range v.revoked {
		r, err := verify.ParseRevocation(s)
		if err != nil {
			return t, usage("--revoked does not read", "SHA256:<fingerprint>, or SHA256:<fingerprint>@<time>", err.Error(), "see ssh-keygen -l, or the gate's page of keys")
		}
		t.Revoked = append(t.Revoked, r)
	}
	return t, v.trustLog(&t)
}

func (v *verifyFlags) trustKeys(t *verify.Trust) error {
	for _, s := range v.keys {
		if strings.HasPrefix(s, "SHA256:") {
			if err := verify.CheckFingerprint(s); err != nil {
				return usage("--key does not read", "a PEM file, or SHA256:<fingerprint>", err.Error(), "copy the fingerprint whole")
			}
			t.Pins = append(t.Pins, s)
			continue
		}
		text, err := readSmall(s)
		if err != nil {
			return usage("--key cannot be read", "a PEM file, or SHA256:<fingerprint>", err.Error(), "check its path")
		}
		key, err := verify.ParseKey(text)
		if err != nil {
			return usage("--key does not read", "a PEM public key, ECDSA P-256", err.Error(), "check the file")
		}
		t.Keys = append(t.Keys, key)
	}
	return nil
}

// trustLog says what is asked of the log.
func (v *verifyFlags) trustLog(t *verify.Trust) error {
	for _, s := range v.witnesses {
		w, err := ledger.ParseWitnessKey(s)
		if err != nil {
			return usage("--witness does not read", "name+hash+key, as the witness publishes it", err.Error(), "copy it whole, in quotes")
		}
		t.Witnesses = append(t.Witnesses, w)
	}
	if t.MinWitnesses = v.minimum; t.MinWitnesses == 0 {
		t.MinWitnesses = len(t.Witnesses)
	}
	switch {
	case t.MinWitnesses < 0 || t.MinWitnesses > len(t.Witnesses):
		return usage("--require-witnesses does not fit", fmt.Sprintf("0 to %d, as many as --witness gives", len(t.Witnesses)),
			fmt.Sprint(v.minimum), "name the witnesses that you trust with --witness")
	case t.Root == nil && (v.loggedSet && v.logged || len(t.Witnesses) > 0):
		return usage("the log cannot be checked", "--trusted-root with --require-log and --witness", "none", "give the gate's trusted_root.json")
	}
	t.AllowUnlogged = !v.logged
	return nil
}

// expected reads what the release must be.
func (v *verifyFlags) expected() (verify.Expect, error) {
	want := verify.Expect{
		Server: v.server, Repository: v.repository, Ref: v.ref, Commit: v.commit, Hardware: v.hardware, Approvers: v.approvers,
	}
	if v.tag != "" {
		tag := "refs/tags/" + strings.TrimPrefix(v.tag, "refs/tags/")
		if v.ref != "" && v.ref != tag {
			return want, usage("--tag and --ref differ", "one of them", v.tag+" and "+v.ref, "leave one out")
		}
		want.Ref = tag
	}
	if v.approvers < 0 {
		return want, usage("--require-approvers does not fit", "a number from 0", fmt.Sprint(v.approvers), "say how many people")
	}
	if v.repository != "" && !strings.Contains(v.repository, "://") {
		if _, err := gate.ParseRepositoryID(v.repository); err != nil {
			return want, usage("--repository does not read", "https://forge/owner/name, or forge:number", err.Error(), "see the repository's page at the gate")
		}
	}
	if v.policy != "" {
		if err := want.Policy.UnmarshalText([]byte(v.policy)); err != nil {
			return want, usage("--policy does not read", "64 lower-case hex digits", err.Error(), "see the policy's page at the gate")
		}
	}
	var err error
	if want.NotBefore, err = moment("--not-before", v.notBefore, 0); err != nil {
		return want, err
	}
	want.NotAfter, err = moment("--not-after", v.notAfter, 24*time.Hour-time.Second)
	return want, err
}

// moment reads a time, or a day, which ends late.
func moment(flag, s string, late time.Duration) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.Add(late), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, usage(flag+" does not read", "2026-11-23, or 2026-11-23T06:00:00Z", fmt.Sprintf("%.60q", s), "give a day, or a time as RFC 3339 has it")
	}
	return t.UTC(), nil
}
