package attacks_test

import (
	"testing"

	"github.com/countersign/countersign/gate"
)

// Without an attack everything here is signed; otherwise refusals would prove nothing.
func TestHonestReleases(t *testing.T) {
	play(t, []row{
		{name: "somebody else approves", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.signed()
			if got := r.shown(); got.State != gate.StatePublished || len(r.bundles()) == 0 {
				s.Errorf("expected the job to see and collect what was signed, got %s", got.State)
			}
		}},
		{name: "two people cover each other", play: func(s *stage) {
			s.merge(s.propose("bo", "gadget"), "eve")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits("coverage", "@bo")
			r.approve("cy")
			r.signed()
		}},
		{name: "a review before the merge covers a change", play: func(s *stage) {
			c := s.propose("bo", "gadget")
			s.review(c, "cy")
			s.merge(c, "eve")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.signed()
		}},
	})
}
