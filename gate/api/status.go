package api

import (
	"net/http"

	"github.com/countersign/countersign/gate"
)

// StatusOf is the HTTP status of an error's kind, and of the few codes that have one of their
// own; 500 for what nobody classified.
func StatusOf(err error) int {
	switch gate.CodeOf(err) { //nolint:exhaustive // the others go by their kind
	case gate.CodeBodyTooLarge, gate.CodeDeliveryTooLarge:
		return http.StatusRequestEntityTooLarge
	case gate.CodeMethod:
		return http.StatusMethodNotAllowed
	}
	switch gate.KindOf(err) {
	case gate.Invalid:
		return http.StatusBadRequest
	case gate.Unidentified:
		return http.StatusUnauthorized
	case gate.Refused:
		return http.StatusForbidden
	case gate.NotFound:
		return http.StatusNotFound
	case gate.Conflict:
		return http.StatusConflict
	case gate.Unavailable:
		return http.StatusServiceUnavailable
	case gate.Internal:
	}
	return http.StatusInternalServerError
}
