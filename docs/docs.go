// Package docs is the manual, compiled in: the server serves it at /docs.
package docs

import "embed"

// Files are the manual's pages, in Markdown, and the schemas that they speak of.
//
//go:embed *.md predicates/*.md predicates/*.json
var Files embed.FS

// Part is a part of the table of contents.
type Part struct {
	Title string
	Pages []string // paths without .md
}

// Contents are the parts of the manual, in the order in which a newcomer reads them. Pages
// that no part names come last.
func Contents() []Part {
	return []Part{
		{Title: "Start", Pages: []string{"quickstart-github", "quickstart-gitlab"}},
		{Title: "Releasing", Pages: []string{"approving", "policy", "action", "component", "recipes"}},
		{Title: "Checking releases", Pages: []string{"verifying", "evidence", "monitoring"}},
		{Title: "Running the server", Pages: []string{"operating", "ledger", "probe", "security"}},
		{Title: "Reference", Pages: []string{"countersign", "countersignd", "api", "errors", "predicates/summary", "predicates/decision-v1", "predicates/approval-v1"}},
	}
}
