package web_test

import (
	"testing"

	"github.com/countersign/countersign/web"
	"github.com/countersign/countersign/web/frame/frametest"
)

// Every page has a model to be filled with hostile text.
func TestEveryPageHasAModel(t *testing.T) {
	models := web.Models()
	for name := range web.AllPages() {
		if models[name] == nil {
			t.Errorf("pages/%s.html has none: give it one in Models of web/export_test.go", name)
		}
	}
}

func cases() map[string]frametest.Case {
	out := map[string]frametest.Case{}
	for name, page := range web.AllPages() {
		out[name] = frametest.Case{Page: page, Model: func() (any, func()) { return web.Models()[name], nil }}
	}
	return out
}

// Whatever text stands in whatever field, a page stays the page that it is.
func TestHostileTextIsText(t *testing.T) { frametest.HoldText(t, cases()) }

// The same for addresses that a page may link to.
func TestHostileAddresses(t *testing.T) { frametest.HoldAddresses(t, cases()) }
