package main

import (
	"bufio"
	"io"

	"github.com/countersign/countersign/gate/api"
)

// print tells a person; of facts that are proven only how many, unless all are asked for.
func (c *chart) print(out io.Writer, n map[api.FindingLevel]int, all bool) error {
	p := page{bufio.NewWriter(out)}
	area, proven := "", 0
	end := func() {
		if proven > 0 {
			p.row("pass", count(proven, "fact")+" about this forge proven (--all shows them)")
		}
		proven = 0
	}
	for i, f := range c.found {
		if f.Area != area {
			end()
			area = f.Area
			if i > 0 {
				p.line("")
			}
			p.line("%s", area)
		}
		if f.Level == api.FindingPass && isFact(f.ID) && !all {
			proven++
			continue
		}
		p.row(string(f.Level), f.Text)
		// A fix that is the same for several in a row is said once.
		last := i+1 == len(c.found) || c.found[i+1].Area != area || c.found[i+1].Fix != f.Fix
		if f.Fix != "" && last {
			p.below("Fix: %s", f.Fix)
		}
	}
	end()
	p.line("\n%s, %s, %d passed.", count(n[api.FindingFailure], "failure"), count(n[api.FindingWarning], "warning"), n[api.FindingPass])
	return p.Flush()
}
