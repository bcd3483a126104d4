package store_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

func TestLedgerEntriesTellWhatTheyBelongTo(t *testing.T) {
	onBoth(t, func(w *world) {
		w.must(w.s.Adopt(w.ctx, adoption("version: 1\n")))
		w.must(w.s.RecordMode(w.ctx, false))
		rec, is := w.kept("a", minute)
		said := approval(rec, 5, gate.VerbApprove)
		w.heard(gate.Heard{Approvals: []gate.Approval{said}})
		all, err := w.s.LedgerEntries(w.ctx, 0, 100)
		w.must(err)
		slices.Reverse(all)
		want := []struct {
			kind        ledger.Kind
			request     bool
			repository  bool
			salt, about string
		}{
			{ledger.PolicyAdopted, false, true, "salted", ""},
			{ledger.ServerMode, false, false, "salted", "server"},
			{ledger.RequestOpened, true, true, "salted", rec.Request.ID},
			{ledger.Decision, true, true, "salted", rec.Request.ID},
			{ledger.Intents, true, true, "salted", rec.Request.ID},
			{ledger.Signature, true, true, "", is[0].ID},
			{ledger.CertificateSignature, true, true, "", is[0].ID},
			{ledger.Signature, true, true, "", is[1].ID},
			{ledger.CertificateSignature, true, true, "", is[1].ID},
			{ledger.Approval, true, true, "salted", said.ID},
		}
		if len(all) != len(want) {
			w.Fatalf("expected %d entries, got %d", len(want), len(all))
		}
		for n, x := range want {
			e := all[n]
			if e.Index != int64(n) || e.Kind != string(x.kind) || (e.Request == rec.Request.ID) != x.request ||
				(e.Repository == repository()) != x.repository || (len(e.Salt) > 0) != (x.salt != "") ||
				x.about != "" && e.ID != x.about || len(e.Document) == 0 || len(e.Bytes) == 0 || e.At.IsZero() {
				w.Errorf("entry %d: expected %+v, got %+v", n, x, e)
			}
			one, err := w.s.LedgerEntry(w.ctx, int64(n))
			if err != nil || one.ID != e.ID || one.Index != e.Index {
				w.Errorf("entry %d alone: expected the same, got %+v, %v", n, one, err)
			}
		}
		for _, index := range []int64{-1, 10, 1<<63 - 1} {
			if _, err := w.s.LedgerEntry(w.ctx, index); gate.CodeOf(err) != gate.CodeLogRange {
				w.Errorf("entry %d: expected %s, got %v", index, gate.CodeLogRange, err)
			}
		}
		page, err := w.s.LedgerEntries(w.ctx, 3, 2)
		w.must(err)
		if len(page) != 2 || page[0].Index != 2 || page[1].Index != 1 {
			w.Errorf("expected entries 2 and 1, got %+v", page)
		}
	})
}

func TestLedgerIsSearched(t *testing.T) {
	onBoth(t, func(w *world) {
		w.opened("z")
		rec, is := w.kept("a", minute)
		said := approval(rec, 5, gate.VerbApprove)
		w.heard(gate.Heard{Approvals: []gate.Approval{said}})
		first, err := w.s.LedgerEntry(w.ctx, 0)
		w.must(err)
		leaf := gate.Digest(tlog.RecordHash(first.Bytes)).String()
		for _, row := range []struct {
			text  string
			limit int
			want  []int64
		}{
			{"3", 10, []int64{3}}, {"999", 10, nil}, {"3", 0, nil}, {"-1", 10, nil},
			{is[0].Digest.String(), 10, []int64{5, 4}},
			{" sha256:" + is[0].Digest.String() + "\n", 10, []int64{5, 4}},
			{strings.ToUpper(is[0].Digest.String()), 10, []int64{5, 4}},
			{is[0].Digest.String(), 1, []int64{5}},
			{is[0].Digest.String()[:63], 10, nil},
			{gate.SHA256([]byte("nothing")).String(), 10, nil},
			{is[0].Digest.String()[:16] + strings.Repeat("0", 48), 10, nil}, // the same key, another hash
			{leaf, 10, []int64{0}},
			{rec.Request.ID, 10, []int64{8, 7, 6, 5, 4, 3, 2, 1}}, {rec.Request.ID, 2, []int64{8, 7}},
			{said.ID, 10, []int64{8}}, {is[1].ID, 10, []int64{7, 6}},
			{"", 10, nil}, {"a\x00b", 10, nil}, {"\xff", 10, nil}, {strings.Repeat("9", 300), 10, nil}, {strings.Repeat("9", 40), 10, nil},
			{"' OR 1=1 --", 10, nil},
		} {
			got, err := w.s.FindLedger(w.ctx, row.text, row.limit)
			w.must(err)
			var indexes []int64
			for _, e := range got {
				indexes = append(indexes, e.Index)
			}
			if !slices.Equal(indexes, row.want) {
				w.Errorf("%s: expected %v, got %v", strconv.Quote(row.text), row.want, indexes)
			}
		}
	})
}
