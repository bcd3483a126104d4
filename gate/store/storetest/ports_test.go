package storetest_test

import (
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
)

// The store is what the release room asks for.
var (
	_ release.Inbox    = (*store.Store)(nil)
	_ release.Requests = (*store.Store)(nil)
	_ release.Book     = (*store.Store)(nil)
	_ release.Signing  = (*store.Store)(nil)
	_ release.Outbox   = (*store.Store)(nil)
	_ release.Watching = (*store.Store)(nil)
	_ release.Hearing  = (*store.Store)(nil)
	_ release.Sealing  = (*store.Store)(nil)
	_ release.Verdicts = (*store.Store)(nil)
)
