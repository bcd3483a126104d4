package github

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate/api"
)

// examined are the findings of one area.
type examined struct {
	area string
	out  []api.Finding
}

func (x *examined) pass(id, format string, args ...any) {
	x.out = append(x.out, api.Finding{ID: id, Area: x.area, Level: api.FindingPass, Text: fmt.Sprintf(format, args...)})
}

func (x *examined) warn(id, fix, format string, args ...any) {
	x.out = append(x.out, api.Finding{ID: id, Area: x.area, Level: api.FindingWarning, Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (x *examined) fail(id, fix, format string, args ...any) {
	x.out = append(x.out, api.Finding{ID: id, Area: x.area, Level: api.FindingFailure, Text: fmt.Sprintf(format, args...), Fix: fix})
}

// count is "1 file", "2 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// some lists names, not more than fit a line.
func some(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}
