package hsm_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/hsm/hsmtest"
)

func TestMain(m *testing.M) {
	hsmtest.RunIfWorker()
	runIfDaemon()
	runIfLiar()
	goleak.VerifyTestMain(m)
}
