package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

func repositoryOf(id int64) gate.RepositoryID { return gate.RepositoryID{Forge: "github", ID: id} }

func (w *world) adopted(r gate.RepositoryID, file string) gate.Adoption {
	w.Helper()
	a := adoption(file)
	a.Repository = r
	w.must(w.s.Adopt(w.ctx, a))
	return a
}

// looking claims the next repository whose policy is to be looked at, which has to be r
// (the zero one for none).
func (w *world) looking(s *store.Store, r gate.RepositoryID, every, lease time.Duration) gate.Watched {
	w.Helper()
	got, ok, err := s.ClaimWatched(w.ctx, "worker", every, lease)
	w.must(err)
	if ok != (r.ID != 0) || got.Adoption.Repository != r {
		w.Fatalf("expected to look at %s, got %s, %t", r, got.Adoption.Repository, ok)
	}
	return got
}

func (w *world) looked(r gate.RepositoryID, p gate.Proposal) {
	w.Helper()
	w.must(w.s.RecordWatched(w.ctx, r, p))
}

// quiet is a repository whose adopted policy was looked at.
func (w *world) quiet(id int64) gate.RepositoryID {
	w.Helper()
	r := repositoryOf(id)
	w.adopted(r, "version: 1\n")
	w.looking(w.s, r, time.Hour, minute)
	w.looked(r, gate.Proposal{})
	return r
}

func (w *world) rung(rs ...gate.RepositoryID) {
	w.Helper()
	w.heard(gate.Heard{DueRepositories: rs})
}

func newer(r gate.RepositoryID, file string) gate.Proposal {
	now := time.Now().UTC().Truncate(time.Microsecond)
	return gate.Proposal{
		Repository: r, Commit: "d", Digest: gate.SHA256([]byte(file)), Seen: now, Covered: now.Add(-minute),
		By: []gate.Account{person(2, "bo")}, Why: "it cools down",
	}
}

func TestPolicyIsLookedAtWhenItRings(t *testing.T) {
	onBoth(t, func(w *world) {
		w.looking(w.s, gate.RepositoryID{}, 0, minute)
		a := w.adopted(repository(), "version: 1\n")
		got := w.looking(w.s, repository(), time.Hour, minute)
		if diff := cmp.Diff(gate.Watched{Adoption: a}, got); diff != "" {
			w.Error(diff)
		}
		w.looking(w.s, gate.RepositoryID{}, time.Hour, minute)
		w.looked(repository(), gate.Proposal{})
		w.looking(w.s, gate.RepositoryID{}, time.Hour, minute)
		w.rung(repository(), repository())
		w.looking(w.s, repository(), time.Hour, minute)
		w.looked(repository(), gate.Proposal{})
		w.must(w.s.Hear(w.ctx, gate.Heard{DueRepositories: []gate.RepositoryID{repository()}}))
		w.looking(w.s, repository(), time.Hour, minute)
	})
}

func TestPolicyIsLookedAtNowAndThen(t *testing.T) {
	onBoth(t, func(w *world) {
		first, second := w.quiet(1), w.quiet(2)
		w.looking(w.s, gate.RepositoryID{}, time.Hour, minute)
		for _, r := range []gate.RepositoryID{first, second, first} { // the longest ago first
			w.looking(w.s, r, 0, minute)
			w.looked(r, gate.Proposal{})
		}
		w.rung(first)
		w.looking(w.s, first, 0, minute) // although second's last look is longer ago
	})
}

// Attack 63: whoever rings all the time is looked at in turn.
func TestAttack63RingingRepositoryWaitsItsTurn(t *testing.T) {
	onBoth(t, func(w *world) {
		noisy, other := w.quiet(1), w.quiet(2)
		w.rung(noisy)
		w.rung(other)
		w.rung(noisy)
		w.looking(w.s, noisy, time.Hour, minute)
		w.rung(noisy)
		w.looked(noisy, gate.Proposal{})
		w.looking(w.s, other, time.Hour, minute)
		w.looking(w.s, noisy, time.Hour, minute)
	})
}

func TestNobodyWatchesWhatWasNeverAdopted(t *testing.T) {
	onBoth(t, func(w *world) {
		w.rung(repository())
		w.looking(w.s, gate.RepositoryID{}, 0, minute)
		w.refused(gate.CodeTransition, w.s.RecordWatched(w.ctx, repository(), newer(repository(), "x")))
	})
}

// What rings during a look may have been read too early.
func TestRingDuringALook(t *testing.T) {
	onBoth(t, func(w *world) {
		r := w.quiet(1)
		w.rung(r)
		w.looking(w.s, r, time.Hour, minute)
		w.rung(r)
		w.looking(w.s, gate.RepositoryID{}, time.Hour, minute)
		w.looked(r, gate.Proposal{})
		w.looking(w.s, r, time.Hour, minute)
		w.looked(r, gate.Proposal{})
		w.looking(w.s, gate.RepositoryID{}, time.Hour, minute)
	})
}

// A process that wakes late neither ends the look of another nor overwrites what it found.
func TestLateLookIsRefused(t *testing.T) {
	onBoth(t, func(w *world) {
		r := w.quiet(1)
		late := w.open()
		w.rung(r)
		w.looking(late, r, time.Hour, over)
		w.rung(r)
		w.looking(w.s, r, time.Hour, minute)
		w.refused(gate.CodeTransition, late.RecordWatched(w.ctx, r, newer(r, "late")))
		w.looked(r, newer(r, "in time"))
		w.refused(gate.CodeTransition, late.RecordWatched(w.ctx, r, newer(r, "late")))
		p, ok, err := w.s.Proposal(w.ctx, r)
		w.must(err)
		if !ok || p.Digest != gate.SHA256([]byte("in time")) {
			w.Errorf("expected what was found in time, got %+v, %t", p, ok)
		}
		w.looking(w.s, gate.RepositoryID{}, time.Hour, minute)
	})
}

func TestProposalIsKept(t *testing.T) {
	onBoth(t, func(w *world) {
		w.adopted(repository(), "version: 1\n")
		none := func() {
			w.Helper()
			if p, ok, err := w.s.Proposal(w.ctx, repository()); ok || err != nil {
				w.Errorf("expected no proposal, got %+v, %v", p, err)
			}
		}
		none()
		want := newer(repository(), "version: 1\n# two\n")
		w.looked(repository(), want)
		got, ok, err := w.s.Proposal(w.ctx, repository())
		w.must(err)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			w.Errorf("%t\n%s", ok, diff)
		}
		if diff := cmp.Diff(want, w.looking(w.s, repository(), 0, minute).Proposal); diff != "" {
			w.Error(diff)
		}
		w.adopted(repository(), "version: 1\n# another\n")
		if _, ok, err := w.s.Proposal(w.ctx, repository()); !ok || err != nil {
			w.Errorf("expected that the proposal outlives another's adoption, got %t, %v", ok, err)
		}
		w.looked(repository(), gate.Proposal{})
		none()
		w.looked(repository(), want)
		w.adopted(repository(), "version: 1\n# two\n")
		none()
		w.looked(repository(), want) // by a look that began before the adoption
		none()
	})
}

// A proposal changes what people are told: the open requests are judged again, once.
func TestChangedProposalMakesRequestsDue(t *testing.T) {
	onBoth(t, func(w *world) {
		w.adopted(repository(), "version: 1\n")
		id := w.opened("a").Request.ID
		judge := func() {
			w.Helper()
			w.judged(w.claimed(id, minute), gate.StateWaiting)
			w.nothingDue()
		}
		judge()
		w.looked(repository(), gate.Proposal{})
		w.nothingDue()
		p := newer(repository(), "version: 1\n# two\n")
		w.looked(repository(), p)
		judge()
		w.looked(repository(), p)
		w.nothingDue()
		p.Why = "nobody else has reviewed it"
		w.looked(repository(), p)
		judge()
		w.looked(repository(), gate.Proposal{})
		judge()
		w.leaves(ledger.PolicyAdopted, ledger.RequestOpened, ledger.Decision, ledger.Decision, ledger.Decision, ledger.Decision)
	})
}
