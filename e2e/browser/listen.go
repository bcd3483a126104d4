package browser

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Listen hears what the browser complains of in the tab from now on: what a page's CSP
// blocked, what its scripts threw, what could not be loaded. The returned function takes
// what was heard. An answer that is itself an error is none.
func Listen(tab context.Context) (func() []string, error) {
	var mu sync.Mutex
	var heard []string
	chromedp.ListenTarget(tab, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError && !strings.Contains(e.Entry.Text, "responded with a status of 4") {
				heard = append(heard, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
			}
		case *runtime.EventExceptionThrown:
			heard = append(heard, e.ExceptionDetails.Error())
		}
	})
	if err := do(tab, "listen", log.Enable()); err != nil {
		return nil, err
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := heard
		heard = nil
		return out
	}, nil
}
