// Package browser drives the pages as a person does: Chromium over the real daemon, with
// the doubles of both forges behind it. Its tests are the stories of people; each page is
// held against axe-core on the way.
//
// A tab is a context, as chromedp has it: every function here takes the tab to act in as
// its context.
package browser
