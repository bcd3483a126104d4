package manual

import (
	"path"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// links leads links between the manual's files to where the server has them.
type links struct {
	base   string
	folder string          // of the page, "." at the top
	known  map[string]bool // paths of files
}

// Transform implements parser.ASTTransformer.
func (l links) Transform(doc *ast.Document, reader text.Reader, _ parser.Context) {
	var dead []ast.Node
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the walker never fails
		switch n := n.(type) {
		case *ast.Link:
			to, ok := l.target(string(n.Destination))
			n.Destination = []byte(to)
			if entering && !ok {
				dead = append(dead, n)
			}
		case *ast.Image:
			if entering {
				dead = append(dead, n) // the server has the manual's text, not its pictures
			}
		}
		return ast.WalkContinue, nil
	})
	for _, n := range dead {
		n.Parent().ReplaceChild(n.Parent(), n, ast.NewString([]byte(plain(n, reader.Source()))))
	}
}

// target is where a link leads on the server; false where the server has no such thing.
func (l links) target(to string) (string, bool) {
	for _, elsewhere := range []string{"https://", "http://", "mailto:", "#", "/"} {
		if strings.HasPrefix(to, elsewhere) {
			return to, true
		}
	}
	file, fragment, _ := strings.Cut(to, "#")
	file = path.Join(l.folder, file)
	if !l.known[file] {
		return to, false
	}
	out := l.base + strings.TrimSuffix(file, ".md")
	if fragment != "" {
		out += "#" + fragment
	}
	return out, true
}
