package githubtest_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// A delivery that met nobody is neither a success nor a failure to GitHub's filter: who
// looks for lost ones must not ask by it.
func TestDeliveriesByOutcome(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	h := newHook(t)
	w.DeliverTo(h.URL, hookSecret)
	for _, status := range []int{http.StatusAccepted, http.StatusFound, http.StatusNotFound, http.StatusServiceUnavailable} {
		h.answer(status)
		w.OpenIssue(w.repo, w.ana, "Question", "?")
		w.Settle()
	}
	h.Close()
	w.OpenIssue(w.repo, w.ana, "Question", "?")
	w.Settle()
	for query, want := range map[string]int{"": 5, "?status=success": 2, "?status=failure": 2} {
		got := getAs[[]struct {
			Code int `json:"status_code"`
		}](w, "/app/hook/deliveries"+query, appJWT(w))
		if len(got) != want {
			t.Errorf("%q: got %v, want %d", query, got, want)
		}
	}
}
