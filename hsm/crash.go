package hsm

import (
	"bytes"
	"sync"
)

// crashNote reads a worker's standard error. A module may print anything there, the
// PIN included, so all that is kept is the first line of a crash of Go.
type crashNote struct {
	mu   sync.Mutex
	line []byte // under way
	why  string
}

const maxCrashLine = 200 // bytes

// Write takes everything and keeps next to nothing.
func (c *crashNote) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range b {
		if x != '\n' {
			if len(c.line) < maxCrashLine {
				c.line = append(c.line, x)
			}
			continue
		}
		for _, start := range []string{"panic: ", "fatal error: ", "SIG"} {
			if c.why == "" && bytes.HasPrefix(c.line, []byte(start)) {
				c.why = string(c.line)
			}
		}
		c.line = c.line[:0]
	}
	return len(b), nil
}

func (c *crashNote) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == "" {
		return ""
	}
	return " (" + c.why + ")"
}
