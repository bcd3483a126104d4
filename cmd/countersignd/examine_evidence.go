package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/keeper"
)

const areaEvidence = "Ledger and evidence"

// evidence looks at what proves signatures to others: what they are handed out with, and
// what keeps them from being handed out.
func (x *examiner) evidence(ctx context.Context, c *chart) {
	if err := allKeys(x.config); err != nil {
		c.fail(areaEvidence, "own-keys", err)
	}
	x.guard(c)
	x.published(ctx, c)
	x.stamps(ctx, c)
	x.certificates(ctx, c)
	x.signers(c)
}

// guard looks whether the file that remembers what was published can be written where it is,
// and outlives what the database outlives.
func (x *examiner) guard(c *chart) {
	const id = "guard"
	path := x.config.Ledger.Guard
	folder := filepath.Dir(path)
	if _, _, err := (keeper.File{Path: path}).Read(); err != nil {
		c.add(areaEvidence, id, api.FindingFailure, "put the guard's file back; remove it only if you know that the database is not behind", "nothing is signed: %v", err)
		return
	}
	// It is replaced as a whole, so the folder has to take a new file.
	probe, err := os.CreateTemp(folder, ".countersign-doctor-*")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		c.add(areaEvidence, id, api.FindingFailure, "let the server's account write to "+folder+", or name another file under ledger.guard_file",
			"nothing can be published or signed: the guard's file %s cannot be written: %v", path, err)
		return
	}
	if forgetful(folder) && (x.config.Database.Path == "" || !forgetful(filepath.Dir(x.config.Database.Path))) {
		c.warn(areaEvidence, id, "name a file on a disk under ledger.guard_file", "the guard's file %s is in memory, and lost when this machine stops", path)
		return
	}
	c.pass(areaEvidence, id, "the guard's file can be written: %s", path)
}

// published says how the ledger stands: as countersignd ledger status, in findings.
func (x *examiner) published(ctx context.Context, c *chart) {
	const id = "published"
	if x.shelf == nil {
		return // said under the database
	}
	k, unfit := x.keeper, error(nil)
	if k == nil {
		if epochs, err := x.shelf.Epochs(ctx); err == nil && len(epochs) == 0 {
			c.warn(areaEvidence, id, "start the server once: countersignd serve", "the ledger has not begun")
			return
		}
		var err error
		if k, unfit, err = openKeeper(ctx, x.config, x.shelf); err != nil {
			c.fail(areaEvidence, id, err)
			return
		}
	}
	s, err := k.Status(ctx)
	if err != nil {
		c.fail(areaEvidence, id, err)
		return
	}
	if unfit == nil {
		unfit = s.Unfit
	}
	if unfit != nil {
		c.fail(areaEvidence, id, unfit)
	} else {
		x.publication(ctx, c, s)
	}
	witnessed(c, s)
}

// unpublished is how long an entry may wait for its publication; it takes a second or so.
const unpublished = time.Minute

func (x *examiner) publication(ctx context.Context, c *chart, s keeper.Status) {
	const id, fix = "published", "see that the server runs, and its log for why nothing is published"
	if s.Published.Size < s.Size {
		oldest, err := x.shelf.Leaves(ctx, s.Published.Size, 1)
		if err != nil {
			c.fail(areaEvidence, id, err)
			return
		}
		if len(oldest) > 0 && x.now().Sub(oldest[0].At) > unpublished {
			c.warn(areaEvidence, id, fix, "entries of the ledger that are not published: %d, the oldest since %s",
				s.Size-s.Published.Size, oldest[0].At.UTC().Format(time.RFC3339))
			return
		}
	}
	e := s.Epochs[len(s.Epochs)-1]
	c.pass(areaEvidence, id, "the ledger is fit to sign under: entries stored %d, published %d, in epoch %d of %s",
		s.Size, s.Published.Size, e.Number, e.Origin)
	if s.Published.Note != nil && !s.Guard.Kept {
		c.warn(areaEvidence, "guard", "put the guard's file back if you have it; the next publication writes a new one",
			"the guard's file is not there: a database that was restored would be taken at its word")
	}
}

// witnessed says who else saw the ledger.
func witnessed(c *chart, s keeper.Status) {
	if len(s.Witnesses) == 0 {
		c.warn(areaEvidence, "witness", "ask somebody who runs one, and name it under ledger.witnesses",
			"no witness cosigns the ledger: that it was not rewritten rests on who watches it")
	}
	for _, w := range s.Witnesses {
		switch {
		case w.Says != "":
			c.warn(areaEvidence, "witness", "see that it is reachable, and that its operator knows the log: countersignd ledger status",
				"witness %s did not cosign what is published: %s", w.Name, w.Says)
		case !w.Cosigned.IsZero():
			c.pass(areaEvidence, "witness", "witness %s cosigned what is published, at %s", w.Name, w.Cosigned.UTC().Format(time.RFC3339))
		}
	}
}

// runsOut is how long before its end a certificate that somebody has to renew is told of.
const runsOut = 60 * 24 * time.Hour

// stamps asks the authority outside for one time-stamp, about nothing.
func (x *examiner) stamps(ctx context.Context, c *chart) {
	const id = "timestamps"
	t := x.config.Timestamps
	if t.URL == "" {
		c.warn(areaEvidence, id, "name an authority that somebody else runs under timestamps; leave it so where your own word is enough",
			"the gate's own key says when something was signed: its time-stamps are not independent of the signer, and say so")
		return
	}
	outside, err := outsideStamps(t)
	if err != nil {
		c.fail(areaEvidence, id, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := outside.Try(ctx, x.now); err != nil {
		c.add(areaEvidence, id, api.FindingFailure, "see that this machine may connect there, that its clock is right, and that timestamps.chain_file begins with the certificate that signs there",
			"releases wait: no time-stamp by %s: %v", t.URL, err)
		return
	}
	newest := outside.Chains[len(outside.Chains)-1]
	end := newest[0].NotAfter
	for _, certificate := range newest {
		if certificate.NotAfter.Before(end) {
			end = certificate.NotAfter
		}
	}
	if end.Sub(x.now()) < runsOut {
		c.warn(areaEvidence, id, "add its next chain behind this one in timestamps.chain_file, and restart",
			"%s stamps, under a chain that ends at %s", t.URL, end.UTC().Format(time.DateOnly))
		return
	}
	c.pass(areaEvidence, id, "%s stamps, under a chain that is good until %s", t.URL, end.UTC().Format(time.DateOnly))
}

// certificates says how long the gate's own last. The gate renews them itself, in time.
func (x *examiner) certificates(ctx context.Context, c *chart) {
	const id = "certificates"
	if x.config.Certificates.Off {
		c.pass(areaEvidence, id, "release keys get no certificates, as is configured")
	}
	if x.shelf == nil {
		return
	}
	for _, k := range x.config.Keys {
		if k.Purpose != gate.PurposeCA && k.Purpose != gate.PurposeTimestamp {
			continue
		}
		kept, ok, err := x.shelf.Certificate(ctx, fmt.Sprintf("%s/%s/%d", k.Purpose, k.Lineage, k.Version))
		switch end := kept.NotAfter.UTC().Format(time.DateOnly); {
		case err != nil:
			c.fail(areaEvidence, id, err)
		case !ok: // it is made when it is first needed
		case kept.NotAfter.Before(x.now()):
			c.warn(areaEvidence, id, "nothing, where a later version took over; else see the server's log", "the certificate of %s version %d, purpose %s, ended at %s", k.Lineage, k.Version, k.Purpose, end)
		default:
			c.pass(areaEvidence, id, "the certificate of %s version %d, purpose %s, is good until %s", k.Lineage, k.Version, k.Purpose, end)
		}
	}
}

// signers looks whether two administrators could begin a new epoch of the ledger.
func (x *examiner) signers(c *chart) {
	const id, fix = "signers", "give ledger.signers_file a line for each administrator: github:583231 namespaces=\"epoch@countersign\" ssh-ed25519 AAAA…"
	if x.config.Ledger.Signers == "" {
		c.warn(areaEvidence, id, fix, "nobody's SSH key is on file: were published entries lost for good, the ledger could not go on")
		return
	}
	v, err := voters(x.config)
	if err != nil {
		c.fail(areaEvidence, id, err)
		return
	}
	able := 0
	for _, principal := range v.Signers.Principals() {
		var who gate.AccountID
		if err := who.UnmarshalText([]byte(principal)); err != nil || !slices.Contains(v.Administrators, who) {
			c.warn(areaEvidence, id, "take the line away, or name the account under administrators", "%q of ledger.signers_file is no administrator: its key begins no epoch", principal)
			continue
		}
		able++
	}
	if able < epochAdministrators {
		c.warn(areaEvidence, id, fix, "a new epoch of the ledger takes %d administrators with SSH keys on file: %d has", epochAdministrators, able)
		return
	}
	c.pass(areaEvidence, id, "a new epoch of the ledger could be begun by two of %s with SSH keys on file", count(able, "administrator"))
}

// epochAdministrators is how many have to sign for a new epoch.
const epochAdministrators = 2
