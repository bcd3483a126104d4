package gatetest

import (
	"fmt"

	"github.com/countersign/countersign/gate"
)

// Manifest lists n subjects app-000.tar.gz, app-001.tar.gz and so on; the digest of
// each is that of its name.
func Manifest(n int) gate.Manifest {
	var m gate.Manifest
	for i := range n {
		name := fmt.Sprintf("app-%03d.tar.gz", i)
		m.Subjects = append(m.Subjects, gate.Subject{Name: name, SHA256: gate.SHA256([]byte(name))})
	}
	return m
}
