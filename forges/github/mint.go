package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// minting looks into the answers that bring installation tokens. ghinstallation takes any answer in a
// 2xx for a token, and crashes on null; what is none is an error here (attack 70).
type minting struct{ next http.RoundTripper }

// RoundTrip leaves every other call as it is.
func (m minting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := m.next.RoundTrip(req)
	if err != nil || resp.StatusCode/100 != 2 || !strings.HasSuffix(req.URL.Path, "/access_tokens") {
		return resp, err
	}
	raw, err := io.ReadAll(resp.Body) // bounded by the shared client
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("read installation token: %w", err)
	}
	var token *struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(raw, &token); err != nil || token == nil || token.Token == "" {
		return nil, errors.New("GitHub answered without an installation token")
	}
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	return resp, nil
}
