package canonical

import (
	"fmt"
	"strconv"

	"github.com/countersign/countersign/gate"
)

// shown bounds what of foreign text an error repeats, quoted so that control and
// bidi characters cannot act on the reader's terminal.
func shown(s string) string {
	const limit = 120
	if len(s) > limit {
		return fmt.Sprintf("%s… (%d bytes)", strconv.QuoteToASCII(s[:limit]), len(s))
	}
	return strconv.QuoteToASCII(s)
}

func badSubjects(text, expected, got, fix string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeSubjects, Text: text, Expected: expected, Got: got, Fix: fix,
	}
}

func badAsk(text, expected, got, fix string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: text, Expected: expected, Got: got, Fix: fix,
	}
}
