package workload

import (
	"fmt"
	"strconv"

	"github.com/countersign/countersign/gate"
)

func refuse(code gate.Code, text, expected, got, fix string) error {
	return &gate.Error{Kind: gate.Unidentified, Code: code, Text: text, Expected: expected, Got: got, Fix: fix}
}

// quoted shows what of a claim came, bounded and without what acts on a terminal.
func quoted(s string) string {
	const limit = 160
	if len(s) > limit {
		return fmt.Sprintf("%s… (%d bytes)", strconv.QuoteToASCII(s[:limit]), len(s))
	}
	return strconv.QuoteToASCII(s)
}
