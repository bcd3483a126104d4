package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// recent lists the newest deliveries, at most a hundred, the newest first.
func (c *caller) recent(ctx context.Context) ([]deliveryJSON, error) {
	var out []deliveryJSON
	err := c.get(ctx, &out, url.Values{"per_page": {perPage}}, "app", "hook", "deliveries")
	return out, err
}

// deliveries looks at how the newest deliveries of the last day fared. One that arrived in
// any attempt is not lost.
func (x *examined) deliveries(ctx context.Context, app *caller, now time.Time) {
	all, err := app.recent(ctx)
	if err != nil {
		x.warn("deliveries", "look at them "+appPage+"Advanced", "the last deliveries cannot be listed: %s", why(err))
		return
	}
	if len(all) == 0 {
		x.warn("deliveries", "make something happen: comment on a pull request of a repository with the App", "GitHub has delivered nothing in the last days")
		return
	}
	arrived, codes, seen := map[string]bool{}, map[string]int{}, map[string]bool{}
	for _, d := range all {
		arrived[d.GUID] = arrived[d.GUID] || d.arrived()
	}
	lost, total := 0, 0
	for _, d := range all {
		if seen[d.GUID] || now.Sub(d.DeliveredAt) > 24*time.Hour {
			continue
		}
		seen[d.GUID] = true
		total++
		if !arrived[d.GUID] {
			lost++
			codes[outcome(d.StatusCode)]++
		}
	}
	newest := fmt.Sprintf("the newest, %s, %s ago", all[0].Event, ago(now.Sub(all[0].DeliveredAt)))
	switch lost {
	case 0:
		x.pass("deliveries", "no delivery of the last day was lost; %s, got %s", newest, outcome(all[0].StatusCode))
	case total:
		x.fail("deliveries", codeFix(all[0].StatusCode), "deliveries of the last day that arrived: 0 of %d (%s); %s", total, counted(codes), newest)
	default:
		x.warn("deliveries", codeFix(worst(all, arrived))+"; lost ones are asked for again", "deliveries of the last day that arrived: %d of %d (%s); %s", total-lost, total, counted(codes), newest)
	}
}

// worst is the code of the newest delivery that did not arrive.
func worst(all []deliveryJSON, arrived map[string]bool) int {
	for _, d := range all {
		if !arrived[d.GUID] {
			return d.StatusCode
		}
	}
	return 0
}

// outcome is a code in words.
func outcome(code int) string {
	if code == 0 {
		return "no answer"
	}
	return strconv.Itoa(code)
}

func counted(codes map[string]int) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(codes)) {
		out = append(out, fmt.Sprintf("%s: %d", name, codes[name]))
	}
	return strings.Join(out, ", ")
}

// codeFix says what to do about an answer that GitHub got.
func codeFix(code int) string {
	switch {
	case code == 0:
		return "see that GitHub reaches this server: its name, its certificate, a firewall"
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return "set the webhook's secret at GitHub and in webhook_secret_file to the same value"
	case code == http.StatusNotFound:
		return "compare the webhook's URL with this server's: the forge's name is its last part"
	case code >= 500:
		return "look into this server's log, and the reverse proxy's"
	}
	return "look at the answers " + appPage + "Advanced"
}

// ago is a time in words, to one unit.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return count(max(int(d.Seconds()), 0), "second")
	case d < time.Hour:
		return count(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return count(int(d.Hours()), "hour")
	}
	return count(int(d.Hours()/24), "day")
}

// sent is a delivery that was asked for again.
type sent struct {
	deliveryJSON

	before []int64 // numbers of its attempts until then
}

// Ping asks GitHub to send a delivery again, a ping where there is a recent one, so that
// somebody can wait for its arrival: it has the GUID of the first time. What was handled
// once is not handled again. Errors: NotFound where GitHub has nothing to send.
func (f *Forge) Ping(ctx context.Context) (guid string, err error) {
	app, err := f.app()
	if err != nil {
		return "", classify("ask for a delivery", err)
	}
	s, err := app.ping(ctx)
	return s.GUID, err
}

func (c *caller) ping(ctx context.Context) (sent, error) {
	const op = "ask for a delivery"
	all, err := c.recent(ctx)
	if err != nil {
		return sent{}, classify(op, err)
	}
	all = slices.DeleteFunc(all, func(d deliveryJSON) bool { return d.ID <= 0 || d.GUID == "" })
	if len(all) == 0 {
		return sent{}, &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeForgeUnexpected, Text: "GitHub has nothing to deliver again: it has delivered nothing in the last days",
			Fix: "make something happen: comment on a pull request of a repository with the App",
		}
	}
	s := sent{deliveryJSON: all[max(slices.IndexFunc(all, func(d deliveryJSON) bool { return d.Event == "ping" }), 0)]}
	for _, d := range all {
		if d.GUID == s.GUID {
			s.before = append(s.before, d.ID)
		}
	}
	_, _, err = c.send(ctx, http.MethodPost, nil, nil, "app", "hook", "deliveries", strconv.FormatInt(s.ID, 10), "attempts")
	if err != nil && statusOf(err) != http.StatusAccepted { // go-github takes a 202 for an error
		return sent{}, classify(op, err)
	}
	return s, nil
}

const (
	// tripTries and tripPause bound how long a round trip is waited for.
	tripTries = 40
	tripPause = 250 * time.Millisecond
)

// RoundTrip has GitHub send a delivery again and waits, at most ten seconds, until GitHub
// says how it was answered: what this server took had a proof that holds, so that both
// sides have the same secret.
func (f *Forge) RoundTrip(ctx context.Context) api.Finding {
	x := &examined{area: "Forge " + string(f.cfg.Forge)}
	f.trip(ctx, x)
	return x.out[0]
}

func (f *Forge) trip(ctx context.Context, x *examined) {
	const id = "webhook-secret"
	app, err := f.app()
	if err != nil {
		x.fail(id, "compare private_key_file with the App's page at GitHub", "%s", why(err))
		return
	}
	asked, err := app.ping(ctx)
	if err != nil {
		var e *gate.Error
		fix := "try again"
		if errors.As(err, &e) {
			fix = cmp.Or(e.Fix, fix)
		}
		x.warn(id, fix, "whether both sides have the same webhook secret could not be tried: %s", why(err))
		return
	}
	d, err := app.await(ctx, asked)
	switch {
	case err != nil:
		x.warn(id, "look at the last deliveries "+appPage+"Advanced", "GitHub was asked to send a delivery again, and does not say how that went: %s", why(err))
	case d.arrived():
		x.pass(id, "a delivery that GitHub sent again arrived, and its proof holds")
	case d.StatusCode == http.StatusUnauthorized:
		x.fail(id, codeFix(d.StatusCode), "GitHub signs deliveries with another webhook secret than this server has")
	default:
		x.fail(id, codeFix(d.StatusCode), "a delivery that GitHub sent again did not arrive: %s", outcome(d.StatusCode))
	}
}

// await waits for another attempt at a delivery.
func (c *caller) await(ctx context.Context, asked sent) (deliveryJSON, error) {
	for range tripTries {
		timer := time.NewTimer(tripPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return deliveryJSON{}, fmt.Errorf("await delivery %s: %w", asked.GUID, ctx.Err())
		case <-timer.C:
		}
		all, err := c.recent(ctx)
		if err != nil {
			return deliveryJSON{}, err
		}
		for _, d := range all {
			if d.GUID == asked.GUID && !slices.Contains(asked.before, d.ID) {
				return d, nil
			}
		}
	}
	return deliveryJSON{}, errors.New("it is still under way")
}
