package monitor_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/monitor"
)

// Verifier keys read as the reference implementation writes them.
func TestLogKeys(t *testing.T) {
	_, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	k, err := monitor.ParseLogKey(vkey + "\n")
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil || k.Name() != v.Name() || k.KeyHash() != v.KeyHash() {
		t.Errorf("expected %s %08x, got %s %08x, %v", v.Name(), v.KeyHash(), k.Name(), k.KeyHash(), err)
	}
	s := newSigner(t)
	sum := sha256.Sum256(s.version.SPKI)
	p256 := fmt.Sprintf("%s+%x+%s", origin, sum[:4], base64.StdEncoding.EncodeToString(append([]byte{2}, s.version.SPKI...)))
	if _, err := monitor.ParseLogKey(p256); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{
		"", "a", "a+b", "a+00000000+", "a+00000000+AQ==", strings.Replace(vkey, origin, "other.example", 1), strings.Replace(p256, "+", "+0", 1),
		vkey + "AAAA", "a b" + vkey[len(origin):], origin + "+00000000+" + base64.StdEncoding.EncodeToString(append([]byte{4}, make([]byte, 32)...)),
	} {
		if _, err := monitor.ParseLogKey(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestFingerprints(t *testing.T) {
	if _, err := monitor.ParseFingerprint(newSigner(t).hint); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "SHA256:", "MD5:aa", "SHA256:" + strings.Repeat("A", 44), "SHA256:" + strings.Repeat("A", 42) + "="} {
		if _, err := monitor.ParseFingerprint(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// placed is the bytes of a kept place.
func placed(t testing.TB, size int) []byte {
	t.Helper()
	l := newLog(t)
	l.fill(size)
	l.publish()
	w := newWatch(t, l)
	w.round()
	b, err := os.ReadFile(w.config.Shelf.(monitor.File).Path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A place has to agree with itself.
func TestDamagedPlaces(t *testing.T) {
	whole := placed(t, 300)
	if p, err := monitor.ParsePlace(whole); err != nil || p.Next != 300 || p.Head.Size != 300 || len(p.Edge) != 4 {
		t.Fatalf("got %+v, %v", p, err)
	}
	edit := func(name string, value any) []byte {
		t.Helper()
		var all map[string]any
		if err := json.Unmarshal(whole, &all); err != nil {
			t.Fatal(err)
		}
		all[name] = value
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var other map[string]any
	if err := json.Unmarshal(placed(t, 300), &other); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "half of it": whole[:len(whole)/2], "more after it": append(bytes.Clone(whole), '{'),
		"another version": edit("v", 2), "an unknown member": edit("w", 1), "no note": edit("note", ""), "a note without a head": edit("note", "x\n\n"),
		"no edge": edit("edge", []any{}), "another edge": edit("edge", []any{"AA=="}), "beyond the end": edit("next", 301), "before the beginning": edit("next", -1),
		"an edge of another tree": edit("edge", other["edge"]),
		"another size":            bytes.Replace(whole, []byte(`\n300\n`), []byte(`\n301\n`), 1),
		"too long":                append(bytes.Clone(whole), bytes.Repeat([]byte(" "), 1<<20)...),
	} {
		if p, err := monitor.ParsePlace(b); err == nil {
			t.Errorf("%s: was taken as %+v", name, p)
		}
	}
}

// A damaged place ends the round: nothing is begun anew behind the operator's back.
func TestDamagedPlaceStops(t *testing.T) {
	l := newLog(t)
	l.fill(3)
	l.publish()
	w := newWatch(t, l)
	path := w.config.Shelf.(monitor.File).Path
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.m.Round(t.Context()); err == nil || monitor.Unreachable(err) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

// Saving leaves one file that only its owner reads.
func TestPlaceFile(t *testing.T) {
	f := monitor.File{Path: filepath.Join(t.TempDir(), "place.json")}
	if _, ok, err := f.Load(t.Context()); ok || err != nil {
		t.Errorf("got %t, %v", ok, err)
	}
	p, err := monitor.ParsePlace(placed(t, 5))
	if err != nil {
		t.Fatal(err)
	}
	p.Pinned, p.Left = map[string]gate.Purpose{"SHA256:x": gate.PurposeVerdict}, []string{"old.example"}
	for range 3 {
		if err := f.Save(context.Background(), p); err != nil {
			t.Fatal(err)
		}
	}
	back, ok, err := f.Load(t.Context())
	if err != nil || !ok || back.Head != p.Head || back.Pinned["SHA256:x"] != gate.PurposeVerdict || back.Left[0] != "old.example" {
		t.Errorf("got %+v, %t, %v", back, ok, err)
	}
	all, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v", all, err)
	}
	if info, err := all[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	if err := (monitor.File{Path: filepath.Join(t.TempDir(), "no/folder/place.json")}).Save(t.Context(), p); err == nil {
		t.Error("it was kept in a folder that is not there")
	}
}

// The folder of a mirror is read as the server is.
func TestFolder(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	l.fill(300)
	r := l.write(key, plan(t, key, 1, request))
	l.publish()
	dir := t.TempDir()
	for _, path := range []string{
		"log/checkpoint", "log/tile/0/000", "log/tile/0/001.p/50", "log/tile/1/000.p/1", "log/tile/entries/000", "log/tile/entries/001.p/50",
		fmt.Sprint("v1/log/entries/", r.decidedAt), fmt.Sprint("v1/log/entries/", r.intendsAt), fmt.Sprint("v1/log/entries/", r.signedAt[0]),
	} {
		b, ok := l.body("/" + path)
		if !ok {
			t.Fatal(path)
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := monitor.OpenFolder(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = folder.Close() }()
	w := newWatch(t, l, trusting(key), func(c *monitor.Config) { c.Source = folder })
	if len(l.entries) != 306 {
		t.Fatal(len(l.entries))
	}
	if sum := w.round(); sum.Read != 306 {
		t.Errorf("got %+v", sum)
	}
	if err := os.Remove(filepath.Join(dir, "log/tile/0/000")); err != nil {
		t.Fatal(err)
	}
	w = newWatch(t, l, trusting(key), func(c *monitor.Config) { c.Source = folder })
	w.round(monitor.KindTiles)
}

func TestWebAddresses(t *testing.T) {
	for _, bad := range []string{"", "sign.example.org/log", "ftp://x/log", "https:///log", "https://u:p@x/log", "https://x/log?y=1", "https://x/log#y", "%"} {
		if _, err := monitor.NewWeb(bad, 0); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	f.Add([]byte(`{"v":1,"note":"o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n","edge":[],"next":0}`))
	f.Add([]byte(`{"v":1,"note":"o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n","edge":["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="],"next":1,"left":["x"],"pinned":{"SHA256:x":"release"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := monitor.ParsePlace(b)
		if err != nil {
			return
		}
		again, err := p.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		back, err := monitor.ParsePlace(again)
		if err != nil || back.Head != p.Head || back.Next != p.Next || len(back.Edge) != len(p.Edge) {
			t.Errorf("expected %+v again, got %+v, %v", p, back, err)
		}
	})
}

func FuzzParseShown(f *testing.F) {
	f.Add([]byte(`{"index":1,"kind":"intents","id":"x","at":"2026-03-02T12:00:00Z","leaf":"AA==","salt":"AA==","document":"e30=","evidence":{"decision":1,"intents":2}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := monitor.ParseShown(b)
		if err == nil && (e.Index < 0 || len(e.Leaf) == 0) {
			t.Errorf("%q was taken as %+v", b, e)
		}
	})
}

func FuzzParseLogKey(f *testing.F) {
	_, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(vkey)
	f.Add(origin + "+00000000+" + base64.StdEncoding.EncodeToString(make([]byte, 1+ed25519.PublicKeySize)))
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := monitor.ParseLogKey(s); err == nil && !strings.HasPrefix(strings.TrimSpace(s), fmt.Sprintf("%s+%08x+", k.Name(), k.KeyHash())) {
			t.Errorf("%q was taken as %s", s, k.Name())
		}
	})
}
