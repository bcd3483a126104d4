package faults_test

import "testing"

// What the network can do to every connection (attack 70).
func TestNetworkFaults(t *testing.T) {
	for _, row := range []struct {
		name, toxic, attributes string
	}{
		{"an answer takes too long", "latency", `{"latency":60000}`},
		{"nothing comes, and nothing ends", "timeout", `{"timeout":0}`},
		{"the connection ends without an answer", "timeout", `{"timeout":20}`},
		{"the connection is reset", "reset_peer", `{"timeout":0}`},
		{"the connection is reset after a while", "reset_peer", `{"timeout":20}`},
		{"the answer ends in its header", "limit_data", `{"bytes":40}`},
		{"the answer ends in its body", "limit_data", `{"bytes":900}`},
		{"an answer of bytes that drip", "bandwidth", `{"rate":0}`},
		{"an answer in pieces that come slowly", "slicer", `{"average_size":8,"size_variation":4,"delay":200000}`},
	} {
		t.Run("attack 70: "+row.name, func(t *testing.T) {
			both(t, func(t *testing.T, s *scene) {
				s.suffers(func() func() { return s.line.toxic(row.toxic, row.attributes) })
			})
		})
	}
	t.Run("attack 70: nobody listens", func(t *testing.T) {
		both(t, func(t *testing.T, s *scene) { s.suffers(s.line.down) })
	})
}

// suffers plays one fault cold, with an adapter that has read nothing before, and warm.
func (s *scene) suffers(fail func() (heal func())) {
	s.t.Helper()
	heal := fail()
	s.unread("cold, while it lasts")
	heal()
	s.granted("cold, after it")
	heal = fail()
	s.unread("warm, while it lasts")
	heal()
	s.granted("warm, after it")
}

// What slows a connection without breaking it is borne.
func TestNetworkNuisances(t *testing.T) {
	for _, row := range []struct {
		name, toxic, attributes string
	}{
		{"answers come a little later", "latency", `{"latency":15,"jitter":10}`},
		{"connections close slowly", "slow_close", `{"delay":500}`},
		{"a narrow line", "bandwidth", `{"rate":2000}`},
		{"answers in small pieces", "slicer", `{"average_size":500,"size_variation":100,"delay":10}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			both(t, func(t *testing.T, s *scene) {
				heal := s.line.toxic(row.toxic, row.attributes)
				defer heal()
				s.granted("while it lasts")
			})
		})
	}
}
