package attacks

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// Status is what the manual says of one attack.
type Status string

// Statuses. A residual attack cannot be shown closed: what is left of it is written
// down, and what is done about it has tests. An open one waits for work.
const (
	Closed   Status = "closed"
	Residual Status = "residual"
	Open     Status = "open"
)

// Last is the catalogue's last number; the first is 1.
const Last = 95

// Catalogue reads the statuses out of docs/security.md, whose tables have one row per
// attack: number, attack, what stops it, status. It reports every number that is
// missing or stands twice, and every open one that need not be.
func Catalogue(manual []byte) (map[int]Status, error) {
	out := map[int]Status{}
	var errs []error
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|.*\| (closed|residual|open) \|$`).FindAllSubmatch(manual, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil || n < 1 || n > Last {
			errs = append(errs, fmt.Errorf("attack %s: expected 1 to %d", m[1], Last))
			continue
		}
		if _, twice := out[n]; twice {
			errs = append(errs, fmt.Errorf("attack %d: expected one row, got two", n))
		}
		out[n] = Status(m[2])
		if out[n] == Open && !waits(n) {
			errs = append(errs, fmt.Errorf("attack %d: expected it closed or residual, got open", n))
		}
	}
	for n := 1; n <= Last; n++ {
		if out[n] == "" {
			errs = append(errs, fmt.Errorf("attack %d: expected a row with its status, got none", n))
		}
	}
	return out, errors.Join(errs...)
}

// waits: what defeats these belongs to parts that are not there yet: keys.
// No other attack may be left open.
func waits(n int) bool { return n == 81 || n == 87 }

// Named are the numbers that a test's name holds, each once. Spaces may be the
// underscores that go test makes of them.
func Named(test string) []int {
	var out []int
	seen := map[int]bool{}
	for _, m := range regexp.MustCompile(`\battacks?[ _](\d+)`).FindAllStringSubmatch(test, -1) {
		n, err := strconv.Atoi(m[1])
		if err == nil && n >= 1 && n <= Last && !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
