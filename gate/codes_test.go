package gate_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
)

// Every constant of type Code is explained, once, in order, in whole sentences.
func TestCodesAreComplete(t *testing.T) {
	declared := declaredCodes(t)
	if len(declared) < 40 {
		t.Fatalf("only %d codes found in the source", len(declared))
	}
	var last gate.Code
	for _, c := range gate.Codes() {
		if c.Code <= last {
			t.Errorf("%s follows %s", c.Code, last)
		}
		last = c.Code
		if _, ok := declared[int(c.Code)]; !ok {
			t.Errorf("%s is listed and not declared", c.Code)
		}
		delete(declared, int(c.Code))
		for _, text := range []string{c.Meaning, c.Next} {
			if !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "\n<>|") {
				t.Errorf("%s: %q is no sentence for manual and page", c.Code, text)
			}
		}
	}
	for n, name := range declared {
		t.Errorf("%s = %d is not in Codes()", name, n)
	}
}

// declaredCodes reads the constants off the package's source.
func declaredCodes(t *testing.T) map[int]string {
	t.Helper()
	out := map[int]string{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				addCodes(t, out, v)
			}
			return true
		})
	}
	return out
}

func addCodes(t *testing.T, to map[int]string, v *ast.ValueSpec) {
	t.Helper()
	if kind, ok := v.Type.(*ast.Ident); !ok || kind.Name != "Code" {
		return
	}
	for i, name := range v.Names {
		number, err := strconv.Atoi(v.Values[i].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatalf("%s: %v", name.Name, err)
		}
		if other, twice := to[number]; twice {
			t.Errorf("%s and %s are both %d", other, name.Name, number)
		}
		to[number] = name.Name
	}
}
