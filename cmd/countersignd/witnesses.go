package main

import (
	"fmt"
	"net/http"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/witness"
)

// witnesses are those that cosign the ledger.
func witnesses(all []config.Witness) ([]keeper.Witness, error) {
	var out []keeper.Witness
	for i, w := range all {
		c, err := witness.New(w.URL, w.Key, http.DefaultTransport)
		if err != nil {
			return nil, notConfigured(fmt.Sprintf("ledger.witnesses[%d] cannot be used", i), err)
		}
		out = append(out, c)
	}
	return out, nil
}
