package main

import (
	"bufio"
	"io"

	"github.com/countersign/countersign/forges/probe"
)

// print tells a person; of facts that are proven only how many, unless all are asked for.
func (d *doctor) print(out io.Writer, n map[probe.Level]int, all bool) error {
	p := page{bufio.NewWriter(out)}
	area, proven := "", 0
	end := func() {
		if proven > 0 {
			p.row("pass", count(proven, "fact")+" about this forge proven (--all shows them)")
		}
		proven = 0
	}
	for i, c := range d.checks {
		if c.Area != area {
			end()
			area = c.Area
			if i > 0 {
				p.line("")
			}
			p.line("%s", area)
		}
		if c.Level == probe.Pass && isFact(c.ID) && !all {
			proven++
			continue
		}
		p.row(string(c.Level), c.Text)
		// A fix that is the same for several in a row is said once.
		last := i+1 == len(d.checks) || d.checks[i+1].Area != area || d.checks[i+1].Fix != c.Fix
		if c.Fix != "" && last {
			p.below("Fix: %s", c.Fix)
		}
	}
	end()
	p.line("\n%s, %s, %d passed.", count(n[probe.Failure], "failure"), count(n[probe.Warning], "warning"), n[probe.Pass])
	return p.Flush()
}
