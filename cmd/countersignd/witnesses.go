package main

import (
	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate/keeper"
)

// witnesses are those that cosign the ledger.
func witnesses(all []config.Witness) ([]keeper.Witness, error) {
	return nil, nil
}
