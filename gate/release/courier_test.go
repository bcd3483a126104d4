package release_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/gate/gatetest"
)

// courier notes since when it was asked for lost deliveries.
type courier struct {
	began time.Time
	asked []time.Duration // since it began
	since []time.Duration // before it was asked
	err   error
}

func (c *courier) Redeliver(_ context.Context, since time.Time) (int, error) {
	c.asked = append(c.asked, time.Since(c.began))
	c.since = append(c.since, time.Since(since))
	return 2, c.err
}

// attack 60: a server that was down for less than a day loses nothing, and while it runs
// every look reaches back beyond the one before.
func TestLostDeliveriesAreAskedFor(t *testing.T) {
	for name, err := range map[string]error{"answered": nil, "refused": errors.New("the forge is away")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &courier{began: time.Now(), err: err}
				w := &world{T: t, now: time.Now, log: &strings.Builder{}}
				g := w.newGate(newIdle())
				port := g.Forges[gatetest.Forge]
				port.Courier = c
				g.Forges["elsewhere"], g.Forges[gatetest.Forge] = g.Forges[gatetest.Forge], port // one without a courier, too
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- g.Work(ctx, nil) }()
				time.Sleep(25 * time.Minute)
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if len(c.asked) != 3 || c.asked[0] != 0 || c.asked[2] != 20*time.Minute {
					t.Fatalf("asked after %v, expected at once and every ten minutes", c.asked)
				}
				if c.since[0] != 24*time.Hour || c.since[1] != 70*time.Minute {
					t.Errorf("reached back %v, expected a day, then beyond the look before", c.since)
				}
				if !strings.Contains(w.log.String(), "lost deliveries") {
					t.Errorf("expected the operator told, got\n%s", w.log)
				}
			})
		})
	}
}
