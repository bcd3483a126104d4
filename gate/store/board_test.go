package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
)

// ids of a list of requests.
func ids(recs ...gate.Record) []string {
	var out []string
	for _, r := range recs {
		out = append(out, r.Request.ID)
	}
	return out
}

func elsewhere() gate.RepositoryID { return gate.RepositoryID{Forge: "github", ID: 2} }

// openedFor asks for a release of a repository with a key.
func (w *world) openedFor(r gate.RepositoryID, key, artifact string) gate.Record {
	w.Helper()
	o := opening(artifact)
	o.Request.Repository, o.Request.Key = r, key
	return w.openedAs(o)
}

// signedFor releases it.
func (w *world) signedFor(r gate.RepositoryID, key, artifact string, posts ...gate.Post) gate.Record {
	w.Helper()
	rec := w.judged(w.openedFor(r, key, artifact), gate.StateGranted)
	is := intents(rec)
	for i := range is {
		is[i].Key.Lineage = key
	}
	rec, err := w.s.BeginSigning(w.ctx, rec, is, "worker", minute)
	w.must(err)
	for i := range posts {
		posts[i].Request = rec.Request.ID
	}
	rec, err = w.complete(rec, signatures(is), posts)
	w.must(err)
	return rec
}

func TestList(t *testing.T) {
	onBoth(t, func(w *world) {
		here, there := repository(), elsewhere()
		waiting := w.openedFor(here, "blue", "a")
		granted := w.judged(w.openedFor(there, "red", "b"), gate.StateGranted)
		published := w.signedFor(here, "blue", "c")
		signed := w.signedFor(there, "blue", "d", check("", gate.PostSuccess))
		denied := w.judged(w.openedFor(here, "red", "e"), gate.StateDenied)
		signing, _ := w.begun(w.judged(w.openedFor(here, "red", "f"), gate.StateGranted), minute)
		for name, row := range map[string]struct {
			q    gate.ListQuery
			want []string
		}{
			"all":                       {gate.ListQuery{Limit: 200}, ids(signing, denied, signed, published, granted, waiting)},
			"the newest":                {gate.ListQuery{Limit: 2}, ids(signing, denied)},
			"the next":                  {gate.ListQuery{Limit: 2, Before: denied.Request.ID}, ids(signed, published)},
			"after the last":            {gate.ListQuery{Limit: 2, Before: waiting.Request.ID}, nil},
			"of one repository":         {gate.ListQuery{Limit: 200, Repository: there}, ids(signed, granted)},
			"of one repository, on":     {gate.ListQuery{Limit: 200, Repository: here, Before: denied.Request.ID}, ids(published, waiting)},
			"of none":                   {gate.ListQuery{Limit: 200, Repository: gate.RepositoryID{Forge: "gitlab", ID: 2}}, nil},
			"open":                      {gate.ListQuery{Limit: 200, Open: true}, ids(signing, granted, waiting)},
			"open, on":                  {gate.ListQuery{Limit: 1, Open: true, Before: signing.Request.ID}, ids(granted)},
			"open of one repository":    {gate.ListQuery{Limit: 200, Open: true, Repository: here}, ids(signing, waiting)},
			"signed by a key":           {gate.ListQuery{Limit: 200, Key: "blue"}, ids(signed, published)},
			"signed by another":         {gate.ListQuery{Limit: 200, Key: "red"}, nil},
			"signed by a key, on":       {gate.ListQuery{Limit: 200, Key: "blue", Before: signed.Request.ID}, ids(published)},
			"signed for a repository":   {gate.ListQuery{Limit: 200, Key: "blue", Repository: there}, ids(signed)},
			"open, and signed by a key": {gate.ListQuery{Limit: 200, Key: "blue", Open: true}, nil},
		} {
			got, err := w.s.List(w.ctx, row.q)
			w.must(err)
			if diff := cmp.Diff(row.want, ids(got...)); diff != "" {
				w.Errorf("%s: %s", name, diff)
			}
		}
	})
}

func TestListsThatCannotBeRead(t *testing.T) {
	onBoth(t, func(w *world) {
		for _, q := range []gate.ListQuery{
			{}, {Limit: -1}, {Limit: 201}, {Limit: 1, Before: "\x00"}, {Limit: 1, Before: "\xff"}, {Limit: 1, Key: "\x00"},
		} {
			_, err := w.s.List(w.ctx, q)
			w.refused(gate.CodeParameter, err)
		}
		if got, err := w.s.List(w.ctx, gate.ListQuery{Limit: 1, Before: "' OR 1=1", Key: "%"}); err != nil || len(got) != 0 {
			w.Errorf("expected nothing, got %v, %v", got, err)
		}
	})
}

// A list says of each request what reading it alone says, whoever else asked for it.
func TestListedAsRead(t *testing.T) {
	onBoth(t, func(w *world) {
		var want []gate.Record
		for n := range 23 { // more than go into one query for their actors, and not a multiple
			rec := w.opened(string(rune('a'+n)), person(int64(n+1), "ana"), person(100, "bo"), person(int64(200-n), "cem"))
			want = append(want, w.request(rec.Request.ID))
		}
		w.judged(want[22], gate.StateWaiting)
		want[22] = w.request(want[22].Request.ID)
		slices.Reverse(want)
		got, err := w.s.List(w.ctx, gate.ListQuery{Limit: 100})
		w.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			w.Error(diff)
		}
	})
}

func TestEnrolled(t *testing.T) {
	onBoth(t, func(w *world) {
		enrolled := func(limit int, want ...gate.Enrolled) {
			w.Helper()
			got, err := w.s.Enrolled(w.ctx, limit)
			w.must(err)
			for i := range got {
				if got[i].Open+got[i].Signed > 0 == got[i].Last.IsZero() {
					w.Errorf("expected a time with a request, got %s with %d and %d", got[i].Last, got[i].Open, got[i].Signed)
				}
				if latest, ok := w.newestOf(got[i].Adoption.Repository); ok != (got[i].Latest != nil) || ok && !cmp.Equal(*got[i].Latest, latest) {
					w.Errorf("expected the newest request %s, got %v", latest.Request.ID, got[i].Latest)
				}
				got[i].Last, got[i].Latest = time.Time{}, nil
			}
			if diff := cmp.Diff(append([]gate.Enrolled{}, want...), got); diff != "" {
				w.Error(diff)
			}
		}
		w.openedFor(gate.RepositoryID{Forge: "github", ID: 3}, "red", "of nobody who adopted a policy")
		enrolled(10)
		here, there := adoption("version: 1\n"), adoption("version: 1\n")
		there.Repository = elsewhere()
		w.must(w.s.Adopt(w.ctx, here))
		w.must(w.s.Adopt(w.ctx, there))
		enrolled(10, gate.Enrolled{Adoption: here}, gate.Enrolled{Adoption: there})

		w.signedFor(there.Repository, "blue", "a")
		w.judged(w.openedFor(there.Repository, "blue", "b"), gate.StateDenied)
		enrolled(10, gate.Enrolled{Adoption: there, Signed: 1}, gate.Enrolled{Adoption: here})
		w.openedFor(there.Repository, "blue", "c")
		w.signedFor(here.Repository, "blue", "d", check("", gate.PostSuccess))
		again := adoption("version: 1\n# two\n")
		w.must(w.s.Adopt(w.ctx, again))
		enrolled(10, gate.Enrolled{Adoption: again, Signed: 1}, gate.Enrolled{Adoption: there, Signed: 1, Open: 1})
		enrolled(1, gate.Enrolled{Adoption: again, Signed: 1})
		enrolled(0)

		got, err := w.s.Adoptions(w.ctx, here.Repository)
		w.must(err)
		if diff := cmp.Diff([]gate.Adoption{again, here}, got); diff != "" {
			w.Error(diff)
		}
		if got, err = w.s.Adoptions(w.ctx, gate.RepositoryID{Forge: "gitlab", ID: here.Repository.ID}); err != nil || len(got) != 0 {
			w.Errorf("another forge: expected nothing, got %v, %v", got, err)
		}
	})
}

// newestOf is the request that a repository asked for last.
func (w *world) newestOf(r gate.RepositoryID) (gate.Record, bool) {
	w.Helper()
	recs, err := w.s.List(w.ctx, gate.ListQuery{Repository: r, Limit: 1})
	w.must(err)
	if len(recs) == 0 {
		return gate.Record{}, false
	}
	return recs[0], true
}

func TestKeyUses(t *testing.T) {
	onBoth(t, func(w *world) {
		uses := func(want ...gate.KeyUse) []gate.KeyUse {
			w.Helper()
			got, err := w.s.KeyUses(w.ctx)
			w.must(err)
			bare := slices.Clone(got)
			for i := range bare {
				bare[i].First, bare[i].Last = time.Time{}, time.Time{}
			}
			if diff := cmp.Diff(append([]gate.KeyUse{}, want...), bare); diff != "" {
				w.Error(diff)
			}
			return got
		}
		uses()
		w.signing("under way", minute)
		uses()
		late, is := w.signing("a", over)
		rec, err := w.s.OrphanSigning(w.ctx, w.claimed(late.Request.ID, minute))
		w.must(err)
		_, err = w.complete(late, signatures(is), nil) // which is too late
		w.refused(gate.CodeTransition, err)
		if got := uses(gate.KeyUse{Lineage: "acme-release", Version: 1, Orphans: 2}); !got[0].First.IsZero() {
			w.Errorf("expected that nothing was signed yet, got %s", got[0].First)
		}
		rec, is = w.begun(w.judged(rec, gate.StateGranted), minute)
		_, err = w.complete(rec, signatures(is), nil)
		w.must(err)
		_, err = w.complete(rec, signatures(is), nil) // once more changes nothing
		w.must(err)
		once := uses(gate.KeyUse{Lineage: "acme-release", Version: 1, Signatures: 2, Releases: 1, Orphans: 2})
		w.signedFor(elsewhere(), "acme-release", "b")
		w.signedFor(elsewhere(), "abc", "c")
		failing, _ := w.signing("d", minute)
		_, err = w.s.FailSigning(w.ctx, failing, "the HSM refuses the key", nil)
		w.must(err)
		twice := uses(gate.KeyUse{Lineage: "abc", Version: 1, Signatures: 2, Releases: 1},
			gate.KeyUse{Lineage: "acme-release", Version: 1, Signatures: 4, Releases: 2, Orphans: 4})
		if !twice[1].First.Equal(once[0].First) || !twice[1].Last.After(once[0].Last) {
			w.Errorf("expected the first time to stay and the last to move, got %v after %v", twice[1], once[0])
		}
	})
}
