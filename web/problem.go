package web

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// problem answers err as RFC 9457 has it.
func (s *server) problem(w http.ResponseWriter, _ *http.Request, err error) {
	e := shown(err)
	status := refusal(w.Header(), e)
	body, merr := json.Marshal(api.Problem{
		Type: s.Server.JoinPath("errors", e.Code.String()).String(), Title: e.Text, Status: status,
		Code: e.Code.String(), Expected: e.Expected, Got: e.Got, Fix: e.Fix, Claims: e.Claims,
	})
	if merr != nil {
		plain(w, http.StatusInternalServerError, gate.CodeInternal.String()+"\n")
		return
	}
	w.Header().Set("Content-Type", api.MediaProblem)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to tell
}

// refusal sets the headers that go with an error and returns its status.
func refusal(h http.Header, e *gate.Error) int {
	status := api.StatusOf(e)
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge(e.Code))
	case http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close") // nothing more of the body is read
	}
	if seconds := retryAfter(e); seconds > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	return status
}

// retryAfter is when asking again may help, in seconds; 0 where it does not by itself.
func retryAfter(e *gate.Error) int {
	switch {
	case e.Code == gate.CodeForgeUnavailable, e.Code == gate.CodeIssuerUnavailable:
		return 15 // somebody else has to come back first
	case e.Kind == gate.Unavailable, e.Code == gate.CodeNotSigned:
		return 5
	}
	return 0
}

// challenge is what a 401 has to name (RFC 9110, RFC 6750). Deliveries are proved by
// their forge's own headers and people by their session, which no registered scheme names.
func challenge(c gate.Code) string {
	switch c {
	case gate.CodeDeliveryUnsigned, gate.CodeDeliverySignature:
		return `Webhook realm="countersign"`
	case gate.CodeSignedOut:
		return `Session realm="countersign"`
	case gate.CodeTokenMissing:
		return `Bearer realm="countersign"`
	default:
		return `Bearer realm="countersign", error="invalid_token"`
	}
}

// acceptsHTML reports whether the client names HTML among what it reads: browsers do,
// clients that take anything do not.
func acceptsHTML(r *http.Request) bool {
	for _, values := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(values, ",") {
			media, params, err := mime.ParseMediaType(one)
			if err != nil || media != "text/html" {
				continue
			}
			q, err := strconv.ParseFloat(params["q"], 64)
			return err != nil || q > 0
		}
	}
	return false
}

// quoted shows what of foreign text an error repeats: bounded, and without what acts
// on a terminal.
func quoted(s string) string {
	const limit = 120
	if len(s) > limit {
		return strconv.QuoteToASCII(s[:limit]) + "… (" + strconv.Itoa(len(s)) + " bytes)"
	}
	return strconv.QuoteToASCII(s)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to tell
	return nil
}
