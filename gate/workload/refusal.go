package workload

import (
	"fmt"
	"strconv"

	"github.com/countersign/countersign/gate"
)

func refuse(code gate.Code, text, expected, got, fix string) error {
	return &gate.Error{Kind: gate.Unidentified, Code: code, Text: text, Expected: expected, Got: got, Fix: fix}
}

// maxQuoted is how much of a foreign text is repeated, in bytes.
const maxQuoted = 160

// quoted shows what of a claim came, bounded and without what acts on a terminal.
func quoted(s string) string {
	if len(s) > maxQuoted {
		return fmt.Sprintf("%s… (%d bytes)", strconv.QuoteToASCII(s[:maxQuoted]), len(s))
	}
	return strconv.QuoteToASCII(s)
}
