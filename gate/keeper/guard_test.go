package keeper_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate/keeper"
)

func TestGuardThereAndBack(t *testing.T) {
	folder := t.TempDir()
	f := keeper.File{Path: filepath.Join(folder, "published")}
	if _, ok, err := f.Read(); ok || err != nil {
		t.Errorf("nothing yet: got %v, %v", ok, err)
	}
	for _, note := range []string{"a\n\n— a b\n", "longer text\nhere\n\n— a b\n", "c\n"} {
		want := keeper.Mark{Epoch: len(note), Note: []byte(note)}
		if err := f.Keep(want); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := f.Read(); err != nil || !ok || got.Epoch != want.Epoch || !bytes.Equal(got.Note, want.Note) {
			t.Errorf("expected %+v, got %+v, %v, %v", want, got, ok, err)
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("expected one file, got %v, %v", left, err)
	}
}

func TestGuardRefuses(t *testing.T) {
	const head = "countersign published checkpoint v1\n"
	for name, content := range map[string]string{
		"nothing":         "",
		"another version": "countersign published checkpoint v2\nepoch 1\n\nnote",
		"no epoch":        head + "\nnote",
		"epoch 0":         head + "epoch 0\n\nnote",
		"a signed epoch":  head + "epoch +1\n\nnote",
		"a leading zero":  head + "epoch 01\n\nnote",
		"no note":         head + "epoch 1\n\n",
		"cut off":         head + "epoch 1\n",
		"too long":        head + "epoch 1\n\n" + strings.Repeat("x", 20<<10),
	} {
		f := keeper.File{Path: filepath.Join(t.TempDir(), "published")}
		if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if m, ok, err := f.Read(); err == nil {
			t.Errorf("%s: expected an error, got %+v, %v", name, m, ok)
		}
	}
	folder := t.TempDir()
	f := keeper.File{Path: filepath.Join(folder, "published")}
	if err := os.Mkdir(f.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Read(); err == nil {
		t.Error("a folder: expected an error")
	}
	if err := f.Keep(keeper.Mark{Epoch: 1, Note: []byte("n")}); err == nil {
		t.Error("over a folder: expected an error")
	}
	if left, _ := os.ReadDir(folder); len(left) != 1 {
		t.Errorf("a failed write leaves nothing: got %v", left)
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add([]byte("countersign published checkpoint v1\nepoch 12\n\na\n1\nx\n\n— a b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := keeper.ParseMark(b); err == nil && !bytes.Equal(m.Bytes(), b) {
			t.Errorf("expected one spelling, got %q and %q", b, m.Bytes())
		}
	})
}
