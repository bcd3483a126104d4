package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/countersign/countersign/gate"
)

// Claims are the claims of one ID token, without its signature.
type Claims map[string]any

// ParseClaims reads what the probe's CI job printed: a JSON list of claim sets, with
// whatever a log puts before and after it.
func ParseClaims(text []byte) ([]Claims, error) {
	at := bytes.Index(text, []byte("[{"))
	if at < 0 {
		return nil, claimsFault("a text without [{")
	}
	d := json.NewDecoder(bytes.NewReader(text[at:]))
	d.UseNumber()
	var out []Claims
	if err := d.Decode(&out); err != nil {
		return nil, claimsFault("a list that does not parse: " + err.Error())
	}
	return out, nil
}

func claimsFault(got string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeConfig, Text: "the job's claims cannot be read",
		Expected: "the line that the probe's CI job printed, [{…},{…}]", Got: got,
		Fix: "copy that line of the job's log into the file",
	}
}

func (c Claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// number is a claim that is a number, or a text of digits as both forges write them.
func (c Claims) number(name string) int64 {
	s := c.text(name)
	if n, is := c[name].(json.Number); is {
		s = n.String()
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// missing are the names that have no claim.
func (c Claims) missing(names ...string) []string {
	var out []string
	for _, n := range names {
		if v, has := c[n]; !has || v == nil || v == "" {
			out = append(out, n)
		}
	}
	return out
}

// aud is the one audience.
func (c Claims) aud() (string, error) {
	switch v := c["aud"].(type) {
	case string:
		return v, nil
	case []any:
		if len(v) == 1 {
			if s, is := v[0].(string); is {
				return s, nil
			}
		}
		return "", fmt.Errorf("%d audiences", len(v))
	}
	return "", fmt.Errorf("no audience")
}

func (c Claims) life() time.Duration {
	return time.Duration(c.number("exp")-c.number("iat")) * time.Second
}
