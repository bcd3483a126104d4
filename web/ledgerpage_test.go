package web_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/web"
)

// archive is a town with the ledger of one release; a signature in it is by a real key.
func archive(t *testing.T, private bool) (*town, *annals, attesttest.Key) {
	t.Helper()
	rec := record(t, gate.StateSigned)
	rec.Request.Private = private
	var a *annals
	w := newTown(t, func(c *web.Config) { a = chronicle(t, c.Shelf.(*world), rec); a.serve(c) })
	key := attesttest.NewKey(t)
	body, err := ledger.Record{Digest: gate.SHA256([]byte("other")), Signature: []byte("sig"), Key: key.Public.SPKI()}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	a.add(t, gate.LedgerEntry{
		Kind: "signature", ID: "i2", Bytes: body, Request: rec.Request.ID, Repository: rec.Request.Repository, Document: []byte(`{"made_for":"other"}`),
	})
	return w, a, key
}

// The list is the newest first, says what is published and what is not yet, and goes on.
func TestLedgerPage(t *testing.T) {
	w, a, _ := archive(t, false)
	says(t, w.look(t, "/ledger").Body.String(), "Nothing is published yet", "not published yet", `href="/ledger/5"`)
	a.publish(t, "first.example.org")
	a.publish(t, logOrigin)
	for n := range 45 {
		a.add(t, gate.LedgerEntry{Kind: "published", ID: fmt.Sprint("p", n)})
	}
	body := w.look(t, "/ledger").Body.String()
	says(t, body, "6 entries", logOrigin, a.checkpoints[logOrigin].Root.String(), "2 epochs", `href="/log/epochs/1/checkpoint"`, "the release was published", `href="/ledger?before=11"`)
	inOrder(t, body, `href="/ledger/50"`, `href="/ledger/11"`)
	if got := count(body, "not published yet"); got != 40 {
		t.Errorf("%d of 40 entries are said not to be published", got)
	}
	body = w.look(t, "/ledger?before=11").Body.String()
	says(t, body, "the gate decided", "a signature, by its key", `href="/releases/`+gatetest.RequestID+`"`, `<a href="/ledger">Newest</a>`)
	inOrder(t, body, `href="/ledger/10"`, `href="/ledger/0"`)
	if contains(body, "Older") {
		t.Error("the list goes on behind its end")
	}
	for _, query := range []string{"before=0", "before=-1", "before=x", "before=99999999999999999999"} {
		if got := w.call(t, http.MethodGet, "/ledger?"+query, "", browser); got.Code != http.StatusBadRequest {
			t.Errorf("%s answered %d", query, got.Code)
		}
	}
}

// An entry is found by its index, by what was signed, by its leaf, and by a release.
func TestLedgerSearch(t *testing.T) {
	w, a, _ := archive(t, false)
	a.publish(t, logOrigin)
	for sought, want := range map[string][]string{
		"1": {"1"}, gate.SHA256([]byte("other")).String(): {"5"}, gate.Digest(tlog.RecordHash(a.entries[2].Bytes)).String(): {"2"},
		gatetest.RequestID: {"5", "4", "3", "2", "1", "0"}, "99": nil, gate.SHA256([]byte("none")).String(): nil, "%3Cb%3E": nil,
	} {
		body := w.look(t, "/ledger?q="+sought).Body.String()
		if got := count(body, `class="what"`); got != len(want) {
			t.Errorf("%s finds %d entries, expected %v:\n%s", sought, got, want, body)
		}
		for _, index := range want {
			says(t, body, `href="/ledger/`+index+`"`)
		}
		if want == nil {
			says(t, body, "Nothing in the ledger is called")
		}
	}
}

// An entry says what it stands for, and carries what a browser verifies it from.
func TestEntryPage(t *testing.T) {
	w, a, key := archive(t, false)
	a.publish(t, logOrigin)
	a.add(t, gate.LedgerEntry{Kind: "published", ID: gatetest.RequestID, Request: gatetest.RequestID, Repository: gatetest.Repository(), Document: []byte(`{"v":1}`)})
	note := base64.StdEncoding.EncodeToString(a.checkpoints[logOrigin].Note)
	proved := []string{"Proof that it is in the ledger", `data-note="` + note + `"`, "Verify in this browser", `src="/assets/verify.js?v=`, "/log/tile/entries/000.p/6", "/log/tile/0/000.p/6"}
	for index, row := range []struct{ has, lack []string }{
		{has: append(proved, "a release was asked for", "sign in"), lack: []string{"data-salt", "<h2>Document", "Entry before", "/v1/log/entries/0"}},
		{has: append(proved, "the gate decided", "data-salt", "<h2>Document", "&#34;kind&#34;: &#34;decision&#34;", "/v1/log/entries/1", `href="/ledger/0"`, `href="/ledger/2"`)},
		{has: append(proved, "signing began", "data-salt")},
		{has: append(proved, "a signature, by its key", gate.SHA256([]byte("app")).String()), lack: []string{"data-salt", "By key"}},
		{has: append(proved, "a signature, by its certificate"), lack: []string{"data-salt"}},
		{has: append(proved, key.Public.Hint()[:20], "made_for", "What it was made for"), lack: []string{"data-salt"}},
		{has: []string{"Not published yet", "the release was published", "<h2>Document"}, lack: []string{`id="check"`, "<svg class", "/log/tile", `href="/ledger/7"`}},
	} {
		body := w.look(t, fmt.Sprint("/ledger/", index)).Body.String()
		says(t, body, append(row.has, a.leafHash(index))...)
		for _, text := range row.lack {
			if contains(body, text) {
				t.Errorf("entry %d says %q", index, text)
			}
		}
	}
	for _, index := range []string{"7", "-1", "01", "x", "1.5", "99999999999999999999", "%20"} {
		if got := w.look(t, "/ledger/"+index); got.Code != http.StatusNotFound {
			t.Errorf("entry %q answered %d", index, got.Code)
		}
	}
	a.fail = unavailable()
	for _, path := range []string{"/ledger", "/ledger/1", "/ledger?q=1"} {
		if got := w.look(t, path); got.Code != http.StatusServiceUnavailable {
			t.Errorf("%s answered %d without its store", path, got.Code)
		}
	}
}

func (a *annals) leafHash(index int) string {
	return gate.Digest(tlog.RecordHash(a.entries[index].Bytes)).String()
}

// Of a private repository's entries everybody sees the public leaf and its proof, and only
// readers what is behind it: also a search by the release does not tell which signatures are
// its own.
func TestPrivateEntryPages(t *testing.T) {
	w, a, _ := archive(t, true)
	a.add(t, gate.LedgerEntry{Kind: "administrators", ID: "server", Salt: []byte(strings.Repeat("s", ledger.SaltSize)), Document: []byte(`{"admins":1}`)})
	a.publish(t, logOrigin)
	bo := gate.Account{ID: gate.AccountID{Forge: "github", ID: 903}, Login: "bo", Human: true}
	w.github.set(bo.ID, gate.RoleRead)
	secrets := []string{"acme", "data-salt", "made_for", "&#34;kind&#34;: &#34;decision&#34;", "/releases/", "admins"}
	for name, c := range map[string]*chrome{"anybody": w.chrome(t), "a stranger": w.signedIn(t, eve())} {
		for _, path := range []string{"/ledger", "/ledger?q=" + gatetest.RequestID, "/ledger/0", "/ledger/1", "/ledger/2", "/ledger/3", "/ledger/5", "/ledger/6"} {
			got := c.open(path)
			if got.Code != http.StatusOK {
				t.Errorf("%s: %s answered %d", path, name, got.Code)
			}
			for _, text := range secrets {
				if contains(got.Body.String(), text) {
					t.Errorf("%s: %s reads %q", path, name, text)
				}
			}
		}
		says(t, c.open("/ledger/1").Body.String(), "The public entry says only that this happened", "Proof that it is in the ledger", a.leafHash(1))
		if got := count(c.open("/ledger?q="+gatetest.RequestID).Body.String(), `class="what"`); got != 3 {
			t.Errorf("%s finds %d entries of a private release, expected the 3 that name it publicly", name, got)
		}
	}
	reader := w.signedIn(t, bo)
	says(t, reader.open("/ledger/1").Body.String(), "data-salt", "&#34;kind&#34;: &#34;decision&#34;", "acme/app")
	says(t, reader.open("/ledger/5").Body.String(), "made_for")
	if got := count(reader.open("/ledger?q="+gatetest.RequestID).Body.String(), `class="what"`); got != 6 {
		t.Errorf("a reader finds %d entries of the release, expected 6", got)
	}
	if contains(reader.open("/ledger/6").Body.String(), "admins") {
		t.Error("a reader of a repository reads who administers the server")
	}
	says(t, w.signedIn(t, root()).open("/ledger/6").Body.String(), "admins", "data-salt")
}

// Without a ledger nothing leads to its pages.
func TestNoLedgerPage(t *testing.T) {
	w := newWorld(t)
	w.put(record(t, gate.StateSigned))
	w.history = map[string][]gate.Happening{gatetest.RequestID: {{At: noon(), What: gate.HappenedAsked, Leaf: 3, By: gatetest.Ana()}}}
	if body := w.look(t, page).Body.String(); contains(body, `href="/ledger/`) {
		t.Error("a release leads to a page that is not there")
	}
	if got := w.look(t, "/ledger/3"); got.Code != http.StatusNotFound {
		t.Errorf("answered %d", got.Code)
	}
}

// A release's page leads to its entries.
func TestReleaseLeadsToLedger(t *testing.T) {
	w, _, _ := archive(t, false)
	says(t, w.look(t, page).Body.String(), `href="/ledger/0">entry 0</a>`, `href="/ledger/3"`, `href="/ledger?q=`+gatetest.RequestID+`"`)
}

// The way that is drawn ends at the tree's root, for every leaf of every tree.
func TestMerklePath(t *testing.T) {
	a := newAnnals()
	for size := int64(1); size <= 300; size++ {
		a.add(t, gate.LedgerEntry{Kind: "published", ID: fmt.Sprint(size)})
		root, err := tlog.TreeHash(size, a)
		if err != nil {
			t.Fatal(err)
		}
		for index := range size {
			proof, err := tlog.ProveRecord(size, index, a)
			if err != nil {
				t.Fatal(err)
			}
			leaf := gate.Digest(tlog.RecordHash(a.entries[index].Bytes))
			if got, levels, outside := web.RootOf(leaf, index, size, proof); got != gate.Digest(root) || levels != len(proof) || outside > 0 {
				t.Fatalf("entry %d of %d: reached %s over %d levels, %d outside; expected %s over %d", index, size, got, levels, outside, root, len(proof))
			}
		}
	}
}

// A release whose evidence is not complete says what that waits for.
func TestUnsealed(t *testing.T) {
	w := newWorld(t)
	rec := record(t, gate.StateSigning)
	for why, said := range map[string]bool{gate.CodeWitnesses.String(): true, "": false, "none of the codes": false} {
		rec.Sealing, rec.Unsealed = true, why
		w.put(rec)
		if body := w.look(t, page).Body.String(); contains(body, "It waits still") != said || said != contains(body, "/errors/"+why+`"`) {
			t.Errorf("waiting because of %q the page says\n%s", why, body)
		}
	}
}
