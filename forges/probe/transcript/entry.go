package transcript

import (
	"encoding/json"
	"net/http"
)

// Format is the version of the file's format.
const Format = 1

// Header is a transcript's first line.
type Header struct {
	Format int `json:"transcript"`
	// About says what was asked, in stand-ins: forge, kind, repository, ref, …
	About map[string]string `json:"about"`
	// URL and API are the stand-ins of the forge's web side and of its REST base: what a
	// client is configured with that asks the record.
	URL string `json:"url"`
	API string `json:"api"`
}

// Entry is one call: a line of the transcript.
type Entry struct {
	Method string `json:"method"`
	// Target is the escaped path with its query.
	Target string `json:"target"`
	// Conditional marks a call that asked only for what changed (If-None-Match).
	Conditional bool            `json:"conditional,omitempty"`
	Request     json.RawMessage `json:"request,omitempty"` // the JSON body that was sent
	// Status is 0 where no answer came.
	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"`
	Body   json.RawMessage   `json:"body,omitempty"`
}

// exchange is one call as it was, kept in memory only.
type exchange struct {
	request     *http.Request // without body
	sent        []byte
	conditional bool
	status      int
	header      http.Header
	body        []byte
	cut         bool // the body was longer than is kept
}
