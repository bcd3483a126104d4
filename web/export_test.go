package web

import (
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/frame"
	"github.com/countersign/countersign/web/manual"
)

// Models are what each page shows, by its template's name: a pointer to the zero model. A
// page that is added gets its line here, and is held against hostile text with the others.
func Models() map[string]any {
	return map[string]any{
		"inbox": &inboxBody{}, "release": &releaseBody{}, "signin": &struct{}{},
		"problem": &problemBody{}, "code": &gate.CodeInfo{},
		"docs": &[]manualPart{}, "doc": &manual.Page{},
		"repositories": &repositoriesBody{}, "repository": &repositoryBody{}, "adoption": &adoptionBody{}, "candidates": &candidatesBody{},
		"ledger": &ledgerBody{}, "entry": &entryBody{},
		"keys": &keysBody{}, "key": &keyBody{}, "operations": &operationsBody{}, "doctor": &doctorBody{},
	}
}

// RootOf walks an inclusion proof as the page of an entry draws it, and answers the root, how
// many levels are drawn, and what of the drawing lies outside its frame.
func RootOf(leaf gate.Digest, index, size int64, proof []tlog.Hash) (root gate.Digest, levels, outside int) {
	p := pathOf(leaf, index, size, proof)
	nodes := []merkleNode{p.Leaf}
	for _, s := range p.Steps {
		nodes = append(nodes, s.SiblingAt, s.NodeAt)
	}
	for _, n := range nodes {
		if n.Top < 0 || n.Y+16 > p.Height || n.X < merkleLeft || n.X > merkleRight {
			outside++
		}
	}
	return p.Root, len(p.Steps), outside
}

// AllPages are all templates, ready to be shown.
func AllPages() map[string]frame.Page {
	return (&server{Config: Config{Now: func() time.Time { return time.Unix(1772452800, 0) }}}).allPages()
}
