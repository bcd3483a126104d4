package setup

import (
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/frame"
	"github.com/countersign/countersign/web/frame/frametest"
)

// Pages are all that the setup shows, by the step that is next, ready to be filled.
func Pages() map[string]frametest.Case {
	page := frame.Parse(files, "pages/*.html", nil)
	each := func(after func(m *model)) frametest.Case {
		return frametest.Case{Page: page, Model: func() (any, func()) {
			m := &model{}
			return m, func() {
				if len(m.Way) == 0 {
					m.Way = way(StepForge) // a page of no step is the problem's own
				}
				m.Form = nil
				after(m)
			}
		}}
	}
	return map[string]frametest.Case{
		"forge": each(func(m *model) { m.Kind = "" }),
		"manifest": each(func(m *model) {
			// The address is the gate's own making, of a GitHub's that it read as a URL.
			m.Form = &Form{Action: "https://github.example/settings/apps/new", Manifest: m.Web}
		}),
		"install":  each(func(m *model) { m.Kind, m.Holders = gate.GitHub, nil }),
		"projects": each(func(m *model) { m.Kind, m.Holders, m.InstallURL = gate.GitLab, nil, "" }),
		"administrator": each(func(m *model) {
			m.Kind, m.Holders, m.Administrator = gate.GitHub, []Holder{{Name: m.Web}}, gate.Account{}
		}),
		"key": each(func(m *model) {
			m.Holders, m.Key = []Holder{{Name: m.Web}}, Key{}
		}),
		"finish":  each(func(m *model) { m.Holders = []Holder{{Name: m.Web}, {Name: m.Web}} }),
		"problem": each(func(m *model) { m.Way = nil }),
	}
}
