package attest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/gate/canonical"
)

// plain is the RFC 8785 form of v. Titles and names come as forges and commits spell them:
// what is not UTF-8 in them is replaced, as encoding/json does, where [canonical.JSON] alone
// would refuse the whole.
func plain(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var again any
	if err := dec.Decode(&again); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return canonical.JSON(again)
}
