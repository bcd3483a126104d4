package hsm_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/countersign/countersign/gate"
)

func asError(err error, target **gate.Error) bool { return errors.As(err, target) }

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
