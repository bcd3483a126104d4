package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/countersign/countersign/gate"
)

// bodyRule is what a request's body may be, and the codes of what may not.
type bodyRule struct {
	limit            int64 // bytes
	tooLarge, broken gate.Code
}

// read returns the whole body. What announces itself as too large is not read at all;
// what turns out to be is read no further than the limit (attack 63).
func (b bodyRule) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > b.limit {
		return nil, b.excess(fmt.Sprintf("%d bytes", r.ContentLength))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.limit))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, b.excess("more")
	case err != nil:
		return nil, &gate.Error{
			Kind: gate.Invalid, Code: b.broken, Text: "the body broke off",
			Expected: "a whole body, in time", Got: fmt.Sprintf("its first %d bytes", len(body)), Fix: "send it again", Err: err,
		}
	}
	return body, nil
}

func (b bodyRule) excess(got string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: b.tooLarge, Text: "the body is too large",
		Expected: fmt.Sprintf("at most %d bytes", b.limit), Got: got, Fix: "send less",
	}
}
