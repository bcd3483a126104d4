package web

import (
	"strings"
	"time"

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
	}
}

// Show renders one page around what its model points to.
func Show(name string, v frame.View) (string, error) {
	s := &server{Config: Config{Now: func() time.Time { return time.Unix(1772452800, 0) }}}
	var b strings.Builder
	err := s.allPages()[name].Show(&b, v)
	return b.String(), err
}

// PageNames are all templates.
func PageNames() []string {
	var out []string
	for name := range (&server{}).allPages() {
		out = append(out, name)
	}
	return out
}
