package main_test

import (
	"testing"
)

func TestDoctorGolden(t *testing.T) {
	s := newSite(t)
	golden(t, "doctor-unprobed.golden", s.plain(s.run(0, "doctor")))
}
