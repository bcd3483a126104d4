package keeper_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/sums"
)

// person has an SSH key, made by ssh-keygen.
type person struct {
	account gate.AccountID
	key     string // path
	public  string
}

func newPerson(t testing.TB, id int64) person {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return person{account: gate.AccountID{Forge: "github", ID: id}, key: path, public: strings.TrimSpace(string(public))}
}

// sign is ssh-keygen -Y sign.
func (p person) sign(t testing.TB, document []byte, namespace string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", p.key, file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen -Y sign: %v\n%s", err, out)
	}
	sig, err := os.ReadFile(file + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func voters(t testing.TB, administrators []person, others ...string) keeper.Voters {
	t.Helper()
	var v keeper.Voters
	var lines []string
	for _, p := range administrators {
		v.Administrators = append(v.Administrators, p.account)
		lines = append(lines, fmt.Sprintf("%s namespaces=\"%s\" %s", p.account, keeper.EpochNamespace, p.public))
	}
	var err error
	if v.Signers, err = sums.ParseAllowedSigners([]byte(strings.Join(append(lines, others...), "\n"))); err != nil {
		t.Fatal(err)
	}
	return v
}

// lost is a world whose database was restored at 10 of 20 published entries, and went on to 15.
func lost(t *testing.T) (*world, keeper.Succession) {
	t.Helper()
	w := newWorld(t, 0)
	k := w.start()
	w.shelf.add(9, "entry")
	w.cover(k, 10, 0)
	copied := w.shelf.copy()
	w.shelf.add(10, "entry")
	w.cover(k, 20, 0)
	w.shelf.become(copied)
	w.shelf.add(5, "another entry")
	return w, keeper.Succession{Shelf: w.shelf, Guard: w.guard, Now: time.Now}
}

const reason = "the disk was lost; the backup of Monday was restored"

func draft(t testing.TB, s keeper.Succession, next *notary) ([]byte, keeper.EpochDocument) {
	t.Helper()
	b, d, err := s.Draft(t.Context(), keeper.Proposal{Origin: next.key.Name(), LogKey: keeper.Fingerprint(next.key.SPKI()), Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	return b, d
}

// The story of a restored database: it refuses to sign, and goes on in a new epoch that two
// administrators sign for.
func TestNewEpochGoesOn(t *testing.T) {
	w, s := lost(t)
	if err := w.start().Fit(t.Context()); !isCode(err, gate.CodeLedgerBehind) {
		t.Fatalf("expected the restored database to refuse, got %v", err)
	}
	former := w.notary
	old, _, err := w.guard.Read()
	if err != nil {
		t.Fatal(err)
	}

	next := newNotary(t, "log2.example", 2)
	document, d := draft(t, s, next)
	if d.Lost != (keeper.Span{From: 10, To: 20}) || d.Previous.Size != 20 || d.Database.Size != 15 || d.Number != 2 || d.Reason != reason {
		t.Errorf("got %+v", d)
	}
	ana, bo := newPerson(t, 1), newPerson(t, 2)
	v := voters(t, []person{ana, bo})
	e, err := s.Begin(t.Context(), keeper.Beginning{
		Document: document, Key: next.key, Voters: v,
		Signatures: [][]byte{ana.sign(t, document, keeper.EpochNamespace), bo.sign(t, document, keeper.EpochNamespace)},
	})
	if err != nil {
		t.Fatal(err)
	}
	record, said, err := keeper.ParseEpochRecord(e.Document)
	if err != nil || said != d || len(record.Signatures) != 2 || record.Signatures[0].Administrator != ana.account || record.Document != string(document) {
		t.Errorf("on record: %+v, %+v, %v", record, said, err)
	}
	for _, x := range w.shelf.epochs {
		if err := keeper.VerifyEpoch(x, v); err != nil {
			t.Error(err)
		}
	}
	if err := keeper.VerifyEpoch(e, voters(t, []person{ana, newPerson(t, 2)})); err == nil {
		t.Error("verified under other keys: expected a refusal")
	}

	// A server that still has the former origin and key signs nothing.
	if err := w.start().Fit(t.Context()); !isCode(err, gate.CodeEpoch) {
		t.Errorf("under the former origin: got %v", err)
	}
	w.notary = next
	k := w.start()
	if err := k.Fit(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := k.Covering(t.Context(), 16, 0)
	if err != nil || c.Origin != "log2.example" || c.Size != 16 {
		t.Fatalf("got %+v, %v", c, err)
	}
	if m, ok, err := w.guard.Read(); err != nil || !ok || m.Epoch != 2 {
		t.Errorf("guard: %+v, %v, %v", m, ok, err)
	}
	// What was handed out before stays verifiable under the former key, and is not the new log's.
	if head, _, err := ledger.Open(old.Note, former.key); err != nil || head.Size != 20 {
		t.Errorf("got %+v, %v", head, err)
	}
	if _, _, err := ledger.Open(old.Note, next.key); err == nil {
		t.Error("the former checkpoint opens under the new key")
	}
	// And the new epoch is guarded as the first one was.
	copied := w.shelf.copy()
	w.shelf.add(3, "entry")
	if _, err := k.Covering(t.Context(), 19, 0); err != nil {
		t.Fatal(err)
	}
	w.shelf.become(copied)
	if err := w.start().Fit(t.Context()); !isCode(err, gate.CodeLedgerBehind) {
		t.Errorf("restored in epoch 2: got %v", err)
	}
}

// A server that lost nothing may change its origin and key all the same.
func TestEpochWithoutLoss(t *testing.T) {
	w := newWorld(t, 0)
	w.shelf.add(9, "entry")
	w.cover(w.start(), 10, 0)
	w.shelf.add(2, "entry")
	s := keeper.Succession{Shelf: w.shelf, Guard: w.guard, Now: time.Now}
	_, d := draft(t, s, newNotary(t, "log2.example", 2))
	if d.Lost.From != d.Lost.To || d.Previous.Size != 10 || d.Database.Size != 12 {
		t.Errorf("got %+v", d)
	}
}

// What a monitor kept says more than a server that lost its guard too.
func TestDraftFromAKeptCheckpoint(t *testing.T) {
	w, s := lost(t)
	mark, _, err := w.guard.Read()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.guard.Path); err != nil {
		t.Fatal(err)
	}
	next := newNotary(t, "log2.example", 2)
	_, d := draft(t, s, next)
	if d.Previous.Size != 10 || d.Lost != (keeper.Span{From: 10, To: 10}) {
		t.Errorf("without it: got %+v", d)
	}
	p := keeper.Proposal{Origin: next.key.Name(), LogKey: keeper.Fingerprint(next.key.SPKI()), Reason: reason, Published: mark.Note}
	document, d, err := s.Draft(t.Context(), p)
	if err != nil || d.Previous.Size != 20 || d.Lost != (keeper.Span{From: 10, To: 20}) {
		t.Errorf("with it: got %+v, %v", d, err)
	}
	ana, bo := newPerson(t, 1), newPerson(t, 2)
	if _, err := s.Begin(t.Context(), keeper.Beginning{
		Document: document, Key: next.key, Voters: voters(t, []person{ana, bo}),
		Signatures: [][]byte{ana.sign(t, document, keeper.EpochNamespace), bo.sign(t, document, keeper.EpochNamespace)},
	}); err != nil {
		t.Error(err)
	}
	p.Published = []byte("no checkpoint\n")
	if _, _, err := s.Draft(t.Context(), p); gate.CodeOf(err) != gate.CodeEpoch {
		t.Errorf("no checkpoint: got %v", err)
	}
}

func TestDraftRefuses(t *testing.T) {
	w, s := lost(t)
	next := newNotary(t, "log2.example", 2)
	good := keeper.Proposal{Origin: next.key.Name(), LogKey: keeper.Fingerprint(next.key.SPKI()), Reason: reason}
	for name, change := range map[string]func(p *keeper.Proposal){
		"no reason":          func(p *keeper.Proposal) { p.Reason = "  \n" },
		"a novel":            func(p *keeper.Proposal) { p.Reason = strings.Repeat("x", keeper.MaxEpochReason+1) },
		"the former origin":  func(p *keeper.Proposal) { p.Origin = origin },
		"the former log key": func(p *keeper.Proposal) { p.LogKey = keeper.Fingerprint(w.notary.key.SPKI()) },
		"no origin":          func(p *keeper.Proposal) { p.Origin = "" },
		"no log key":         func(p *keeper.Proposal) { p.LogKey = "" },
		"a foreign checkpoint": func(p *keeper.Proposal) {
			p.Published, _ = next.Checkpoint(t.Context(), ledger.Head{Origin: next.key.Name(), Size: 5})
		},
	} {
		p := good
		change(&p)
		if b, _, err := s.Draft(t.Context(), p); gate.CodeOf(err) != gate.CodeEpoch || gate.KindOf(err) != gate.Invalid {
			t.Errorf("%s: got %s, %v", name, b, err)
		}
	}
	empty := keeper.Succession{Shelf: &shelf{}, Guard: w.guard, Now: time.Now}
	if _, _, err := empty.Draft(t.Context(), good); gate.CodeOf(err) != gate.CodeEpoch {
		t.Errorf("no ledger: got %v", err)
	}
}

// Rows are who signs, and what; only the first begins an epoch.
func TestWhoMayBeginAnEpoch(t *testing.T) {
	ana, bo, cy := newPerson(t, 1), newPerson(t, 2), newPerson(t, 3)
	again := newPerson(t, 1) // another key of ana's
	stranger, nameless := newPerson(t, 4), newPerson(t, 5)
	v := voters(t, []person{ana, bo, cy}, fmt.Sprintf("github:1 %s", again.public), "bo@example.com "+nameless.public)
	outsider := newPerson(t, 6)
	v.Signers = voters(t, []person{ana, bo, cy, outsider}, fmt.Sprintf("github:1 %s", again.public), "bo@example.com "+nameless.public).Signers
	const ns = keeper.EpochNamespace
	for name, x := range map[string]struct {
		sign func(doc []byte) [][]byte
		want string // "" where it begins
	}{
		"two administrators": {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), bo.sign(t, d, ns)} }, ""},
		"three":              {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), bo.sign(t, d, ns), cy.sign(t, d, ns)} }, ""},
		"nobody":             {func([]byte) [][]byte { return nil }, "too few"},
		"one":                {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns)} }, "too few"},
		"one, twice":         {func(d []byte) [][]byte { s := ana.sign(t, d, ns); return [][]byte{s, s} }, "signed twice"},
		"one, with two keys": {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), again.sign(t, d, ns)} }, "signed twice"},
		"one and a stranger": {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), stranger.sign(t, d, ns)} }, "not among the allowed"},
		"two and a stranger": {func(d []byte) [][]byte {
			return [][]byte{ana.sign(t, d, ns), bo.sign(t, d, ns), stranger.sign(t, d, ns)}
		}, "signature 3"},
		"one who administers nothing": {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), outsider.sign(t, d, ns)} }, "no administrator"},
		"a name for a number":         {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), nameless.sign(t, d, ns)} }, "github:583231"},
		"for another purpose":         {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), bo.sign(t, d, "file")} }, "namespace"},
		"another document":            {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), bo.sign(t, append(d, ' '), ns)} }, "over this message"},
		"no signature":                {func(d []byte) [][]byte { return [][]byte{ana.sign(t, d, ns), []byte("yes")} }, "signature 2"},
		"a crowd":                     {func(d []byte) [][]byte { return make([][]byte, 17) }, "too many"},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := lost(t)
			next := newNotary(t, "log2.example", 2)
			document, _ := draft(t, s, next)
			_, err := s.Begin(t.Context(), keeper.Beginning{Document: document, Signatures: x.sign(document), Key: next.key, Voters: v})
			began := len(w.shelf.epochs) == 2
			switch {
			case x.want == "" && (err != nil || !began):
				t.Errorf("expected it to begin, got %v", err)
			case x.want != "" && (began || gate.CodeOf(err) != gate.CodeEpoch || !strings.Contains(err.Error(), x.want)):
				t.Errorf("expected %q, got %v", x.want, err)
			}
		})
	}
}

// Both administrators sign, and still the document has to be of this ledger as it is.
func TestDocumentHasToHold(t *testing.T) {
	ana, bo := newPerson(t, 1), newPerson(t, 2)
	v := voters(t, []person{ana, bo})
	for name, x := range map[string]struct {
		change func(d *keeper.EpochDocument)
		then   func(w *world, s *keeper.Succession)
		key    byte
		want   string
	}{
		"an earlier number":     {change: func(d *keeper.EpochDocument) { d.Number = 1 }, want: "another epoch"},
		"a later number":        {change: func(d *keeper.EpochDocument) { d.Number = 3 }, want: "another epoch"},
		"after another epoch":   {change: func(d *keeper.EpochDocument) { d.Previous.Number = 2 }, want: "another epoch"},
		"after another log":     {change: func(d *keeper.EpochDocument) { d.Previous.Origin = "x.example" }, want: "another epoch"},
		"another origin":        {change: func(d *keeper.EpochDocument) { d.Origin = "log3.example" }, want: "what is configured"},
		"another key":           {change: func(d *keeper.EpochDocument) { d.LogKey = keeper.Fingerprint(nil) }, want: "what is configured"},
		"configured otherwise":  {key: 3, want: "what is configured"},
		"less was published":    {change: func(d *keeper.EpochDocument) { d.Previous.Size = 19 }, want: "more was published"},
		"another was published": {change: func(d *keeper.EpochDocument) { d.Previous.Root[0]++ }, want: "more was published"},
		"nothing was published": {change: func(d *keeper.EpochDocument) { d.Previous.TreeHead = keeper.TreeHead{}; d.Previous.Checkpoint = "" }, want: "more was published"},
		"less is lost":          {change: func(d *keeper.EpochDocument) { d.Lost.From = 15 }, want: "as lost"},
		"nothing is lost":       {change: func(d *keeper.EpochDocument) { d.Lost = keeper.Span{From: 20, To: 20} }, want: "as lost"},
		"another database":      {change: func(d *keeper.EpochDocument) { d.Database.Root[0]++ }, want: "not the one of the document"},
		"a larger database":     {change: func(d *keeper.EpochDocument) { d.Database.Size = 16 }, want: "not the one of the document"},
		"a negative one":        {change: func(d *keeper.EpochDocument) { d.Database.Size = -1 }, want: "not the one of the document"},
		"of the future":         {change: func(d *keeper.EpochDocument) { d.Made = d.Made.Add(time.Hour) }, want: "too old, or of the future"},
		"too old":               {change: func(d *keeper.EpochDocument) { d.Made = d.Made.Add(-8 * 24 * time.Hour) }, want: "too old"},
		"another version":       {change: func(d *keeper.EpochDocument) { d.V = 2 }, want: "version 1"},
		"restored meanwhile":    {then: func(w *world, _ *keeper.Succession) { w.shelf.leaves = w.shelf.leaves[:12] }, want: "not the one of the document"},
		"grown meanwhile":       {then: func(w *world, _ *keeper.Succession) { w.shelf.add(1, "entry") }},
		"begun meanwhile": {then: func(w *world, s *keeper.Succession) {
			n := newNotary(t, "log2.example", 2)
			w.shelf.epochs = append(w.shelf.epochs, gate.Epoch{Number: 2, Origin: "log2.example", SPKI: n.key.SPKI()})
		}, want: "CS-1515"},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := lost(t)
			next := newNotary(t, "log2.example", 2)
			document, d := draft(t, s, next)
			if x.change != nil {
				x.change(&d)
				var err error
				if document, err = d.Bytes(); err != nil {
					t.Fatal(err)
				}
			}
			if x.then != nil {
				x.then(w, &s)
			}
			if x.key != 0 {
				next = newNotary(t, "log2.example", x.key)
			}
			before := len(w.shelf.epochs)
			_, err := s.Begin(t.Context(), keeper.Beginning{
				Document: document, Key: next.key, Voters: v,
				Signatures: [][]byte{ana.sign(t, document, keeper.EpochNamespace), bo.sign(t, document, keeper.EpochNamespace)},
			})
			if x.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if gate.CodeOf(err) != gate.CodeEpoch || !strings.Contains(err.Error(), x.want) || len(w.shelf.epochs) != before {
				t.Errorf("expected %q, got %v", x.want, err)
			}
		})
	}
}

func TestDocumentHasOneSpelling(t *testing.T) {
	_, s := lost(t)
	document, _ := draft(t, s, newNotary(t, "log2.example", 2))
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "", "  "); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"no line feed":      bytes.TrimSpace(document),
		"two line feeds":    append(bytes.Clone(document), '\n'),
		"indented":          indented.Bytes(),
		"an unknown member": bytes.Replace(document, []byte(`{"`), []byte(`{"a":1,"`), 1),
		"another time zone": bytes.Replace(document, []byte(`Z","number"`), []byte(`+00:00","number"`), 1),
		"too long":          append(bytes.Clone(document), bytes.Repeat([]byte(" "), keeper.MaxEpochDocument)...),
	} {
		if d, err := keeper.ParseEpochDocument(b); err == nil {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}

func TestRecordOfAnotherEpoch(t *testing.T) {
	w, s := lost(t)
	next := newNotary(t, "log2.example", 2)
	document, _ := draft(t, s, next)
	ana, bo := newPerson(t, 1), newPerson(t, 2)
	v := voters(t, []person{ana, bo})
	e, err := s.Begin(t.Context(), keeper.Beginning{
		Document: document, Key: next.key, Voters: v,
		Signatures: [][]byte{ana.sign(t, document, keeper.EpochNamespace), bo.sign(t, document, keeper.EpochNamespace)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(e *gate.Epoch){
		"another number":     func(e *gate.Epoch) { e.Number = 3 },
		"another origin":     func(e *gate.Epoch) { e.Origin = "x.example" },
		"another key":        func(e *gate.Epoch) { e.SPKI = w.notary.key.SPKI() },
		"no record":          func(e *gate.Epoch) { e.Document = nil },
		"another reason":     func(e *gate.Epoch) { e.Document = bytes.Replace(e.Document, []byte("Monday"), []byte("Sunday"), 1) },
		"another's name":     func(e *gate.Epoch) { e.Document = bytes.Replace(e.Document, []byte("github:1"), []byte("github:9"), 1) },
		"one signature":      func(e *gate.Epoch) { e.Document = cut(t, e.Document) },
		"a first with words": func(e *gate.Epoch) { e.Number = 1 },
	} {
		x := e
		change(&x)
		if err := keeper.VerifyEpoch(x, v); err == nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
}

func cut(t *testing.T, record []byte) []byte {
	t.Helper()
	r, _, err := keeper.ParseEpochRecord(record)
	if err != nil {
		t.Fatal(err)
	}
	r.Signatures = r.Signatures[:1]
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzParseEpochDocument(f *testing.F) {
	d := keeper.EpochDocument{V: 1, Number: 2, Origin: "log2.example", LogKey: "SHA256:00", Reason: reason, Made: time.Unix(1_700_000_000, 0).UTC()}
	b, err := d.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := keeper.ParseEpochDocument(b); err == nil {
			if again, err := d.Bytes(); err != nil || !bytes.Equal(again, b) {
				t.Errorf("expected one spelling, got %q and %q, %v", b, again, err)
			}
		}
	})
}

func FuzzParseEpochRecord(f *testing.F) {
	d := keeper.EpochDocument{V: 1, Number: 2, Reason: reason}
	b, err := d.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	record, err := json.Marshal(keeper.EpochRecord{V: 1, Document: string(b), Signatures: []keeper.EpochSignature{{SSH: "x"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, d, err := keeper.ParseEpochRecord(b); err == nil && (r.V != 1 || d.V != 1) {
			t.Errorf("got %+v, %+v", r, d)
		}
	})
}
