package web

import (
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
		"repositories": &repositoriesBody{}, "repository": &repositoryBody{}, "adoption": &adoptionBody{}, "candidates": &candidatesBody{},
		"ledger": &ledgerBody{}, "entry": &entryBody{},
		"keys": &keysBody{}, "key": &keyBody{}, "operations": &operationsBody{}, "doctor": &doctorBody{},
	}
}

// AllPages are all templates, ready to be shown.
func AllPages() map[string]frame.Page {
	return (&server{Config: Config{Now: func() time.Time { return time.Unix(1772452800, 0) }}}).allPages()
}
