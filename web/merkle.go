package web

import (
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
)

// leafHash is SHA-256(0x00 ‖ leaf), RFC 6962, 2.1.
func leafHash(leaf []byte) gate.Digest { return gate.Digest(tlog.RecordHash(leaf)) }

// merklePath is the way from a leaf to the root, ready to be drawn: the leaf is at the
// bottom, the root on top.
type merklePath struct {
	Steps []merkleStep // from the leaf upwards
	Root  gate.Digest
	// Height is the drawing's, in its own units.
	Height int
	Leaf   merkleNode
}

// merkleStep joins what was reached so far with its sibling.
type merkleStep struct {
	// Left is set where the sibling stands to the left.
	Left    bool
	Sibling gate.Digest
	// Draw are the sibling and the node that both make.
	SiblingAt, NodeAt merkleNode
	// Y1 and Y2 are the heights of the lines' ends.
	Y1, Y2 int
}

type merkleNode struct {
	X, Y, TextY, Top int
	Short            string
}

// The drawing is 300 wide: nodes of the path in the middle, siblings at either side.
const (
	merkleRow    = 64
	merkleMiddle = 150
	merkleLeft   = 55
	merkleRight  = 245
	merkleTop    = 28
)

// pathOf walks an inclusion proof (RFC 9162, 2.1.3.2) from the leaf to the root.
func pathOf(leaf gate.Digest, index, size int64, proof []tlog.Hash) merklePath {
	p := merklePath{Height: merkleTop*2 + merkleRow*len(proof)}
	at := func(x, level int, d gate.Digest) merkleNode {
		y := p.Height - merkleTop - merkleRow*level
		return merkleNode{X: x, Y: y, TextY: y + 5, Top: y - 16, Short: d.String()[:8]}
	}
	node, fn, sn := leaf, index, size-1
	p.Leaf = at(merkleMiddle, 0, leaf)
	for level, h := range proof {
		step := merkleStep{Sibling: gate.Digest(h), Left: fn&1 == 1 || fn == sn}
		x := merkleRight
		if step.Left {
			x, node = merkleLeft, nodeHash(step.Sibling, node)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			node = nodeHash(node, step.Sibling)
		}
		fn, sn = fn>>1, sn>>1
		step.SiblingAt, step.NodeAt = at(x, level, step.Sibling), at(merkleMiddle, level+1, node)
		step.Y1, step.Y2 = step.SiblingAt.Y-16, step.NodeAt.Y+16
		p.Steps = append(p.Steps, step)
	}
	p.Root = node
	return p
}

// nodeHash is SHA-256(0x01 ‖ left ‖ right), RFC 6962, 2.1.
func nodeHash(left, right gate.Digest) gate.Digest {
	return gate.Digest(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right)))
}
