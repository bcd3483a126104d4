package setup_test

import (
	"testing"

	"github.com/countersign/countersign/web/frame/frametest"
	"github.com/countersign/countersign/web/setup"
)

// Whatever a forge or somebody at the form says, the setup's pages stay what they are.
func TestHostileTextIsText(t *testing.T) { frametest.HoldText(t, setup.Pages()) }

// The same for the addresses that they lead to.
func TestHostileAddresses(t *testing.T) { frametest.HoldAddresses(t, setup.Pages()) }
