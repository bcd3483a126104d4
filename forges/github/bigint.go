package github

import (
	"fmt"
	"strconv"
	"strings"
)

// bigInt is GraphQL's BigInt, which comes as a text or as a number. Comments and reviews have
// outgrown the 32 bits of GraphQL's Int, in which databaseId would come.
type bigInt int64

// UnmarshalJSON reads either form; null leaves zero, which is nothing's number.
func (b *bigInt) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil {
		return fmt.Errorf("a BigInt: %w", err)
	}
	*b = bigInt(n)
	return nil
}
