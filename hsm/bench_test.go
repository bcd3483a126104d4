package hsm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// BenchmarkSign signs batches through worker processes on SoftHSM, each signature
// checked; an operation is one batch.
func BenchmarkSign(b *testing.B) {
	tok := hsmtest.NewToken(b)
	pin := tok.Pin(b, "acme-release", 1)
	for _, workers := range []int{1, 2} {
		c := hsmtest.Config(b, tok, pin)
		c.Workers = workers
		s := hsmtest.Start(b, c)
		for _, n := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("workers=%d/batch=%d", workers, n), func(b *testing.B) {
				orders, made := ordersFor(b, s, n), time.Now()
				for b.Loop() {
					if time.Since(made) > gate.GrantLifetime/2 {
						orders, made = gatetest.Orders(b, gatetest.Grant(b, gatetest.Manifest(n), s.Keys()[0])), time.Now()
					}
					if _, err := s.Sign(b.Context(), orders); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "signatures/s")
			})
		}
	}
}

// BenchmarkSeal signs checkpoints and digests with the gate's own keys, one at a time, each
// signature checked.
func BenchmarkSeal(b *testing.B) {
	tok := hsmtest.NewToken(b)
	s := hsmtest.Start(b, hsmtest.Config(b, tok, tok.PinAuthority(b)...))
	message := make([]byte, 200) // a checkpoint's size
	for _, k := range s.AuthorityKeys() {
		if k.Purpose != gate.PurposeLog && k.Purpose != gate.PurposeCA {
			continue
		}
		b.Run(string(k.Purpose), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Seal(b.Context(), k, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
